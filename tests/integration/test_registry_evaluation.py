"""An embedder that is not ours, from its file to the gate's answer: the notebooks run on it, and it is refused."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lfr.errors import RegistryError
from lfr.evaluation import demo_faces, open_manifest, write_manifest
from lfr.models import Preprocessing
from lfr.registry import (
    RegisteredVersion,
    Tracking,
    evaluating,
    find_evidence,
    gate,
    list_versions,
    open_tracking,
    read_policy,
    register,
)
from lfr.registry.cards import CARDS, card_problems
from lfr.registry.evaluating import evaluate_version
from lfr.registry.model_card import version_card
from tests.integration.test_registry import small_embedder

DEMO: dict[str, Any] = {
    "data": {"dataset": "demo", "root": "", "manifest": ""}, "by": "source_sex", "fpir": 0.1, "watchlist_size": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tracking, RegisteredVersion]:
    home = tmp_path_factory.mktemp("foreign")
    tracking = open_tracking(home)
    wants = Preprocessing(mean=(127.5, 127.5, 127.5), std=(128.0, 128.0, 128.0), channels="bgr")
    version = register(
        tracking, onnx=small_embedder(home / "small.onnx"), preprocessing=wants, name="small", licence="CC0-1.0"
    )
    said: list[str] = []
    evaluate_version(tracking, version, home=home, said=said.append, **DEMO)
    assert len(said) == 5
    return tracking, version


def test_it_is_evaluated_as_any_other_but_for_a_reference_it_does_not_have(
    evaluated: tuple[Tracking, RegisteredVersion],
) -> None:
    evidence = find_evidence(*evaluated)
    assert set(evidence.digests) == {"evaluation", "calibration", "fairness", "benchmark"}
    of = evaluated[1].model_digest
    assert {digest for digest in evidence.model_digests.values() if digest} == {of}


@pytest.mark.parametrize("policy", ["demo", "field"])
def test_it_is_refused_with_what_is_missing_and_what_is_poor(
    evaluated: tuple[Tracking, RegisteredVersion], policy: str
) -> None:
    tracking, version = evaluated
    evidence = find_evidence(tracking, version, card_problems=card_problems(tracking, version))
    result = gate(evidence, read_policy(policy), model_digest=version.model_digest, now=datetime.now(UTC))
    assert not result.passed
    reasons = "\n".join(result.reasons)
    assert "parity evidence: there is none" in reasons
    assert "no model card of the embedder" in reasons
    assert "too few of the listed people are surely found" in reasons


def test_a_card_of_other_data_and_one_that_is_gone_stop_it(
    evaluated: tuple[Tracking, RegisteredVersion], tmp_path: Path
) -> None:
    assert card_problems(*evaluated) == card_problems(*evaluated, folder=CARDS)
    cards = Path(shutil.copytree(CARDS, tmp_path / "cards"))
    stale = cards / "datasets" / "demo_faces.md"
    text = stale.read_text(encoding="utf-8")
    stale.write_text(re.sub(r"^digest: .*$", f"digest: {'a' * 64}", text, flags=re.MULTILINE), encoding="utf-8")
    kinds = ("evaluation", "calibration", "fairness")
    found = "\n".join(card_problems(*evaluated, folder=cards))
    for kind in kinds:
        assert f"card 'demo_faces' is of data aaaaaaaaaaaa, the {kind} evidence of" in found
    stale.unlink()
    assert "\n".join(card_problems(*evaluated, folder=cards)).count("card 'demo_faces': cannot read") == len(kinds)


def test_its_card_has_its_figures_and_says_what_is_missing(evaluated: tuple[Tracking, RegisteredVersion]) -> None:
    tracking, version = evaluated
    text = version_card(tracking, version)
    evidence = find_evidence(tracking, version)
    assert evidence.calibration is not None
    assert f"{evidence.calibration.threshold:.4f}" in text
    assert "**no model card of the embedder" in text
    assert "made-up faces" in text
    assert "Cosine to the torch reference" not in text
    (listed,) = list_versions(tracking)
    shown = tracking.client.get_model_version("lfr-recogniser", str(listed.number)).description
    assert shown is not None
    assert shown.startswith("# Model card: small")


def test_mlflow_has_a_run_of_each_kind_with_figures_pages_and_where_the_data_are_from(
    evaluated: tuple[Tracking, RegisteredVersion],
) -> None:
    tracking, _ = evaluated
    runs = tracking.client.search_runs([tracking.experiment_id], "tags.`lfr.kind` = 'evidence'")
    kinds = {run.data.tags["lfr.evidence"]: run for run in runs}
    assert set(kinds) == {"evaluation", "calibration", "fairness", "benchmark"}
    for kind, figures in (("calibration", 1), ("fairness", 1)):
        names = [item.path for item in tracking.client.list_artifacts(kinds[kind].info.run_id, "figures")]
        assert len(names) >= figures, kind
        assert any(item.path.endswith(".html") for item in tracking.client.list_artifacts(kinds[kind].info.run_id)), (
            kind
        )
    assert {run.data.tags["lfr.data_card"] for run in runs} == {"demo_faces"}
    assert kinds["calibration"].data.metrics["threshold"] != 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"card": "nothing"}, "card 'nothing': cannot read"),
        ({"data": {"dataset": "", "root": "", "manifest": "some.csv"}}, "give --card"),
        ({"notebooks": Path("nowhere")}, "no such notebook"),
    ],
)
def test_evidence_is_not_logged_without_a_card_or_a_notebook(
    evaluated: tuple[Tracking, RegisteredVersion], tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    before = find_evidence(*evaluated).digests
    with pytest.raises(RegistryError, match=why):
        evaluate_version(*evaluated, home=tmp_path, **{**DEMO, **change})
    assert find_evidence(*evaluated).digests == before


def test_a_manifest_named_from_here_is_found_where_the_notebooks_run(
    evaluated: tuple[Tracking, RegisteredVersion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(demo_faces(), tmp_path / "mine.csv")
    monkeypatch.chdir(tmp_path)
    asked: list[dict[str, Any]] = []

    def executed(_: Path, folder: Path, parameters: dict[str, Any]) -> str:
        monkeypatch.chdir(folder)
        asked.append(parameters)
        raise RegistryError("as far as this")

    monkeypatch.setattr(evaluating, "_executed", executed)
    data = {"dataset": "", "root": "", "manifest": "mine.csv"}
    with pytest.raises(RegistryError, match="as far as this"):
        evaluate_version(*evaluated, home=tmp_path, **{**DEMO, "data": data, "card": "demo_faces"})
    assert len(open_manifest(manifest=asked[0]["manifest"])) == len(demo_faces())
