"""Which rules and lists a calibration answers for."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from lfr.deployments import calibration_named, served_fpir, shipped_calibration
from lfr.deployments.calibrations import check_calibration
from lfr.errors import CalibrationError, ModelMismatchError, RefusedError
from tests.integration.deployments_scene import MODEL, calibration, too_few

Fusion = Literal["max", "mean"]


@pytest.mark.parametrize(
    ("made_with", "shots", "fusion", "answer"),
    [
        ({"shots": 5, "fusion": "max"}, 5, "max", 0.001),
        ({"shots": 5, "fusion": "max"}, 2, "max", 0.001),
        ({"shots": 5, "fusion": "mean"}, 5, "mean", 0.001),
        ({"shots": 1, "fusion": "max"}, 1, "mean", 0.001),
        ({"shots": 1, "unit": "image"}, 1, "max", 0.001),
        ({"shots": 1, "unit": "image"}, 3, "max", 0.003),
        ({"shots": 1, "unit": "image"}, 3, "mean", 0.003),
        ({"shots": 1, "unit": "image", "target_fpir": 0.2}, 10, "max", 1.0),
        ({"shots": 5, "fusion": "max"}, 6, "max", "made for 5 shots"),
        ({"shots": 1, "fusion": "max"}, 2, "max", "made for 1 shots"),
        ({"shots": 5, "fusion": "max"}, 5, "mean", "not for their mean"),
        ({"shots": 5, "fusion": "mean"}, 5, "max", "not for their max"),
        ({"shots": 5, "fusion": "mean"}, 4, "mean", "a mean of 4 varies more"),
    ],
)
def test_the_rate_a_calibration_answers_for(
    made_with: dict[str, object], shots: int, fusion: Fusion, answer: float | str
) -> None:
    made = calibration(**made_with)
    if isinstance(answer, float):
        assert served_fpir(made, shots=shots, fusion=fusion) == pytest.approx(answer)
    else:
        with pytest.raises(RefusedError, match=answer):
            served_fpir(made, shots=shots, fusion=fusion)


def test_a_demo_may_do_with_too_few_data_but_not_with_another_model_or_a_larger_list() -> None:
    few = too_few(simulated=True, watchlist_size=10)
    check_calibration(few, demo=True, list_id="w", list_size=10, list_model_digest=MODEL)
    with pytest.raises(RefusedError, match="w: 11 entries"):
        check_calibration(few, demo=True, list_id="w", list_size=11, list_model_digest=MODEL)
    with pytest.raises(ModelMismatchError, match=f"{MODEL}.*{'00' * 32}"):
        check_calibration(few, demo=True, list_id="w", list_size=1, list_model_digest="00" * 32)


def test_a_calibration_is_named_shipped_or_by_its_file(tmp_path: Path) -> None:
    assert calibration_named("shipped", folder=tmp_path) == shipped_calibration()
    calibration().write(tmp_path / "mine.json")
    assert calibration_named("mine.json", folder=tmp_path) == calibration()
    with pytest.raises(CalibrationError, match=r"theirs\.json: cannot read"):
        calibration_named("theirs.json", folder=tmp_path)
