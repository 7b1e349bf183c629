"""Whether a calibration covers what a deployment asks for, and the one that comes with lfr."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from lfr.errors import CalibrationError, ModelMismatchError, RefusedError
from lfr.statistics import clopper_pearson_upper
from lfr.types import Calibration
from lfr.vision import SEARCH_POLICY

__all__ = ["SHIPPED", "calibration_named", "check_calibration", "served_fpir", "shipped_calibration"]

SHIPPED = "shipped"
"""How a request names the calibration that comes with lfr."""


def shipped_calibration() -> Calibration:
    """The calibration that comes with lfr: the default model, simulated passes of the demo faces.

    Its verdict is ``insufficient_data``, so it serves demonstrations only.

    Raises
    ------
    CalibrationError
        The file is missing or was changed.
    """
    return Calibration.read(Path(str(files("lfr.deployments") / "demo_calibration.json")))


def calibration_named(name: str, *, folder: Path) -> Calibration:
    """Return the calibration called `SHIPPED`, or the one in a file.

    Raises
    ------
    CalibrationError
        There is none, or it was changed.
    """
    return shipped_calibration() if name == SHIPPED else Calibration.read(folder / name)


def served_fpir(calibration: Calibration, *, shots: int, fusion: Literal["max", "mean"]) -> float:
    """Return the FPIR that the calibration answers for when a rule uses its threshold.

    That is its target, with one exception: calibrated from single images,
    each a pass, it serves a rule of k shots at k times its target. An alert
    needs one of the k scores at or over the threshold, whether the rule takes
    their best or their mean, so by the union bound it is no more likely than
    the k together.

    Raises
    ------
    RefusedError
        The rule is not the one calibrated.
    """
    where = f"calibration {calibration.digest[:12]}"
    if calibration.unit == "image":
        return min(1.0, calibration.target_fpir * shots)
    if shots > calibration.shots:
        raise RefusedError(f"{where}: made for {calibration.shots} shots a track, the deployment asks for {shots}")
    if calibration.shots > 1 and fusion != calibration.fusion:
        raise RefusedError(f"{where}: made for the {calibration.fusion} of a track's scores, not for their {fusion}")
    if calibration.fusion == "mean" and shots < calibration.shots:
        raise RefusedError(
            f"{where}: made for the mean of {calibration.shots} shots; a mean of {shots} varies more and is not covered"
        )
    return calibration.target_fpir


def check_calibration(
    calibration: Calibration,
    *,
    demo: bool,
    list_id: str,
    list_size: int,
    list_model_digest: str,
) -> None:
    """Raise unless the calibration may be used with a watchlist.

    Parameters
    ----------
    calibration
        The calibration.
    demo
        Whether the deployment is a demonstration, which alone may do with too few data.
    list_id, list_size, list_model_digest
        The watchlist, its entries, and the model that made its templates.

    Raises
    ------
    ModelMismatchError
        The list was enrolled with another model.
    RefusedError
        The list is larger than calibrated for (R3), or the calibration is not good enough.
    CalibrationError
        It claims more than its counts show, or was made behind another quality gate.
    """
    where = f"calibration {calibration.digest[:12]}"
    if calibration.model_digest != list_model_digest:
        raise ModelMismatchError(
            f"{where} is of model {calibration.model_digest}, {list_id} was enrolled with model {list_model_digest}"
        )
    if list_size > calibration.watchlist_size:
        raise RefusedError(
            f"{list_id}: {list_size} entries, but {where} was made with {calibration.watchlist_size}; "
            "the false alerts of a larger list are not known"
        )
    if calibration.quality_policy != SEARCH_POLICY.name:
        raise CalibrationError(
            f"{where}: made behind quality gate {calibration.quality_policy}, cameras use {SEARCH_POLICY.name}"
        )
    upper = clopper_pearson_upper(calibration.fpir.count, calibration.fpir.of)
    if calibration.verdict == "sufficient" and upper > calibration.target_fpir:
        raise CalibrationError(
            f"{where}: says sufficient, but {calibration.fpir.count} of {calibration.fpir.of} passes show no FPIR "
            f"under {upper:.3g}, and its target is {calibration.target_fpir:.3g}"
        )
    if demo:
        return
    if calibration.verdict != "sufficient":
        raise RefusedError(
            f"{where}: its verdict is {calibration.verdict} ({calibration.fpir.of} non-mated passes); "
            "only a deployment marked demo may use it"
        )
    if calibration.simulated:
        raise RefusedError(f"{where}: made from simulated passes; only a deployment marked demo may use it")
