"""A force's cast, a sealed watchlist and a request, so that a test changes only what it is about."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from lfr.access import Principal
from lfr.access.principal import hash_secret
from lfr.cli import main
from lfr.database import Store
from lfr.database.log_tables import Promotion
from lfr.database.store import new_id
from lfr.database.tables import AccessKey, Entry, Reference, Watchlist
from lfr.deployments import DeploymentRequest, authorise, create_deployment, request_from, start
from lfr.types import Calibration, CalibrationRate
from lfr.watchlist import seal
from tests.integration.conftest import Clock, add_person

MODEL = "ab" * 32


@dataclass(frozen=True)
class Cast:
    """Who acts: each a person of their own."""

    manager: Principal
    author: Principal
    officer: Principal
    operator: Principal


def cast_of(store: Store, force: str = "essex") -> Cast:
    """Persons of a force with the roles that a deployment takes, and `MODEL` in the field."""
    put_in_field(store)
    return Cast(
        manager=add_person(store, "watchlist_manager", force=force),
        author=add_person(store, "operator", rank="inspector", force=force),
        officer=add_person(store, "authorising_officer", rank="superintendent", force=force),
        operator=add_person(store, "operator", force=force),
    )


def put_in_field(store: Store, model_digest: str = MODEL) -> None:
    """The entry that a promotion to the field leaves, as the latest."""
    with store.database.write() as session:
        number = int(session.scalar(select(func.max(Promotion.number))) or 0) + 1
        session.add(
            Promotion(
                number=number,
                alias="field",
                version=number,
                name="openvino-f32",
                model_digest=model_digest,
                bundle_digest="0" * 64,
                policy="field",
                policy_digest="0" * 64,
                field_use=True,
                evidence={},
                promoted_by="person-one",
                approved_by="person-two",
                promoted_at=store.now(),
                reason="",
                returns_to=None,
            )
        )


def sealed_list(
    store: Store,
    manager: Principal,
    *,
    categories: tuple[str, ...] = ("wanted-on-warrant", "wanted-on-warrant"),
    model_digest: str = MODEL,
    sealed: bool = True,
) -> str:
    """A watchlist with an entry of each category, sealed as users seal; its templates are random directions."""
    now, rng = store.now(), np.random.default_rng(7)
    watchlist_id = new_id("watchlist")
    key = store.keys.create(watchlist_id)
    with store.database.write() as session:
        session.add(
            Watchlist(
                id=watchlist_id,
                force_id=manager.force_id,
                name="made up",
                state="open",
                model_version="openvino-f32",
                model_digest=model_digest,
                created_by=manager.id,
                created_at=now,
            )
        )
        session.flush()
        for number, category in enumerate(categories):
            entry_id, reference_id = new_id("entry"), new_id("reference")
            session.add(
                Entry(
                    id=entry_id,
                    watchlist_id=watchlist_id,
                    subject_id=f"subject-{number}",
                    category=category,
                    reason="warrant",
                    legal_basis="warrant 1",
                    image_source="custody",
                    lawfully_held=True,
                    image_date=date(2025, 1, 1),
                    expires_at=now + timedelta(days=30),
                    under_18=False,
                    added_by=manager.id,
                    added_at=now,
                    approved_by="person-other",
                )
            )
            session.flush()
            vector = rng.normal(size=8).astype(np.float32)
            vector /= np.linalg.norm(vector)
            session.add(
                Reference(
                    id=reference_id,
                    entry_id=entry_id,
                    watchlist_id=watchlist_id,
                    ordinal=0,
                    image_digest=secrets.token_hex(32),
                    image=key.encrypt(b"image", row=f"{reference_id}:image"),
                    template=key.encrypt(vector.tobytes(), row=f"{reference_id}:template"),
                    model_digest=model_digest,
                    quality={},
                )
            )
    if sealed:
        seal(store, manager, watchlist_id)
    return watchlist_id


def calibration(**changes: object) -> Calibration:
    """A calibration from filmed passes that is sufficient, with some of it changed."""
    content: dict[str, Any] = {
        "model_version": "openvino-f32",
        "model_digest": MODEL,
        "dataset_digest": "cd" * 32,
        "protocol": "made up for a test",
        "quality_policy": "search-1",
        "shots": 5,
        "fusion": "max",
        "unit": "track",
        "watchlist_size": 100,
        "target_fpir": 0.001,
        "threshold": 0.5,
        "fpir": rate(0, 3_000, "clopper-pearson", high=0.00123),
        "tpir": rate(180, 200, "wilson", low=0.85, high=0.934),
        "subjects": 200,
        "non_mated_subjects": 3_000,
        "verdict": "sufficient",
        "simulated": False,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Calibration.model_validate({**content, **changes})


def too_few(**changes: object) -> Calibration:
    """A calibration whose verdict is that there are too few data."""
    few = {"fpir": rate(0, 50, "clopper-pearson", high=0.0711), "non_mated_subjects": 50}
    return calibration(**{**few, "verdict": "insufficient_data", **changes})


def rate(count: int, of: int, method: str, *, low: float = 0.0, high: float = 1.0) -> CalibrationRate:
    """A rate with its interval."""
    return CalibrationRate.model_validate(
        {"value": count / of, "low": low, "high": high, "count": count, "of": of, "method": method}
    )


def fields(store: Store, watchlist_id: str, **changes: object) -> dict[str, Any]:
    """The fields of a request for four hours from now, with some of them changed."""
    now = store.now()
    return {
        "name": "market day",
        "purpose": "find people wanted on warrant",
        "necessity": "other means were tried",
        "proportionality": "four hours, one place, a short list",
        "place": "Market Square",
        "why_there": "recent sightings",
        "signage": "boards at every approach",
        "controller_force": "Essex",
        "dpia": "DPIA-1",
        "appropriate_policy_document": "APD-1",
        "equality_impact_assessment": "EIA-1",
        "starts_at": now,
        "ends_at": now + timedelta(hours=4),
        "categories": ["wanted-on-warrant"],
        "cameras": ["north", "south"],
        "watchlist": watchlist_id,
        "calibration": calibration(),
        **changes,
    }


def request(store: Store, watchlist_id: str, **changes: object) -> DeploymentRequest:
    """A request that can be authorised, with some of it changed."""
    return request_from(fields(store, watchlist_id, **changes), name="a test's", folder=Path())


def draft(store: Store, cast: Cast, **changes: object) -> str:
    """A draft with a sealed list of its own."""
    watchlist_id = sealed_list(store, cast.manager)
    return create_deployment(store, cast.author, request(store, watchlist_id, **changes))


def authorised(store: Store, cast: Cast, **changes: object) -> str:
    """An authorised deployment."""
    deployment_id = draft(store, cast, **changes)
    authorise(store, cast.officer, deployment_id, reasons="necessary and proportionate")
    return deployment_id


def started(store: Store, cast: Cast, **changes: object) -> str:
    """A live deployment."""
    deployment_id = authorised(store, cast, **changes)
    start(store, cast.operator, deployment_id)
    return deployment_id


@dataclass
class CommandLine:
    """``lfr`` as one of a cast types it; its store is the test's, and time is the real one."""

    store: Store
    cast: Cast
    clock: Clock
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    _keys: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock.time = datetime.now(UTC).replace(microsecond=0)
        url = self.store.database.url.render_as_string(hide_password=False)
        self.monkeypatch.setenv("LFR_HOME", str(self.folder / "home"))
        self.monkeypatch.setenv("LFR_DATABASE_URL", url)
        self.monkeypatch.setenv("COLUMNS", "250")

    def __call__(self, who: str, *words: object) -> tuple[int, str, str]:
        """Run a command: exit code, standard output and standard error."""
        if who not in self._keys:
            self._keys[who] = self._key_file(getattr(self.cast, who))
        given = ["lfr", *map(str, words), "--key-file", str(self._keys[who])]
        self.monkeypatch.setattr("sys.argv", given)
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        self.clock.time = datetime.now(UTC)
        out, err = self.capfd.readouterr()
        return code, out, err

    def _key_file(self, principal: Principal) -> Path:
        key_id, secret = secrets.token_hex(4), secrets.token_hex(8)
        with self.store.database.write() as session:
            session.add(
                AccessKey(
                    id=f"key-{key_id}",
                    force_id=principal.force_id,
                    person_id=principal.person_id,
                    roles=sorted(principal.roles),
                    secret_hash=hash_secret(secret),
                    created_at=self.clock.time,
                    expires_at=self.clock.time + timedelta(days=1),
                )
            )
        path = self.folder / f"{principal.id}.key"
        path.write_text(f"lfr_{key_id}_{secret}\n")
        return path
