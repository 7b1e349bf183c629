"""What the service is to reach, beside what a document of ``lfr bench serve --json`` says that it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lfr.errors import InputError
from lfr.evaluation.benchmarks.cameras import which_frames
from lfr.evaluation.benchmarks.growth import NATIONAL
from lfr.evaluation.benchmarks.parity import failed_parity
from lfr.evaluation.benchmarks.sizing import Wanted, plan
from lfr.evaluation.benchmarks.verdicts import Aim

__all__ = ["SERVICE_ROWS", "service_aims"]

SERVICE_ROWS = ("http", "feed", "paced", "matcher", "start", "installed")
"""Kinds of row of such a document; ``feed`` is there if the source was a video file."""

Row = Mapping[str, Any]

_STREET, _FULL_HD = "street_crowd_1080p", "1920x1080"
_DONE = {
    "http": "several frames on their way at once, and a detector that looks at as many as it has threads",
    "feed": "a camera that the service reads looks for faces in its own process, and crops go to the embedder",
    "paced": "tracker, gate and the alert's commit are in one process; answers are sent as they are written",
    "matcher": "an actor holds the list, and only a template and its scores cross; what is left is Ray's way there",
}
_FIRST_START_S, _FIRST_START_CORES = 33.9, 2
_START_DONE = "networks are made ready once and kept, a part loads its own, much is imported while Ray's node starts"
_THOUSAND = Wanted(cameras=1_000, fps=5.0, references=17_000, node_cores=32, node_gib=128.0, busy=0.7, core_hour=0.04)
_AGREES = 0.1
_AT_LEAST_FPS = 25.0


def service_aims(document: Mapping[str, Any], rows: Sequence[Row] = ()) -> list[Aim]:
    """Return the aims of the service.

    Parameters
    ----------
    document
        What ``lfr bench serve --json`` printed.
    rows
        Of ``lfr bench all``; those of a national list say what its searches take.

    Raises
    ------
    InputError
        An older lfr measured it, or what machines are reckoned from is not in it.
    """
    by_kind: dict[str, Row] = {row.get("kind", ""): row for row in document["rows"]}
    if not {"http", "start", "installed"} <= by_kind.keys():
        raise InputError("the service's document has no rows of each kind: an older lfr measured it, measure again")
    found = [_own_camera(by_kind.get("feed"))]
    found += [_of_row(by_kind[kind], done) for kind, done in _DONE.items() if kind in by_kind]
    found += [
        _start(by_kind["start"], cores=document["machine"]["cores"]),
        _memory(document["sizing"]["resident_mib"]),
        _installed(by_kind["installed"]),
    ]
    if document["sizing"]["matcher_mib_per_10000_entries"] is not None:
        found.append(_sized(document))
    return [*found, _national(by_kind["http"], rows)]


def _own_camera(row: Row | None) -> Aim:
    street = row is not None and row["data"] == _STREET and _FULL_HD in row["name"]
    return Aim(
        "one stream read by the service: the 1080p street crowd",
        f"{_AT_LEAST_FPS:g} frames/s, as many people and the same alerts as in one process",
        f"{_said(row)}, faces found in {which_frames(row['detect_every'])}" if row is not None and street else "",
        _same(row) and row["ours"] >= _AT_LEAST_FPS if row is not None and street else None,
        "decoding, detection and tracking in the camera's own process, best shots embedded beside it; `--detect-every`",
    )


def _of_row(row: Row, done: str) -> Aim:
    return Aim(row["name"], row["aim"], _said(row), row["reached"] and _same(row), done)


def _said(row: Row) -> str:
    unit = row["unit"].partition(",")[0]
    rate = f"{row['ours']:.1f} {unit} with `{row['version']}`"
    return f"{rate}, one process {row['peer']:.1f}: {row['ratio']:.2f}"


def _same(row: Row) -> bool:
    return not failed_parity([row])


def _start(row: Row, *, cores: int) -> Aim:
    stages = ", ".join(f"{name.replace('_', ' ')} {seconds:.1f}" for name, seconds in row["start"]["stages_s"].items())
    return Aim(
        "`lfr serve` to its first answer",
        f"on {_FIRST_START_CORES} cores half of the {_FIRST_START_S:g} s that it once took",
        f"{row['ours']:.1f} s on {cores}: {stages}",
        row["ours"] <= _FIRST_START_S / 2 and _same(row) if cores <= _FIRST_START_CORES else None,
        _START_DONE,
    )


def _memory(resident_mib: Mapping[str, float]) -> Aim:
    return Aim(
        "resident memory of each of the service's processes",
        "listed",
        ", ".join(f"{part} {mib:.0f} MiB" for part, mib in resident_mib.items()),
        None,
        "networks that were made ready are read without torch",
    )


def _installed(row: Row) -> Aim:
    return Aim(
        row["name"],
        "httpx and what it needs",
        f"{row['ours']:.1f} MiB with {', '.join(row['packages'])}; {row['peer_name']}: {row['peer']:,.0f} MiB",
        _same(row),
        "`lfr.client` imports nothing else of lfr, and nothing else than httpx; the dependency group `client`",
    )


def _sized(document: Mapping[str, Any]) -> Aim:
    found = plan(document, _THOUSAND)
    share = found.reckoned_frames_s / found.measured_frames_s
    return Aim(
        f"machines for {_THOUSAND.cameras:,} cameras at {_THOUSAND.fps:g} frames/s, a list of {_THOUSAND.references:,}",
        f"reckoned, and within {_AGREES:.0%} of what the measured machine did",
        f"{found.nodes:,} of {_THOUSAND.node_cores} cores and {_THOUSAND.node_gib:g} GiB; a camera and hour "
        f"{found.camera_hour:.4f} where a core and hour is {_THOUSAND.core_hour:g}; {share - 1:+.0%}",
        abs(share - 1) <= _AGREES,
        "`lfr bench size`, from what a frame, a search, a camera and a list were measured to take",
    )


def _national(http: Row, rows: Sequence[Row]) -> Aim:
    longest = next((row for row in rows if row.get("references") == NATIONAL and "p50_ms" in row), None)
    measured = ""
    if longest is not None:
        each_ms = longest["p50_ms"] * longest["threads"]
        cores = _THOUSAND.cameras * _THOUSAND.fps * http["searches_per_frame"] * each_ms / 1000
        held_gib = (longest["memory_mib"] + longest["screen_mib"]) / 1024
        measured = (
            f"{cores:,.0f} cores for its searches alone, {http['searches_per_frame']:g} a frame of {each_ms:.0f} ms of "
            f"a core each, and {held_gib:.1f} GiB of each machine that holds it"
        )
    return Aim(
        f"searches of {_THOUSAND.cameras:,} cameras at {_THOUSAND.fps:g} frames/s in a national list of {NATIONAL:,}",
        "reckoned",
        measured,
        None,
        "exact search in bytes first; the service does not search so: it compares in float32, in parts of 50,000, and "
        "gives a camera every score, which is made for lists like the one above and not for this",
    )
