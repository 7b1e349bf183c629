"""What the governed store costs, in time: enrolling, sealing and loading, alerts, and checking the audit log.

``ratio`` is ours to the peer, or to the target where there is no peer. In
rows of seconds less is better, in rows of a rate more is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
from sqlalchemy import func, select

from lfr.alerts import Sighting, raise_alerts
from lfr.audit import export_chain, force_chain, verify_export
from lfr.database import Store
from lfr.database.tables import Alert, AuditEntry, Entry, Reference
from lfr.deployments import live, shipped_calibration
from lfr.evaluation.benchmarks.store_audit import audit_rows
from lfr.evaluation.benchmarks.store_cast import (
    Cast,
    entry_rows,
    fill_list,
    live_deployment,
    made_up_cast,
    numbered_jpeg,
    open_list,
    temporary_stores,
)
from lfr.models import Model
from lfr.sources import demo_portraits, read_image
from lfr.types import FloatArray, Pixels
from lfr.vision import Detector, Embedder, align
from lfr.watchlist import approve, import_entries, load_sealed, seal
from lfr.watchlist.enrolling import Portraits, enrol_images
from lfr.watchlist.sealing import templates_of

__all__ = ["PARTS", "Part", "Sizes", "bench_store"]

Part = Literal["import", "seal", "alerts", "verify"]
PARTS: tuple[Part, ...] = get_args(Part)
_BATCH = 16
_ALERTS_AT_ONCE = 16


@dataclass(frozen=True)
class Sizes:
    """How much of each is measured.

    Attributes
    ----------
    images
        Imported and enrolled, each of another subject.
    entries
        Of the list that is sealed and loaded.
    alerts
        Committed in each turn.
    audit_entries
        In the export that is verified.
    repeats
        Turns of each; medians count.
    """

    images: int = 1_000
    entries: int = 20_000
    alerts: int = 800
    audit_entries: int = 1_000_000
    repeats: int = 3

    @classmethod
    def quick(cls) -> Sizes:
        """Return sizes that take seconds: they show that it works, and not how fast."""
        return cls(images=12, entries=60, alerts=32, audit_entries=2_500, repeats=1)


def bench_store(
    model: Model,
    *,
    threads: int,
    parts: Sequence[Part] = PARTS,
    sizes: Sizes | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Measure on temporary stores: SQLite, and PostgreSQL where its server is installed.

    Parameters
    ----------
    model
        Version that the shipped calibration is of, made with ``threads`` threads.
    threads
        Threads of the networks, for the row.
    parts
        What to measure.
    sizes
        How much; None takes the sizes of the targets.
    progress
        Told what runs.

    Returns
    -------
    Rows of the benchmark document, each with ``met``: whether it is within its target.
    """
    sizes = sizes or Sizes()
    rows: list[dict[str, Any]] = []
    with temporary_stores() as stores, TemporaryDirectory(prefix="lfr-bench-") as folder:
        pictures = _enrollable(model)
        casts = {name: made_up_cast(store, max_watchlist=max(sizes.entries, 2_000)) for name, store in stores.items()}
        for name, store in stores.items():
            if "import" in parts:
                progress(f"importing {sizes.images} images, {name}")
                rows.append(_import_row(name, store, casts[name], model, pictures, Path(folder), sizes))
            if "seal" in parts:
                progress(f"sealing and loading {sizes.entries} entries, {name}")
                rows.append(_seal_row(name, store, casts[name], model, pictures, sizes))
            if "alerts" in parts:
                progress(f"committing alerts, {name}")
                rows += _alert_rows(name, store, casts[name], model, pictures, Path(folder), sizes)
        if "verify" in parts:
            progress(f"making and verifying {sizes.audit_entries} audit entries")
            rows += audit_rows(Path(folder), stores["sqlite"].signing, entries=sizes.audit_entries)
    return [row | {"version": model.version.name, "threads": threads, "sizes": asdict(sizes)} for row in rows]


def _enrollable(model: Model) -> list[Path]:
    """Return the demo faces that pass the enrolment gate."""
    portraits = [portrait.path for portrait in demo_portraits()]
    items = [Portraits([path.name], [path.read_bytes()]) for path in portraits]
    enrol_images(items, model)
    return [path for path, item in zip(portraits, items, strict=True) if not item.problems]


def _import_row(
    name: str, store: Store, cast: Cast, model: Model, pictures: Sequence[Path], folder: Path, sizes: Sizes
) -> dict[str, Any]:
    """Time the import of images against embedding them and no more, in turn."""
    images = []
    for number in range(sizes.images):
        path = folder / f"{number}.jpg"
        path.write_bytes(numbered_jpeg(pictures[number % len(pictures)].read_bytes(), number))
        images.append(path)
    ours_s, peer_s, alike, accepted = [], [], 1.0, 0
    _embedded(images[:_BATCH], model)  # warm
    for _ in range(sizes.repeats):
        watchlist_id = open_list(store, cast, model)
        started = time.perf_counter()
        report = import_entries(store, cast.manager, watchlist_id, entry_rows(images), model)
        ours_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        templates = _embedded(images, model)
        peer_s.append(time.perf_counter() - started)
        accepted = report.accepted
        stored = _stored_templates(store, watchlist_id)
        alike = min(alike, float((stored * templates).sum(axis=1).min())) if len(stored) == len(templates) else 0.0
    return _row(
        f"import and enrol {sizes.images} images, {name}",
        ours_s,
        peer=round(median(peer_s), 3),
        peer_name="embedding the same images: read, detect, align, embed",
        unit="s",
        met=median(ours_s) <= 1.3 * median(peer_s),
        target="ratio at most 1.3",
        parity={"accepted": accepted, "least_cosine_to_peer": round(alike, 5)},
    ) | {"peer_spread": [round(min(peer_s), 3), round(max(peer_s), 3)]}


def _embedded(images: Sequence[Path], model: Model) -> FloatArray:
    """(n, d) templates of the largest face of each image, in batches: what enrolment cannot do without."""
    detector, embedder = Detector(model.detector), Embedder(model, batch_size=_BATCH)
    vectors: list[FloatArray] = []
    crops: list[Pixels] = []
    for path in images:
        pixels = read_image(path)
        faces = detector.detect(pixels)
        crops.append(align(pixels, faces[np.array([faces.size_px.argmax()])].landmarks))
        if len(crops) == _BATCH:
            vectors.append(embedder.embed(np.concatenate(crops)).vectors.copy())
            crops.clear()
    if crops:
        vectors.append(embedder.embed(np.concatenate(crops)).vectors.copy())
    return np.concatenate(vectors)


def _stored_templates(store: Store, watchlist_id: str) -> FloatArray:
    """(n, d) templates as a list keeps them, decrypted, in the order of subjects."""
    find = (
        select(Reference.id, Reference.template)
        .join(Entry, Entry.id == Reference.entry_id)
        .where(Reference.watchlist_id == watchlist_id)
        .order_by(Entry.subject_id)
    )
    with store.database.read() as session:
        sealed = [(reference_id, template) for reference_id, template in session.execute(find)]
    return templates_of(sealed, store.keys.load(watchlist_id))


def _seal_row(
    name: str, store: Store, cast: Cast, model: Model, pictures: Sequence[Path], sizes: Sizes
) -> dict[str, Any]:
    """Time sealing and loading a long list of random templates, each with an image of usual size."""
    seals, loads, same = [], [], True
    for turn in range(sizes.repeats):
        watchlist_id = open_list(store, cast, model)
        vectors = fill_list(
            store, cast.manager, watchlist_id, model, pictures[0].read_bytes(), entries=sizes.entries, seed=turn
        )
        approve(store, cast.officer, watchlist_id)
        started = time.perf_counter()
        digest = seal(store, cast.manager, watchlist_id)
        seals.append(time.perf_counter() - started)
        started = time.perf_counter()
        loaded = load_sealed(store, watchlist_id, digest=digest, model_digest=model.digest)
        loads.append(time.perf_counter() - started)
        found = loaded.snapshot.references.vectors
        same = same and loaded.size == sizes.entries and np.array_equal(_in_order(found), _in_order(vectors))
    both = [a + b for a, b in zip(seals, loads, strict=True)]
    return _row(
        f"seal and load {sizes.entries} entries, {name}",
        both,
        peer=2.0,
        peer_name="target",
        unit="s",
        met=median(both) < 2.0,
        target="both together under 2 s",
        parity={"templates_unchanged": bool(same), "entries": sizes.entries},
    ) | {"seal_s": round(median(seals), 3), "load_s": round(median(loads), 3)}


def _in_order(vectors: FloatArray) -> FloatArray:
    return vectors[np.lexsort(vectors.T)]


def _alert_rows(
    name: str, store: Store, cast: Cast, model: Model, pictures: Sequence[Path], folder: Path, sizes: Sizes
) -> Iterator[dict[str, Any]]:
    """Time alerts committed with their audit entries, one a transaction and several."""
    deployment = live(store, cast.operator, live_deployment(store, cast, model, pictures[:10]))
    sealed = load_sealed(
        store, deployment.watchlist_id, digest=deployment.watchlist_digest, model_digest=deployment.model_digest
    )
    target = {"sqlite": 200, "postgresql": 500}[name]
    sighting = Sighting(
        deployment_id=deployment.id,
        camera_id="north",
        track_id=1,
        entry_id=next(iter(sealed.entries)),
        score=max(0.99, shipped_calibration().threshold),
        shots_used=3,
        model_digest=deployment.model_digest,
        watchlist_digest=deployment.watchlist_digest,
        calibration_id=deployment.calibration_id,
        captured_at=store.now(),
        probe_jpeg=pictures[0].read_bytes(),
    )
    for at_once in (1, _ALERTS_AT_ONCE):
        raise_alerts(store, cast.operator, [sighting] * at_once)  # warm
        rates = []
        for _ in range(sizes.repeats):
            started = time.perf_counter()
            for _ in range(sizes.alerts // at_once):
                raise_alerts(store, cast.operator, [sighting] * at_once)
            rates.append(sizes.alerts // at_once * at_once / (time.perf_counter() - started))
        parity = _alert_parity(store, cast, folder)
        how = "one a transaction" if at_once == 1 else f"{at_once} a transaction"
        yield _row(
            f"alerts committed, {how}, {name}",
            rates,
            peer=float(target),
            peer_name="target",
            unit="alerts/s",
            met=median(rates) >= target,
            target=f"at least {target}/s",
            parity=parity,
        )


def _alert_parity(store: Store, cast: Cast, folder: Path) -> dict[str, Any]:
    """Whether every alert has its audit entry, and the chain verifies."""
    with store.database.read() as session:
        alerts = set(session.scalars(select(Alert.id)))
        logged = session.scalars(select(AuditEntry.object).where(AuditEntry.action == "alert.raise")).all()
        entries = session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.action == "alert.raise"))
    export = folder / "chain.jsonl"
    export_chain(store, force_chain(cast.operator.force_id), export)
    verdict = verify_export(export, public_key=store.signing.public_hex)
    return {
        "each_alert_logged_once": alerts == set(logged) and entries == len(alerts),
        "chain_verifies": verdict.intact and verdict.complete,
        "alerts": len(alerts),
    }


def _row(
    name: str,
    measured: Sequence[float],
    *,
    peer: float,
    peer_name: str,
    unit: str,
    met: bool,
    target: str,
    parity: dict[str, Any],
) -> dict[str, Any]:
    ours = median(measured)
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": peer,
        "peer_name": peer_name,
        "ratio": round(ours / peer, 3),
        "unit": unit,
        "parity": parity,
        "target": target,
        "met": met,
        "repeats": len(measured),
        "ours_spread": [round(min(measured), 3), round(max(measured), 3)],
    }
