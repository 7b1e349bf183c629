"""A measure gains where it refuses those that would be missed; the gate earns its place where that is shown."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lfr.errors import ManifestError
from lfr.evaluation import QualityDiscard, Searches, evaluate_quality, run_searches
from lfr.types import FloatArray
from lfr.vision import MEASURES, Quality
from tests.unit.evaluation.builders import calibratable, made_manifest, made_templates

POSE, SHARP, DARK = (MEASURES.index(name) for name in ("HeadPose", "Sharpness", "UnderExposurePrevention"))


def searched(*, missed: int = 40, of: int = 400) -> Searches:
    """Mated searches of which the first are missed; pose says so, sharpness the opposite, exposure nothing."""
    rng = np.random.default_rng(0)
    subjects = [f"s{i}" for i in range(of)]
    own = np.eye(of + 1)[:of]
    probes = own.copy()
    probes[:missed] = np.eye(of + 1)[of]  # alike to nobody
    manifest = made_manifest([*subjects, *subjects, "stranger"], references=of)
    vectors = np.concatenate([own, probes, np.ones((1, of + 1))])
    quality = rng.uniform(60, 90, (len(vectors), len(MEASURES))).astype(np.float32)
    quality[of : of + missed, POSE] = 10
    quality[of : of + missed, SHARP] = 95
    return run_searches(made_templates(manifest, vectors, quality=quality))


def evaluated(searches: Searches) -> QualityDiscard:
    return evaluate_quality(searches, threshold=0.5, rng=np.random.default_rng(0), replicates=200)


def test_the_measure_that_tells_gains_all_and_the_one_that_misleads_less_than_nothing() -> None:
    result = evaluated(searched())
    by_name = {curve.measure: curve for curve in result.curves}
    assert result.curves[0].measure == "HeadPose"
    assert by_name["HeadPose"].gain == pytest.approx(1.0, abs=0.01)
    assert by_name["Sharpness"].high < 0
    others = [by_name[name] for name in MEASURES if name not in {"HeadPose", "Sharpness"}]
    assert all(abs(curve.gain) < 0.2 for curve in others)
    assert sum(curve.low < 0 < curve.high for curve in others) >= 4  # of five, each with 95%
    assert result.fnir.value == 0.1
    assert by_name["HeadPose"].fnir[[0, 10, 20]] == pytest.approx([0.1, 20 / 380, 0.0])
    assert by_name["HeadPose"].area == pytest.approx(0.00517, abs=1e-4)
    assert result.to_pandas()["measure"].tolist() == [curve.measure for curve in result.curves]
    assert json.loads(result.to_json())["gate"]["verdict"] == "earns its place"
    assert "the gate search-1: earns its place" in result._repr_html_()
    (axes,) = result.plot_discard().axes
    assert "at random" in axes.get_legend_handles_labels()[1]


def test_the_gate_earns_its_place_where_those_it_refuses_would_be_missed() -> None:
    gate = evaluated(searched()).gate
    assert gate.verdict == "earns its place"
    assert (gate.refused.count, gate.missed_if_refused.value, gate.missed_if_kept.value) == (40, 1.0, 0.0)
    assert dict(gate.refused_by)["HeadPose"] == 40
    document = gate.as_dict()
    assert document["difference"]["low"] > 0.8


def test_a_gate_that_refuses_nobody_shows_nothing() -> None:
    gate = evaluated(run_searches(calibratable())).gate
    assert gate.verdict == "not shown"
    assert (gate.refused.count, gate.missed_if_refused.value) == (0, None)
    assert gate.as_dict()["difference"] == {"low": None, "high": None}


def test_faces_not_assessed_are_refused_first_and_those_not_acquired_are_no_part_of_the_curve() -> None:
    searches = searched()
    values: FloatArray = searches.quality.values.copy()
    values[:40, DARK] = np.nan
    acquired = searches.acquired.copy()
    acquired[-5:-1] = False
    result = evaluated(replace(searches, quality=Quality(values), acquired=acquired))
    by_name = {curve.measure: curve for curve in result.curves}
    assert by_name["UnderExposurePrevention"].gain == pytest.approx(1.0, abs=0.01)
    assert (result.failures_to_acquire, result.fnir.of) == (4, 396)


def test_where_nobody_is_missed_there_is_no_gain_to_speak_of() -> None:
    document = evaluated(searched(missed=0)).as_dict()
    assert {row["gain"] for row in document["measures"]} == {None}
    assert document["fnir"]["count"] == 0
    searches = searched()
    with pytest.raises(ManifestError, match="no mated search gave a face"):
        evaluated(replace(searches, acquired=np.zeros_like(searches.acquired)))
