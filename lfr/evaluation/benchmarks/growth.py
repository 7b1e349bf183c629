"""How memory, time and exactness go as a list grows, and what searching in bytes first gains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import psutil

from lfr.errors import InputError
from lfr.evaluation.benchmarks.match import VERSION, K, random_templates
from lfr.evaluation.benchmarks.peers import equal_threads
from lfr.evaluation.benchmarks.timing import Progress, benchmark_row, interleave, latencies_s
from lfr.matching import Screen, Snapshot
from lfr.types import Candidates, Embeddings, FloatArray

__all__ = ["GROWTH", "NATIONAL", "bench_growth", "exact_candidates", "growth_sizes"]

GROWTH = (1_000, 10_000, 100_000, 1_000_000)
"""Sizes of lists that any machine holds; `NATIONAL` needs 8 GiB."""
NATIONAL = 10_000_000

_PROBES = (1, 8)
_PART = 1_000_000  # a longer list is held in parts, as it is by several holders
_BYTES_EACH = 900  # a reference in float32 and in bytes, with its subject
_LATENCY_CALLS = (10, 300)
_LATENCY_BUDGET_S = 2.0
_SEED = 20_250_211
_EXACT_ROWS = 50_000

Search = Callable[[Embeddings], Candidates]


@dataclass(frozen=True, eq=False)
class _List:
    """A list in parts, each as a snapshot and as a screen of it, and what both took."""

    parts: tuple[Snapshot, ...]
    screens: tuple[Screen, ...]
    memory_mib: float
    screen_mib: float


def bench_growth(
    *,
    threads: int,
    references: Sequence[int] = GROWTH,
    repeats: int = 5,
    progress: Progress = iter,
) -> list[dict[str, Any]]:
    """Time the search for the best five, in bytes first (ours) and in float32 throughout (peer), at each size of list.

    Both are `lfr.matching`, and both give the same candidates. Parity is
    against scores of every reference in float64.

    Parameters
    ----------
    threads
        Threads of both.
    references
        Sizes of lists; one at a time is in memory.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the sizes.

    Returns
    -------
    One row of the benchmark document for each size and 1 and 8 probes. ``memory_mib`` is what the snapshot added to
    the process, ``screen_mib`` what the bytes added to that; rows of one probe have percentiles of single searches.

    Raises
    ------
    InputError
        The machine has not the memory free that a size needs.
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    free = psutil.virtual_memory().available
    for size in references:
        if size * _BYTES_EACH > free:
            raise InputError(
                f"{size:,} references need {size * _BYTES_EACH / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"
            )
    with equal_threads(threads):
        return [row for size in progress(references) for row in _rows(size, threads=threads, repeats=repeats)]


def growth_sizes() -> tuple[int, ...]:
    """Return every size of list that this machine's free memory holds."""
    free = psutil.virtual_memory().available
    return tuple(size for size in (*GROWTH, NATIONAL) if size * _BYTES_EACH <= free)


def exact_candidates(parts: Sequence[FloatArray], probes: FloatArray, *, k: int) -> Candidates:
    """Return the best k rows of each probe by comparing with every one in float64, rounded once to float32."""
    precise = probes.astype(np.float64).T
    rows: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    scores: list[FloatArray] = []
    start = 0
    for part in parts:
        for i in range(0, len(part), _EXACT_ROWS):
            block = (part[i : i + _EXACT_ROWS].astype(np.float64) @ precise).astype(np.float32).T
            best = np.lexsort((np.broadcast_to(np.arange(block.shape[1]), block.shape), -block), axis=1)[:, :k]
            rows.append(best + start + i)
            scores.append(np.take_along_axis(block, best, axis=1))
        start += len(part)
    return _merged(Candidates(np.concatenate(rows, axis=1), np.concatenate(scores, axis=1)), k)


def _rows(size: int, *, threads: int, repeats: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(_SEED)
    held = _hold(size, rng)
    k = min(K, size)
    screened: Search = partial(_search, [screen.search for screen in held.screens], held.parts, k)
    plain: Search = partial(_search, [part.search for part in held.parts], held.parts, k)
    for count in _PROBES:
        probes = Embeddings(random_templates(count, rng), VERSION)
        timing = interleave(partial(screened, probes), partial(plain, probes), repeats=repeats)
        exact = exact_candidates([part.references.vectors for part in held.parts], probes.vectors, k=k)
        ours, theirs = screened(probes), plain(probes)
        found = benchmark_row(
            f"list of {size:,}, {'1 probe' if count == 1 else f'{count} probes'}",
            timing,
            items=count,
            unit="probes",
            peer_name="the same search in float32 throughout",
            parity={
                "same_as_float32": bool(
                    np.array_equal(ours.index, theirs.index) and np.array_equal(ours.score, theirs.score)
                ),
                "exact": bool(np.array_equal(ours.index, exact.index)),
                "candidates": int(exact.index.size),
            },
            version=VERSION,
            threads=threads,
        )
        found |= {
            "references": size,
            "probes": count,
            "k": k,
            "memory_mib": held.memory_mib,
            "screen_mib": held.screen_mib,
        }
        yield found | (_percentiles(screened, plain, rng, typical_s=min(timing.peer_s)) if count == 1 else {})


def _hold(size: int, rng: np.random.Generator) -> _List:
    process = psutil.Process()
    before = process.memory_info().rss
    parts = []
    for start in range(0, size, _PART):
        count = min(_PART, size - start)
        subjects = tuple(f"subject-{i}" for i in range(start, start + count))
        parts.append(Snapshot(Embeddings(random_templates(count, rng), VERSION), subjects))
    between = process.memory_info().rss
    screens = tuple(Screen(part) for part in parts)
    after = process.memory_info().rss
    return _List(tuple(parts), screens, *(round(grown / 2**20, 1) for grown in (between - before, after - between)))


def _search(
    searches: Sequence[Callable[..., Candidates]], parts: Sequence[Snapshot], k: int, probes: Embeddings
) -> Candidates:
    """Search every part, and put the candidates together."""
    if len(parts) == 1:
        return searches[0](probes, k=k)
    index, score, start = [], [], 0
    for search, part in zip(searches, parts, strict=True):
        found = search(probes, k=k)
        index.append(found.index + start)
        score.append(found.score)
        start += len(part)
    return _merged(Candidates(np.concatenate(index, axis=1), np.concatenate(score, axis=1)), k)


def _merged(found: Candidates, k: int) -> Candidates:
    """Return the best k of more candidates of each probe, equal scores to the lower row."""
    best = np.lexsort((found.index, -found.score), axis=1)[:, :k]
    return Candidates(np.take_along_axis(found.index, best, axis=1), np.take_along_axis(found.score, best, axis=1))


def _percentiles(
    screened: Search, plain: Search, rng: np.random.Generator, *, typical_s: float
) -> dict[str, float | int]:
    """Return percentiles in milliseconds over single searches of one probe, another one each time."""
    calls = int(np.clip(_LATENCY_BUDGET_S / typical_s, *_LATENCY_CALLS))
    one = [Embeddings(probe[None], VERSION) for probe in random_templates(calls, rng)]
    figures: dict[str, float | int] = {"single_searches": calls}
    for side, search in (("", screened), ("peer_", plain)):
        taken = latencies_s(lambda i, search=search: search(one[i % calls]), calls=calls)  # type: ignore[misc]
        for share in (50, 99):
            figures[f"{side}p{share}_ms"] = round(float(np.percentile(taken, share)) * 1e3, 4)
    return figures
