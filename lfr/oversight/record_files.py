"""The deployment record as CSV, JSON and a page to print."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from lfr.errors import InputError
from lfr.oversight.record import CameraRecord, DeploymentRecord
from lfr.statistics import Rate

__all__ = ["Format", "record_text", "write_record"]

Format = Literal["csv", "json", "html"]

_SHARED = (
    "date", "place", "start", "end", "watchlist_size", "categories", "threshold", "model",
)  # fmt: skip
_FIGURES = (
    "faces_seen", "alerts", "true_alerts", "false_alerts", "confirmed_true", "confirmed_false", "engagements",
    "arrests", "other_outcomes", "unadjudicated",
)  # fmt: skip
_COLUMNS = 4
_ALL = "all"
_RATES = ("false_alerts_per_face", "false_alerts_per_alert", "tpir")


def write_record(found: DeploymentRecord, path: Path, *, file_format: Format) -> None:
    """Write a record to a file, wholly or not at all.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(record_text(found, file_format), encoding="utf-8", newline="")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def record_text(found: DeploymentRecord, file_format: Format) -> str:
    """Return a record as text: CSV with a row for each camera and one for all, JSON, or a self-contained page."""
    if file_format == "json":
        return json.dumps(found.as_dict(), indent=2, ensure_ascii=False) + "\n"
    return _csv(found) if file_format == "csv" else _html(found)


def _csv(found: DeploymentRecord) -> str:
    document = found.as_dict()
    ends = [f"{rate}_{part}" for rate in _RATES for part in ("value", "low", "high", "count", "of")]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, ["deployment_id", "notice", "force", "state", "camera", *_SHARED, *_FIGURES, *ends])
    writer.writeheader()
    for camera in (*found.cameras, found.total):
        row: dict[str, Any] = {name: document[name] for name in ("deployment_id", "notice", "force", "state")}
        row["camera"] = camera.camera
        row |= {name: document[name] for name in _SHARED} | {"categories": "; ".join(found.categories)}
        figures = camera.as_dict()
        row |= {name: figures[name] for name in _FIGURES}
        for rate in _RATES:
            parts = figures[rate] or {}
            row |= {f"{rate}_{part}": parts.get(part) for part in ("value", "low", "high", "count", "of")}
        writer.writerow({name: _safe(value) for name, value in row.items()})
    return buffer.getvalue()


def _safe(value: object) -> object:
    """Keep a spreadsheet from running what a field of text begins with."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _html(found: DeploymentRecord) -> str:
    environment = Environment(
        loader=PackageLoader("lfr.oversight"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = _share
    environment.filters["camera_name"] = lambda camera: "all cameras" if camera == _ALL else camera
    rows: list[tuple[str, str]] = [
        ("faces seen", "faces_seen"),
        ("alerts", "alerts"),
        ("true alerts", "true_alerts"),
        ("false alerts", "false_alerts"),
        ("confirmed true", "confirmed_true"),
        ("confirmed false", "confirmed_false"),
        ("engagements", "engagements"),
        ("arrests", "arrests"),
        ("other outcomes", "other_outcomes"),
        ("not adjudicated", "unadjudicated"),
    ]
    return environment.get_template("record.html").render(found=found, tables=_tables(found), rows=rows)


def _tables(found: DeploymentRecord) -> list[tuple[CameraRecord, ...]]:
    """Return the columns of each table: all cameras together first, as many side by side as a page holds."""
    columns = (found.total, *found.cameras) if len(found.cameras) > 1 else (found.total,)
    return [columns[first : first + _COLUMNS] for first in range(0, len(columns), _COLUMNS)]


def _share(rate: Rate | None) -> tuple[str, ...]:
    """Return a rate as the lines of a cell: counts, share, interval."""
    if rate is None:
        return ("no trial",)
    counted = f"{rate.count:,} of {rate.of:,}"
    if rate.value is None or rate.low is None or rate.high is None:
        return (counted, "no share")
    return (counted, _percent(rate.value), f"{_percent(rate.low)} to {_percent(rate.high)}")


def _percent(value: float) -> str:
    return f"{100 * value:.4f}%" if 0 < value < 0.001 else f"{100 * value:.2f}%"
