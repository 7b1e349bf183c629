"""The rows of a benchmark with the machine's limit beside what they reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lfr.evaluation.benchmarks.detect import FRAME_WH
from lfr.evaluation.benchmarks.match import TEMPLATE_SIZE
from lfr.evaluation.benchmarks.roofline import Work, matcher_work, measure_peaks, network_work, roofline
from lfr.models import CROP_SIDE, VERSIONS, weights_folder
from lfr.models.weights import load_sface, load_yunet

__all__ = ["detector_limits", "embedder_limits", "matcher_limits"]

Row = dict[str, Any]


def embedder_limits(
    rows: Sequence[Row], *, batches: Sequence[int], threads: int, weights: Path | None = None
) -> list[Row]:
    """Return the rows of `bench_embed`, one for each of ``batches``, each with its ``roofline``."""
    network = load_sface(weights or weights_folder())
    precision = VERSIONS[rows[0]["version"]].precision
    size = {row["name"]: batch for row, batch in zip(rows, batches, strict=True)}
    return _with_limits(
        rows,
        lambda row: network_work(network, (CROP_SIDE, CROP_SIDE), batch=size[row["name"]], precision=precision),
        threads=threads,
        precision=precision,
    )


def detector_limits(rows: Sequence[Row], *, threads: int, weights: Path | None = None) -> list[Row]:
    """Return the rows of `bench_detect`, each with its ``roofline``."""
    network = load_yunet(weights or weights_folder())
    precision = VERSIONS[rows[0]["version"]].precision
    width, height = FRAME_WH
    return _with_limits(
        rows,
        lambda _: network_work(network, (height, width), batch=1, precision=precision),
        threads=threads,
        precision=precision,
    )


def matcher_limits(rows: Sequence[Row], *, threads: int) -> list[Row]:
    """Return the rows of `bench_match`, each with its ``roofline``."""
    return _with_limits(
        rows,
        lambda row: matcher_work(row["references"], TEMPLATE_SIZE, probes=row["probes"]),
        threads=threads,
        precision="f32",
    )


def _with_limits(rows: Sequence[Row], work: Callable[[Row], Work], *, threads: int, precision: str) -> list[Row]:
    peaks = measure_peaks(threads, precision=precision)
    return [row | {"roofline": roofline(work(row), peaks, items_s=row["ours"])} for row in rows]
