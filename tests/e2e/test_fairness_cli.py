"""``lfr evaluate fairness`` as data scientists run it, on the demo faces."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lfr.evaluation import demo_faces as demo_manifest
from lfr.evaluation import lfw_manifest, write_manifest
from tests.e2e.test_cli import assert_one_clear_line, document, lfr


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "m.csv"
    write_manifest(demo_manifest(), path)
    return path


def test_too_little_data_is_the_verdict_and_not_an_error(manifest: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.html"
    words = ("evaluate", "fairness", "--manifest", manifest, "--by", "source_sex,source_ethnicity", "--report", report)
    found = document(lfr(*words, "--json", LFR_HOME=str(tmp_path / "home")))
    assert found["verdict"] == "not shown"
    assert any(reason.startswith("insufficient data: 80 non-mated subjects, 299 needed") for reason in found["reasons"])
    assert [group["group"] for group in found["groups"][:2]] == [{"source_sex": "F"}, {"source_sex": "M"}]
    for group in found["groups"]:
        assert set(group["tpir"]) >= {"value", "low", "high", "count", "of", "method"}
        assert isinstance(group["failures_to_acquire"], int)
    assert {"source_sex", "source_ethnicity"} == set(found["groups"][-1]["group"])
    assert "not shown" in report.read_text()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--by", "height"), "no group column 'height'"),
        ((), "--by"),
        (("--by", "source_sex", "--threshold", "0.4", "--calibration", "none.json"), "--threshold and --calibration"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(manifest: Path, more: tuple[str, ...], named: str) -> None:
    assert_one_clear_line(lfr("evaluate", "fairness", "--manifest", manifest, *more), named)


def test_lfw_differs_by_sex_in_false_alerts_and_its_ethnic_groups_are_too_small(tmp_path: Path) -> None:
    data = os.environ.get("LFR_EVAL_DATA")
    if not data:
        pytest.skip("LFR_EVAL_DATA is not set: LFW is needed")
    whole = lfw_manifest(Path(data) / "lfw")
    # A tenth of the people, so that it is quick; the whole is in the long tests.
    names = sorted(set(whole.subject_id.tolist()))[::10]
    write_manifest(whole[np.isin(whole.subject_id, names)], tmp_path / "m.csv")
    words = ("evaluate", "fairness", "--manifest", tmp_path / "m.csv", "--by", "sex,ethnicity", "--json")
    found = document(lfr(*words, LFR_HOME=str(tmp_path / "home")))
    assert found["verdict"] != "equitable"
    labels = {group["group"].get("sex") for group in found["groups"]}
    assert {"F", "M"} < labels
    assert sum(g["mated"] for g in found["groups"] if set(g["group"]) == {"sex"}) == found["mated"]
