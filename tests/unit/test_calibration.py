"""A calibration file says what it is, and a changed one is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lfr.deployments import shipped_calibration
from lfr.errors import CalibrationError
from lfr.evaluation.demo_calibration import ScoredPass, calibration_from
from lfr.models import load_model
from lfr.statistics import clopper_pearson, clopper_pearson_upper
from lfr.types import Calibration
from lfr.vision import SEARCH_POLICY
from tests.integration.deployments_scene import calibration


def test_a_calibration_comes_back_from_its_file_with_the_same_digest(tmp_path: Path) -> None:
    made = calibration()
    made.write(tmp_path / "c.json")
    read = Calibration.read(tmp_path / "c.json")
    assert read == made
    assert read.digest == made.digest == json.loads((tmp_path / "c.json").read_text())["digest"]


def test_each_field_is_part_of_the_digest() -> None:
    made = calibration()
    changes = {
        "threshold": 0.5001,
        "shots": 4,
        "watchlist_size": 101,
        "simulated": True,
        "protocol": "another",
        "model_digest": "00" * 32,
        "created": datetime(2026, 1, 2, tzinfo=UTC),
    }
    assert len({made.digest, *(calibration(**{name: value}).digest for name, value in changes.items())}) == 8


def test_the_digest_outlives_a_spelling_of_the_same_time_in_another_zone(tmp_path: Path) -> None:
    made = calibration(created=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    made.write(tmp_path / "c.json")
    assert Calibration.read(tmp_path / "c.json").digest == made.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0.3}, "changed since it was made: it states digest"),
        ({"digest": "00" * 32}, "changed since it was made"),
        ({"digest": None}, "states digest None"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"unit": "frame"}, "unit"),
        ({"more": 1}, "more"),
        ({"created": "2026-01-01T00:00:00"}, "created"),
        ({"protocol": " "}, "protocol: must not be blank"),
        (
            {"fpir": {"value": 0.5, "low": 0, "high": 1, "count": 1, "of": 3, "method": "wilson"}},
            "0.5 in .* not 1 of 3",
        ),
        ({"fpir": {"value": 0.0, "low": 0, "high": 1, "count": 0, "of": 0, "method": "wilson"}}, "0 of 0"),
        ({"fpir": {"value": None, "low": None, "high": None, "count": 0, "of": 3, "method": "wilson"}}, "null"),
        ({"fpir": {"value": 1.0, "low": 0, "high": 1, "count": 4, "of": 3, "method": "wilson"}}, "4 of 3"),
    ],
)
def test_a_changed_or_malformed_calibration_is_refused_with_what_is_wrong(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.json"
    calibration().write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CalibrationError, match=message):
        Calibration.read(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", "\x00"])
def test_what_is_no_calibration_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    with pytest.raises(CalibrationError, match="cannot read"):
        Calibration.read(path)
    path.write_text(content)
    with pytest.raises(CalibrationError, match=f"{path}: no calibration"):
        Calibration.read(path)
    with pytest.raises(CalibrationError, match="cannot write"):
        calibration().write(tmp_path)


def test_nothing_of_a_calibration_can_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        calibration().threshold = 0.1


def test_the_shipped_calibration_is_of_the_default_model_and_this_pipeline() -> None:
    shipped = shipped_calibration()  # verifies the digest over its content
    assert shipped.model_version == "openvino-f32"
    assert shipped.model_digest == load_model(shipped.model_version).digest
    assert shipped.quality_policy == SEARCH_POLICY.name
    assert (shipped.unit, shipped.simulated, shipped.shots) == ("track", True, 5)


def test_the_shipped_calibration_claims_no_more_than_its_counts_show() -> None:
    shipped = shipped_calibration()
    assert shipped.verdict == "insufficient_data"
    assert clopper_pearson_upper(shipped.fpir.count, shipped.fpir.of) > shipped.target_fpir
    assert shipped.fpir.model_dump() == clopper_pearson(shipped.fpir.count, shipped.fpir.of).as_dict()
    assert shipped.subjects <= shipped.tpir.of
    assert shipped.non_mated_subjects <= shipped.fpir.of


def made_from(passes: list[ScoredPass]) -> Calibration:
    return calibration_from(
        passes,
        model_version="v",
        model_digest="00" * 32,
        dataset_digest="00" * 32,
        protocol="p",
        quality_policy="q",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_threshold_lies_just_over_the_strangers_and_misses_count_in_the_denominators() -> None:
    strangers = [ScoredPass(f"s{i}", mated=False, stranger=0.1 + i / 1000) for i in range(90)]
    lost = [ScoredPass(f"l{i}", mated=False) for i in range(9)]
    mates = [ScoredPass("a", mated=True, mate=0.6), ScoredPass("a", mated=True), ScoredPass("b", mated=True, mate=0.1)]
    made = made_from([*strangers, *lost, *mates])
    assert 0.189 < made.threshold < 0.1892
    assert (made.fpir.count, made.fpir.of, made.non_mated_subjects) == (0, 99, 99)
    assert (made.tpir.count, made.tpir.of, made.subjects) == (1, 3, 2)
    assert made.verdict == "insufficient_data"


def test_enough_strangers_make_a_sufficient_verdict_and_may_hold_a_few_false_alerts() -> None:
    strangers = [ScoredPass(f"s{i}", mated=False, stranger=i / 1000) for i in range(600)]
    made = made_from([*strangers, ScoredPass("a", mated=True, mate=0.7)])
    # One of 600 shows an FPIR under 0.0079, two of 600 only one under 0.0105.
    assert (made.fpir.count, made.verdict) == (1, "sufficient")
    some = [ScoredPass(f"t{i}", mated=False) for i in range(20_000)]
    many = made_from([*strangers, *some, ScoredPass("a", mated=True)])
    assert clopper_pearson_upper(many.fpir.count, 20_600) <= 0.01 < clopper_pearson_upper(many.fpir.count + 1, 20_600)
