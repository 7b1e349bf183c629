"""What the service is to reach, beside what a document of ``lfr bench serve --json`` says that it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lfr.evaluation.benchmarks.growth import NATIONAL
from lfr.evaluation.benchmarks.match import REFERENCES
from lfr.evaluation.benchmarks.sizing import Plan, Wanted, plan
from lfr.evaluation.benchmarks.verdicts import Aim

__all__ = ["SERVICE_ROWS", "service_aims"]

SERVICE_ROWS = ("http", "feed", "paced", "matcher", "start", "installed")
"""Kinds of row of such a document; ``feed`` is there if the source was a video file."""

_FULL_HD = "1920x1080 video"
_DONE = {
    "http": "several frames on their way at once, and a detector that looks at as many as it has threads",
    "feed": "a camera that the service reads looks for faces where the pixels are, and only crops leave its process",
    "paced": "the tracker, the gate and the alert's commit are in one process; answers are sent as they are written",
    "matcher": "an actor holds the list, and only a template and its scores cross; what is left is Ray's way there",
}
_FIRST_START_S = 33.9  # on two cores, before the start was looked at
_START_DONE = (
    "the networks are made ready once and kept, imports come while Ray's node starts, each part loads the one network "
    "that it needs"
)
_THOUSAND = Wanted(
    cameras=1_000, fps=5.0, references=REFERENCES[1], node_cores=32, node_gib=128.0, busy=0.7, core_hour=0.04
)
_AGREES = 0.1
_AT_LEAST_FPS = 25.0


def service_aims(document: Mapping[str, Any]) -> list[Aim]:
    """Return the aims of the service.

    Parameters
    ----------
    document
        What ``lfr bench serve --json`` printed.

    Raises
    ------
    InputError
        What machines are reckoned from is not in it.
    """
    rows = {row["kind"]: row for row in document["rows"]}
    found = [_own_camera(rows.get("feed"))]
    found += [_of_row(rows[kind], done) for kind, done in _DONE.items() if kind in rows]
    found += [_start(rows["start"]), _memory(document["sizing"]["resident_mib"]), _installed(rows["installed"])]
    if document["sizing"]["matcher_mib_per_10000_entries"] is not None:
        at = next((i for i, row in enumerate(document["rows"]) if row["kind"] == "feed"), 0)
        found += _sized(document, at)
    return found


def _own_camera(row: Mapping[str, Any] | None) -> Aim:
    measured = row is not None and row["name"].startswith(_FULL_HD)
    same = measured and all(row["parity"][name] for name in ("same_people", "same_alerts")) if row else False
    return Aim(
        "one stream read by the service: the 1080p street crowd",
        f"{_AT_LEAST_FPS:g} frames/s, as many people and the same alerts as in one process",
        _said(row) if row and measured else "",
        row["ours"] >= _AT_LEAST_FPS and same if row and measured else None,
        "decoding, detection and tracking in the camera's process, best shots embedded beside it; `--detect-every`",
    )


def _of_row(row: Mapping[str, Any], done: str) -> Aim:
    return Aim(row["name"], row["aim"], _said(row), row["reached"], done)


def _said(row: Mapping[str, Any]) -> str:
    unit = row["unit"].partition(",")[0]
    rate = f"{row['ours']:.1f} {unit} with `{row['version']}`"
    return f"{rate}, one process {row['peer']:.1f}: {row['ratio']:.2f}"


def _start(row: Mapping[str, Any]) -> Aim:
    stages = ", ".join(f"{name.replace('_', ' ')} {seconds:.1f}" for name, seconds in row["start"]["stages_s"].items())
    return Aim(
        "`lfr serve` to its first answer",
        f"half of the {_FIRST_START_S:g} s that it once took on two cores",
        f"{row['ours']:.1f} s: {stages}",
        row["ours"] <= _FIRST_START_S / 2,
        _START_DONE,
    )


def _memory(resident_mib: Mapping[str, float]) -> Aim:
    return Aim(
        "resident memory of each of the service's processes",
        "listed",
        ", ".join(f"{part} {mib:.0f} MiB" for part, mib in resident_mib.items()),
        None,
        "graphs that were made ready are read without torch, and a process imports what its part needs",
    )


def _installed(row: Mapping[str, Any]) -> Aim:
    return Aim(
        row["name"],
        "httpx and what it needs",
        f"{row['ours']:.1f} MiB with {', '.join(row['packages'])}; {row['peer_name']}: {row['peer']:,.0f} MiB",
        row["parity"]["ran"],
        "`lfr.client` imports nothing else of lfr, and nothing else than httpx; the dependency group `client`",
    )


def _sized(document: Mapping[str, Any], row: int) -> Sequence[Aim]:
    done = "`lfr bench size`, from what a frame, a search, a camera and a list were measured to take"
    known = plan(document, _THOUSAND, row=row)
    share = known.reckoned_frames_s / known.measured_frames_s
    national = plan(document, Wanted(**{**_THOUSAND.__dict__, "references": NATIONAL}), row=row)
    return (
        Aim(
            f"machines for {_THOUSAND.cameras:,} cameras at {_THOUSAND.fps:g} frames/s, a list of "
            f"{_THOUSAND.references:,}",
            f"reckoned, and within {_AGREES:.0%} of what the measured machine did",
            f"{_machines(known)}; {share - 1:+.0%}",
            abs(share - 1) <= _AGREES,
            done,
        ),
        Aim(
            f"the same with a national list of {NATIONAL:,}",
            "reckoned",
            f"{_machines(national)}; searches are {national.search_core_ms:.0f} of a frame's "
            f"{national.frame_core_ms:.0f} ms of a core, the list is {national.list_gib:.0f} GiB of each machine",
            None,
            f"{done}; that searches share a machine's memory is not reckoned",
        ),
    )


def _machines(found: Plan) -> str:
    return (
        f"{found.nodes:,} of {_THOUSAND.node_cores} cores and {_THOUSAND.node_gib:g} GiB; a camera and hour "
        f"{found.camera_hour:.4f} where a core and hour is {_THOUSAND.core_hour:g}"
    )
