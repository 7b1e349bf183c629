"""Probes a second through exact search, against faiss's exact index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from lfr.evaluation.benchmarks.peers import equal_threads, extra
from lfr.evaluation.benchmarks.timing import Progress, benchmark_row, interleave, latencies_s
from lfr.matching import Snapshot
from lfr.types import Candidates, Embeddings, FloatArray

__all__ = ["PROBES", "REFERENCES", "TEMPLATE_SIZE", "VERSION", "K", "bench_match", "random_templates", "search_parity"]

REFERENCES = (1_000, 17_000, 100_000, 1_000_000)
"""Sizes of watchlists: about 17,000 is the largest reported of a British police force."""

PROBES = (1, 8, 64)
TEMPLATE_SIZE = 128
K = 5
VERSION = "none: random templates"
_LATENCY_PROBES = 64
_LATENCY_CALLS = (200, 2_000)  # at least for a 99th percentile to mean anything, at most for time
_LATENCY_BUDGET_S = 1.0
_SEED = 20_240_917
_TIE = 1e-6


def random_templates(count: int, rng: np.random.Generator) -> FloatArray:
    """Return (count, 128) random directions, which stand for templates."""
    vectors = rng.standard_normal((count, TEMPLATE_SIZE), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def bench_match(
    *,
    threads: int,
    references: Sequence[int] = REFERENCES,
    probes: Sequence[int] = PROBES,
    repeats: int = 5,
    progress: Progress = iter,
) -> list[dict[str, Any]]:
    """Time the search for the best five of random references against ``faiss.IndexFlatIP``.

    Parameters
    ----------
    threads
        Threads that both sides get.
    references
        Sizes of watchlists.
    probes
        Numbers of probes searched for at once.
    repeats
        As for `lfr.evaluation.benchmarks.timing.interleave`.
    progress
        Wraps the sizes.

    Returns
    -------
    One row of the benchmark document for each size and number of probes. Rows of one probe hold
    ``p50_ms`` and ``p99_ms`` over single searches, and ``peer_p50_ms`` and ``peer_p99_ms``.

    Raises
    ------
    RuntimeUnavailableError
        A package of the extra ``bench`` is not installed.
    """
    extra("faiss")  # before threads are set, because that reaches loaded libraries only
    with equal_threads(threads):
        return [row for size in progress(references) for row in _rows(size, probes, threads=threads, repeats=repeats)]


def search_parity(ours: Candidates, peer: Candidates, *, references: FloatArray, probes: FloatArray) -> dict[str, Any]:
    """Compare the candidates of two searches.

    Parameters
    ----------
    ours, peer
        Candidates of the same probes.
    references, probes
        The templates that were searched.

    Returns
    -------
    ``same``: share of the candidates that name the same reference, or one whose score, in float64,
    differs by at most 1e-6 (a tie at the precision of float32); ``identical``: the same without ties;
    ``max_score_difference``.
    """
    exact = [
        np.einsum("pkd,pd->pk", references[side.index].astype(np.float64), probes.astype(np.float64))
        for side in (ours, peer)
    ]
    identical = ours.index == peer.index
    tied = np.abs(exact[0] - exact[1]) <= _TIE
    return {
        "same": round(float((identical | tied).mean()), 6),
        "identical": round(float(identical.mean()), 6),
        "max_score_difference": float(np.abs(ours.score - peer.score).max()),
    }


def _rows(size: int, probe_counts: Sequence[int], *, threads: int, repeats: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(_SEED)
    templates = random_templates(size, rng)
    snapshot = Snapshot(Embeddings(templates, VERSION), tuple(f"subject-{i}" for i in range(size)))
    index = extra("faiss").IndexFlatIP(TEMPLATE_SIZE)
    index.add(templates)
    k = min(K, size)
    for count in probe_counts:
        probes = random_templates(count, rng)
        ours = partial(snapshot.search, Embeddings(probes, VERSION), k=k)
        peer = partial(index.search, probes, k)
        timing = interleave(ours, peer, repeats=repeats)
        score, row = peer()
        parity = search_parity(ours(), Candidates(row, score), references=templates, probes=probes)
        found = benchmark_row(
            f"match, {count} of {size:,}",
            timing,
            items=count,
            unit="probes",
            peer_name="faiss IndexFlatIP",
            parity=parity,
            version=VERSION,
            threads=threads,
        )
        found |= {"references": size, "probes": count, "k": k}
        yield found | (
            _single_searches(snapshot, index.search, rng, typical_s=median(timing.ours_s)) if count == 1 else {}
        )


def _single_searches(
    snapshot: Snapshot, peer: Callable[[FloatArray, int], object], rng: np.random.Generator, *, typical_s: float
) -> dict[str, float | int]:
    """Return percentiles in milliseconds over single searches of one probe, another one each time."""
    k = min(K, len(snapshot))
    probes = random_templates(_LATENCY_PROBES, rng)
    one = [Embeddings(probes[i : i + 1], VERSION) for i in range(len(probes))]
    calls = int(np.clip(_LATENCY_BUDGET_S / typical_s, *_LATENCY_CALLS))
    sides = {
        "": latencies_s(lambda i: snapshot.search(one[i % len(one)], k=k), calls=calls),
        "peer_": latencies_s(lambda i: peer(one[i % len(one)].vectors, k), calls=calls),
    }
    figures: dict[str, float | int] = {"single_searches": calls}
    for side, taken in sides.items():
        for share in (50, 99):
            figures[f"{side}p{share}_ms"] = round(float(np.percentile(taken, share)) * 1e3, 4)
    return figures
