"""Evaluation at the speed of thought: all comparisons, and intervals over subjects, against the obvious loops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfr.evaluation.benchmarks.peers import equal_threads, extra
from lfr.evaluation.benchmarks.timing import Progress, Timing, benchmark_row, interleave
from lfr.evaluation.comparisons import BIN_EDGES, ComparisonScores
from lfr.evaluation.pairwise import compare_vectors
from lfr.statistics import percentile_interval, subject_bootstrap
from lfr.types import BoolArray, FloatArray, IntArray

__all__ = ["EvaluationSet", "bench_evaluate", "made_up_faces"]

FACES = 13_233
"""Images of Labeled Faces in the Wild: 87,549,528 comparisons."""

# At edges of bins the streamed curve is exact below its tail, too.
_THRESHOLDS = BIN_EDGES[np.searchsorted(BIN_EDGES, np.linspace(0.0, 0.6, 61))].astype(np.float64)
_REPLICATES = 2000
_PEER_REPLICATES = 20
_FEW_FACES = 4000
_VERSION = "none: templates are given"
_ROUNDING = 1e-6
"""What two orders of a float32 product of templates may differ by."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """What is compared.

    Attributes
    ----------
    vectors
        (n, d) templates of length 1, without failures to acquire.
    subject, group
        (n,) numbers of the subject and of the group of each.
    name
        What it is.
    """

    vectors: FloatArray
    subject: IntArray
    group: IntArray
    name: str

    def __len__(self) -> int:
        return len(self.vectors)


def made_up_faces(faces: int = FACES) -> EvaluationSet:
    """As many random templates as LFW has images, of subjects with one to several, in two groups."""
    rng = np.random.default_rng(20_241_123)
    subject = np.sort(rng.integers(0, max(1, faces * 2 // 5), faces))
    centre = rng.standard_normal((int(subject.max()) + 1, 128), np.float32)
    vectors = centre[subject] + rng.standard_normal((faces, 128), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return EvaluationSet(
        vectors, subject.astype(np.int64), (subject % 4 == 0).astype(np.int64), f"{faces} made-up faces"
    )


def bench_evaluate(
    data: EvaluationSet, *, threads: int, repeats: int = 3, progress: Progress = iter
) -> list[dict[str, Any]]:
    """Time the FMR curves of all comparisons by group, and a bootstrap of FNIR and FPIR by group.

    Parameters
    ----------
    data
        Templates with subjects and groups.
    threads
        Threads that both sides get.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the rows.

    Returns
    -------
    Rows of the benchmark document. That of the comparisons holds ``whole_s``, the time that all of ``data`` took.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    rows: tuple[Callable[[], dict[str, Any]], ...] = (
        partial(_comparisons, data, threads=threads, repeats=repeats),
        partial(_bootstrap, data, threads=threads, repeats=repeats),
        partial(_fairlearn, data, threads=threads, repeats=repeats),
    )
    with equal_threads(threads):
        return [rows[i]() for i in progress(range(len(rows)))]


def _comparisons(data: EvaluationSet, *, threads: int, repeats: int) -> dict[str, Any]:
    few = min(len(data), _FEW_FACES)
    some = EvaluationSet(data.vectors[:few], data.subject[:few], data.group[:few], data.name)
    ours, peer = partial(_our_curves, some), partial(_loop_curves, some)
    timing = interleave(ours, peer, repeats=repeats)
    found, kept = ours(), _loop_scores(some)
    between = found.keys() == kept.keys() and all(
        np.all(_fmr(scores, _THRESHOLDS + _ROUNDING) <= found[cell])
        and np.all(found[cell] <= _fmr(scores, _THRESHOLDS - _ROUNDING))
        for cell, scores in kept.items()
    )
    started = time.perf_counter()
    _our_curves(data)
    whole_s = time.perf_counter() - started
    pairs = few * (few - 1) // 2
    row = benchmark_row(
        f"comparisons of {few:,} faces",
        timing,
        items=pairs,
        unit="comparisons",
        peer_name="a loop over NumPy",
        parity={"same_fmr": between, "cells": len(kept)},
        version=_VERSION,
        threads=threads,
    )
    return row | {"data": data.name, "whole": len(data) * (len(data) - 1) // 2, "whole_s": round(whole_s, 2)}


def _our_curves(data: EvaluationSet) -> dict[tuple[int, int], NDArray[np.float64]]:
    cells: dict[tuple[int, int], ComparisonScores] = compare_vectors(data.vectors, data.subject, data.group)
    return {cell: scores.fmr(_THRESHOLDS) for cell, scores in cells.items()}


def _loop_curves(data: EvaluationSet) -> dict[tuple[int, int], NDArray[np.float64]]:
    return {cell: _fmr(scores, _THRESHOLDS) for cell, scores in _loop_scores(data).items()}


def _loop_scores(data: EvaluationSet) -> dict[tuple[int, int], FloatArray]:
    """What one writes first: image after image, scores kept by the groups of both sides, then sorted."""
    kept: dict[tuple[int, int], list[FloatArray]] = {}
    for i in range(len(data) - 1):
        scores = data.vectors[i + 1 :] @ data.vectors[i]
        others = data.subject[i + 1 :] != data.subject[i]
        for group in np.unique(data.group):
            cell = (int(min(group, data.group[i])), int(max(group, data.group[i])))
            kept.setdefault(cell, []).append(scores[others & (data.group[i + 1 :] == group)])
    return {cell: np.sort(np.concatenate(parts)) for cell, parts in kept.items()}


def _fmr(ordered: FloatArray, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of scores, in ascending order, at or over each threshold."""
    return (len(ordered) - np.searchsorted(ordered, thresholds.astype(np.float32))) / len(ordered)


@dataclass(frozen=True, eq=False)
class _Outcomes:
    """Searches of an evaluation: who, which group, mated or not, and whether it ended wrongly."""

    subject: IntArray
    group: IntArray
    mated: BoolArray
    wrong: BoolArray
    groups: int

    @classmethod
    def of(cls, data: EvaluationSet) -> _Outcomes:
        rng = np.random.default_rng(5)
        mated = data.subject % 3 > 0
        chance = np.where(mated, 0.05 + 0.1 * data.group, 0.01 + 0.01 * data.group)
        # Errors belong to people as well as to pictures.
        person = rng.random(int(data.subject.max()) + 1)[data.subject]
        wrong = rng.random(len(data)) < 2 * person * chance
        return cls(data.subject, data.group, mated, wrong, int(data.group.max()) + 1)

    @property
    def columns(self) -> Iterator[BoolArray]:
        for side in (self.mated, ~self.mated):
            for group in range(self.groups):
                yield side & (self.group == group)


def _bootstrap(data: EvaluationSet, *, threads: int, repeats: int) -> dict[str, Any]:
    outcomes = _Outcomes.of(data)
    timing = interleave(
        partial(_our_replicates, outcomes), partial(_loop_replicates, outcomes, _PEER_REPLICATES), repeats=repeats
    )
    ours, peer = _our_replicates(outcomes), _loop_replicates(outcomes, 10 * _PEER_REPLICATES)
    ends = [np.stack(percentile_interval(drawn)) for drawn in (ours, peer)]
    apart = np.abs(ends[0] - ends[1]) / np.ptp(ends[1], axis=0)
    return benchmark_row(
        "bootstrap of subjects",
        _per_replicate(timing),
        items=1,
        unit="replicates",
        peer_name="a loop over NumPy",
        parity={
            "max_end_difference_in_widths": round(float(apart.max()), 3),
            "peer_replicates": 10 * _PEER_REPLICATES,
        },
        version=_VERSION,
        threads=threads,
    ) | {"data": data.name}


def _fairlearn(data: EvaluationSet, *, threads: int, repeats: int) -> dict[str, Any]:
    """Fairlearn resamples rows, which for several searches of a person is too sure: only its speed is compared."""
    metrics = extra("fairlearn.metrics")
    outcomes = _Outcomes.of(data)

    def peer() -> object:
        return metrics.MetricFrame(
            metrics=lambda _, wrong: float(np.mean(wrong)),
            y_true=np.zeros(len(outcomes.wrong)),
            y_pred=outcomes.wrong,
            sensitive_features={"group": outcomes.group, "mated": outcomes.mated},
            n_boot=_PEER_REPLICATES,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )

    timing = interleave(partial(_our_replicates, outcomes), peer, repeats=repeats)
    rates = {key: float(value) for key, value in peer().by_group.to_dict().items()}  # type: ignore[attr-defined]
    shares = [float(outcomes.wrong[at].mean()) for at in outcomes.columns]
    found = sorted(rates.values())
    return benchmark_row(
        "bootstrap of rows",
        _per_replicate(timing),
        items=1,
        unit="replicates",
        peer_name="fairlearn MetricFrame, by row",
        parity={"max_rate_difference": float(np.abs(np.array(sorted(shares)) - found).max())},
        version=_VERSION,
        threads=threads,
    ) | {"data": data.name}


def _our_replicates(outcomes: _Outcomes) -> NDArray[np.float64]:
    subjects = int(outcomes.subject.max()) + 1
    columns = list(outcomes.columns)
    events = np.stack([np.bincount(outcomes.subject[at], outcomes.wrong[at], minlength=subjects) for at in columns], 1)
    trials = np.stack([np.bincount(outcomes.subject[at], minlength=subjects) for at in columns], 1)
    return subject_bootstrap(events, trials, replicates=_REPLICATES, rng=np.random.default_rng(1))


def _loop_replicates(outcomes: _Outcomes, replicates: int) -> NDArray[np.float64]:
    """What one writes first: draw subjects, gather their rows, count again."""
    rng = np.random.default_rng(2)
    order = np.argsort(outcomes.subject, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(outcomes.subject[order])) + 1)
    drawn = []
    for _ in range(replicates):
        rows = np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])
        some = replace(
            outcomes,
            subject=outcomes.subject[rows],
            group=outcomes.group[rows],
            mated=outcomes.mated[rows],
            wrong=outcomes.wrong[rows],
        )
        drawn.append([some.wrong[at].mean() for at in some.columns])
    return np.array(drawn)


def _per_replicate(timing: Timing) -> Timing:
    return Timing(
        tuple(s / _REPLICATES for s in timing.ours_s),
        tuple(s / _PEER_REPLICATES for s in timing.peer_s),
        timing.other_load,
    )
