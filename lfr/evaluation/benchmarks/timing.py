"""Time two ways of doing the same, in turn, so that what disturbs the machine disturbs both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import psutil

from lfr.types import FloatArray

__all__ = ["Call", "Progress", "Timing", "benchmark_row", "interleave", "latencies_s", "others_s"]

Call = Callable[[], object]
Progress = Callable[[Iterable[int]], Iterable[int]]
"""Wraps the numbers of what is done one after another, to show progress."""

_WARM_UP_CALLS = 3
_SETTLE_STEP_S = 0.01
_SETTLE_STEPS = 50


@dataclass(frozen=True)
class Timing:
    """Seconds a call took on each side, one value for each turn.

    Attributes
    ----------
    ours_s, peer_s
        Mean of the calls of each turn; both have the same length, at least 1.
    other_load
        Processor cores that everything else on the machine kept busy meanwhile, on average.
        Much over 0 the figures say little: threads that wait for each other suffer most.
    """

    ours_s: tuple[float, ...]
    peer_s: tuple[float, ...]
    other_load: float = 0.0

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer, from the medians."""
        return median(self.peer_s) / median(self.ours_s)


def interleave(ours: Call, peer: Call, *, repeats: int = 5, least_s: float = 0.1, progress: Progress = iter) -> Timing:
    """Time ours, peer, ours, peer and so on, after both are warm.

    Each turn begins with a pause until the threads of the other side sleep,
    and a call that is not timed, which wakes its own.

    Parameters
    ----------
    ours, peer
        The same work, done in two ways.
    repeats
        Turns of each side, at least 1.
    least_s
        A side is called in its turn as often as it takes to fill this time, so that short calls are measured well.
    progress
        Wraps the turns.

    Raises
    ------
    ValueError
        ``repeats`` is under 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    our_calls, peer_calls = _calls_to_fill(ours, least_s), _calls_to_fill(peer, least_s)
    started, others = time.perf_counter(), others_s()
    turns = [(_mean_s(ours, our_calls), _mean_s(peer, peer_calls)) for _ in progress(range(repeats))]
    other_load = max(0.0, others_s() - others) / (time.perf_counter() - started)
    return Timing(tuple(turn[0] for turn in turns), tuple(turn[1] for turn in turns), other_load)


def latencies_s(call: Callable[[int], object], *, calls: int) -> FloatArray:
    """(calls,) seconds that each single call took, after some to warm up.

    Parameters
    ----------
    call
        Is given the number of the call, so that it need not do the same every time.
    calls
        How many are timed, at least 1.
    """
    _settle()
    for i in range(_WARM_UP_CALLS):
        call(i)
    taken = np.empty(calls, np.float32)
    for i in range(calls):
        started = time.perf_counter()
        call(i)
        taken[i] = time.perf_counter() - started
    return taken


def benchmark_row(
    name: str,
    timing: Timing,
    *,
    items: int,
    unit: str,
    peer_name: str,
    parity: dict[str, Any],
    version: str,
    threads: int,
) -> dict[str, Any]:
    """Return one row of the benchmark document.

    Parameters
    ----------
    name
        What was done, with its size.
    timing
        Of calls that each did ``items`` items.
    items, unit
        How many of what one call did; the row gives ``unit`` a second, more is better.
    peer_name
        Whom it was measured against.
    parity
        What shows that both did the same.
    version, threads
        Model version, and threads that both sides had.
    """
    ours, peer = (sorted(items / s for s in side) for side in (timing.ours_s, timing.peer_s))
    return {
        "name": name,
        "ours": round(median(ours), 2),
        "peer": round(median(peer), 2),
        "peer_name": peer_name,
        "ratio": round(timing.ratio, 2),
        "unit": f"{unit}/s",
        "parity": parity,
        "version": version,
        "threads": threads,
        "repeats": len(ours),
        "ours_spread": [round(ours[0], 2), round(ours[-1], 2)],
        "peer_spread": [round(peer[0], 2), round(peer[-1], 2)],
        "other_load": round(timing.other_load, 2),
    }


def others_s() -> float:
    """Return the processor seconds that all but this process have used, since some time in the past."""
    machine, process = psutil.cpu_times(), psutil.Process().cpu_times()
    waiting = machine.idle + getattr(machine, "iowait", 0.0)
    # On Linux, what guests used is in user time already.
    doubled = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)
    return float(sum(machine) - waiting - doubled - process.user - process.system)


def _settle() -> None:
    """Wait until no thread of this process works, half a second at most.

    After a product, OpenBLAS keeps its threads spinning on their cores for
    0.1 s, and so would slow whatever is timed next.
    """
    for _ in range(_SETTLE_STEPS):
        before_s = time.process_time()
        time.sleep(_SETTLE_STEP_S)
        if time.process_time() - before_s < _SETTLE_STEP_S / 4:
            return


def _mean_s(call: Call, calls: int) -> float:
    _settle()
    call()
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls


def _calls_to_fill(call: Call, least_s: float) -> int:
    """Warm a call up, and return how often it fits into ``least_s``, at least once."""
    taken = latencies_s(lambda _: call(), calls=_WARM_UP_CALLS)
    return max(1, round(least_s / max(float(np.median(taken)), 1e-9)))
