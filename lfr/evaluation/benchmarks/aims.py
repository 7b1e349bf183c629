"""What lfr is to reach, beside what a benchmark document says that it does: reached or not, and what is done for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lfr.evaluation.benchmarks.cameras import which_frames
from lfr.evaluation.benchmarks.device import DEVICE_BATCH, DEVICE_PROBES, DEVICE_REFERENCES, device_names
from lfr.evaluation.benchmarks.service import service_aims
from lfr.evaluation.benchmarks.strides import TPIR_LOST, tpir_said
from lfr.evaluation.benchmarks.verdicts import Aim

__all__ = ["aims"]

Row = Mapping[str, Any]


def aims(document: Mapping[str, Any]) -> list[Aim]:
    """Return every aim, with the best of the rows that measured it.

    Parameters
    ----------
    document
        Of `lfr bench all --json`; under ``service`` that of `lfr bench serve --json`, if there is one.

    Raises
    ------
    InputError
        As `service_aims`.
    """
    rows: Sequence[Row] = document["rows"]
    return [
        _one_stream(rows),
        *_cameras(rows),
        *_strides(rows),
        *_embedder(rows),
        _matcher(rows),
        *(_start(rows, name, at_most) for name, at_most in _STARTS.items()),
        *(_gpu(rows, *one) for one in _GPU),
        *(service_aims(document["service"], rows) if "service" in document else ()),
    ]


_STARTS = {"lfr --help": 0.3, "import lfr": 0.1, "lfr detect, one picture": 2.0}
_STARTS_DONE = {
    "lfr --help": "commands are imported when they run, and what they need when they need it",
    "import lfr": "the package imports nothing",
    "lfr detect, one picture": "from the second time on the detector comes from the user's cache, without torch",
}
_FULL_HD = (1920, 1080)
_GPU = tuple(
    zip(
        ("faces embedded, batch 256", "1080p through detector and alignment", "4,096 probes against 17,000 references"),
        ("80,000 a second", "2,000 frames/s", "under 1 ms"),
        device_names(DEVICE_BATCH, _FULL_HD, DEVICE_PROBES, DEVICE_REFERENCES),
        (80_000.0, 2_000.0, 1_000.0 * DEVICE_PROBES),
        strict=True,
    )
)


def _one_stream(rows: Sequence[Row]) -> Aim:
    found = _best((row for row in rows if row["name"] == "street_crowd_1080p"), "ours")
    return Aim(
        "one stream in one process: the 1080p street crowd",
        "25 frames/s, 95% of OpenCV's faces covered, the same alerts",
        f"{found['ours']:.1f} frames/s with `{found['version']}`, {_share(found['parity']['coverage'])} covered"
        if found
        else "",
        found["ours"] >= 25 and (found["parity"]["coverage"] or 0) >= 0.95 and found["parity"]["same_alerts"]
        if found
        else None,
        "colours and numbers turned in the compiled graph, a core for each of several frames, decoding on a thread, "
        "faces found in every 2nd frame, only the best shots of a track embedded",
    )


def _cameras(rows: Sequence[Row]) -> list[Aim]:
    counted = [row for row in rows if "at_12_fps" in row]
    found = []
    for stride in sorted({row["detect_every"] for row in counted}) or [1]:
        best = _best((row for row in counted if row["detect_every"] == stride), "ours")
        found.append(
            Aim(
                f"720p cameras at 12 frames/s in one process, faces found in {which_frames(stride)}",
                "as many as there is room for",
                f"{best['at_12_fps']} on {best['threads']} cores with `{best['version']}`" if best else "",
                None,
                "each frame on one core, one model for all, a tracker each",
            )
        )
    return found


def _strides(rows: Sequence[Row]) -> list[Aim]:
    measured = [row for row in rows if "stride" in row]
    return [_stride(row["stride"], row["parity"]) for row in measured] or [_stride(2, None)]


def _stride(stride: int, said: Row | None) -> Aim:
    return Aim(
        f"TPIR on simulated streets, faces found in {which_frames(stride)}",
        f"within {100 * TPIR_LOST:g} point of every frame's",
        tpir_said(said) if said else "",
        said["tpir_lost"] <= TPIR_LOST if said else None,
        "tracks are carried on by their own motion between the frames",
    )


def _embedder(rows: Sequence[Row]) -> list[Aim]:
    batched = [row for row in rows if row["name"] in ("embed, batch 8", "embed, batch 32") and "roofline" in row]
    found = []
    for version in dict.fromkeys(row["version"] for row in batched) or [""]:
        of_version = [row for row in batched if row["version"] == version]
        shares = [row["roofline"]["share_of_operations"] for row in of_version]
        rates = " and ".join(f"{row['ours']:.0f}" for row in of_version)
        found.append(
            Aim(
                f"embedder `{version}`, batch 8 and 32" if version else "embedder, batch 8 and 32",
                "50% of what a product of matrices reaches in the same precision",
                f"{' and '.join(map(_share, shares))}, {rates} faces/s" if shares else "",
                min(shares) >= 0.5 if shares else None,
                "one compiled graph for a batch, layout and weights as OpenVINO packs them for the processor",
            )
        )
    return found


def _matcher(rows: Sequence[Row]) -> Aim:
    of_million = (
        row for row in rows if row.get("references") == 1_000_000 and row.get("probes") == 1 and "roofline" in row
    )
    found = _best(of_million, "ours")
    return Aim(
        "matcher, 1,000,000 references, one probe",
        "70% of what memory gives",
        f"{_share(found['roofline']['share_of_bytes'])}, {1e3 / found['ours']:.0f} ms" if found else "",
        found["roofline"]["share_of_bytes"] >= 0.7 if found else None,
        "one product over float32 in parts; `list of 1,000,000` searches in bytes first, which reads a quarter",
    )


def _start(rows: Sequence[Row], name: str, at_most: float) -> Aim:
    found = next((row for row in rows if row["name"] == name), None)
    return Aim(
        f"`{name}`",
        f"{at_most:g} s",
        f"{found['took_s']:.2f} s, {found['peak_mib']:.0f} MiB" if found else "",
        found["took_s"] < at_most if found else None,
        _STARTS_DONE[name],
    )


def _gpu(rows: Sequence[Row], what: str, aim: str, name: str, over: float) -> Aim:
    found = _best((row for row in rows if row["name"] == name and row.get("device") != "cpu"), "ours")
    done = "pixels, crops and templates stay on the GPU, and what is launched for a batch is recorded once"
    return Aim(
        f"{what}, on a GPU",
        f"{aim} on an H100",
        f"{found['ours']:,.0f} {found['unit']} on {found['device']}" if found else "",
        found["ours"] > over if found else None,
        done
        if found
        else f"{done}; without a GPU, `lfr bench device --model torch-f32` shows that it comes to the same",
    )


def _best(rows: Iterable[Row], by: str) -> Row | None:
    return max(rows, key=lambda row: float(row[by]), default=None)


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"
