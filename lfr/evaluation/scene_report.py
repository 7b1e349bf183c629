"""The report of a rehearsal scene: one HTML page that needs nothing else.

Only for simulated scenes with made-up people: it holds pictures of faces.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from lfr.errors import InputError
from lfr.evaluation.scene import PassOutcome, SceneScore
from lfr.pipeline import AlertProposal
from lfr.statistics import Rate
from lfr.types import Pixels

__all__ = ["AlertPicture", "write_report"]

_ROW_PX, _LEFT_PX, _WIDTH_PX = 22, 118, 1040


@dataclass(frozen=True, eq=False)
class AlertPicture:
    """An alert with what an operator compares.

    Attributes
    ----------
    alert
        The proposal.
    probe, reference
        BGR pictures of the face seen and of the reference enrolled.
    """

    alert: AlertProposal
    probe: Pixels
    reference: Pixels


def write_report(
    path: Path,
    score: SceneScore,
    *,
    pictures: Sequence[AlertPicture],
    preview: Sequence[Pixels],
    preview_fps: float,
    facts: dict[str, str],
) -> None:
    """Write the page.

    Parameters
    ----------
    path
        The HTML file; replaced if it is there.
    score
        The result of the scene.
    pictures
        One for each alert, in order of time.
    preview, preview_fps
        Pictures of the scene as an operator may see it, and how fast they follow each other.
    facts
        Rows of the table of settings: model, digest, threshold and so on.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lfr.evaluation"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    by_alert = {id(alert): outcome for outcome in score.passes for alert in outcome.alerts}
    page = environment.get_template("scene.html").render(
        score=score,
        tpir=_rate_words(score.tpir),
        fpir=_rate_words(score.fpir),
        times=_time_words(score),
        facts=facts,
        timeline=_timeline(score),
        preview=_animation(preview, preview_fps) if preview else None,
        alerts=[_alert_view(picture, by_alert.get(id(picture.alert))) for picture in pictures],
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot write the report: {error.strerror}") from error


def _rate_words(rate: Rate) -> dict[str, str]:
    if rate.value is None or rate.low is None or rate.high is None:
        return {"value": "none", "detail": "no such pass"}
    return {
        "value": f"{rate.value:.0%}",
        "detail": f"{rate.count} of {rate.of} passes, 95% interval {rate.low:.0%} to {rate.high:.0%}",
    }


def _time_words(score: SceneScore) -> dict[str, str]:
    times = [t for outcome in score.passes if (t := outcome.time_to_alert_s) is not None]
    if not times:
        return {"value": "none", "detail": "no alert for the person who walked"}
    return {"value": f"{np.median(times):.1f} s", "detail": f"median of {len(times)}, longest {max(times):.1f} s"}


def _timeline(score: SceneScore) -> dict[str, Any]:
    """Positions in pixels of one bar for each pass and one mark for each alert."""
    end_s = max([outcome.last_s for outcome in score.passes], default=1.0) or 1.0

    def x(time_s: float) -> float:
        return round(_LEFT_PX + (_WIDTH_PX - _LEFT_PX - 12) * time_s / end_s, 1)

    bars = [
        {
            "y": _ROW_PX * i,
            "x": x(outcome.first_s),
            "width": max(2.0, round(x(outcome.last_s) - x(outcome.first_s), 1)),
            "kind": _kind(outcome),
            "outcome": outcome,
            "marks": [
                {"x": x(a.time_s), "alert": a, "correct": a.subject_id == outcome.subject_id} for a in outcome.alerts
            ],
        }
        for i, outcome in enumerate(score.passes)
    ]
    step = next((s for s in (5, 10, 20, 30, 60, 120, 300, 600) if end_s / s <= 12), 1200)
    ticks = [{"x": x(t), "label": f"{t} s"} for t in range(0, int(end_s) + 1, step)]
    return {"bars": bars, "ticks": ticks, "height": _ROW_PX * len(bars) + 28, "width": _WIDTH_PX, "row": _ROW_PX}


def _kind(outcome: PassOutcome) -> str:
    if outcome.listed:
        return "hit" if outcome.recognised else "miss"
    return "false" if outcome.alerts else "other"


def _alert_view(picture: AlertPicture, outcome: PassOutcome | None) -> dict[str, Any]:
    alert = picture.alert
    walked = outcome.subject_id if outcome else None
    return {
        "alert": alert,
        "probe": _png(picture.probe),
        "reference": _png(picture.reference),
        "correct": walked == alert.subject_id,
        "walked": walked or "nobody: no face was there",
        "after": f"{alert.time_s - outcome.first_s:.1f} s after first in view" if outcome else "",
    }


def _png(pixels: Pixels) -> str:
    return _data_uri("image/png", cv2.imencode(".png", pixels)[1].tobytes())


def _animation(frames: Sequence[Pixels], fps: float) -> str:
    animation = cv2.Animation()
    animation.frames = list(frames)
    animation.durations = [round(1000 / fps)] * len(frames)
    _, content = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, 55])
    return _data_uri("image/webp", np.asarray(content).tobytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
