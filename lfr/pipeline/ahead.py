"""Look for faces in the frames to come, while the ones before are tracked and searched."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from lfr.types import Faces, Frame, Pixels

__all__ = ["core_count", "find_ahead", "workers_ahead"]

_MOST_WORKERS = 4  # each holds some hundred MiB of a large picture's features


def core_count() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # only Linux ties a process to cores
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def workers_ahead(threads: int | None) -> int:
    """Return in how many frames of a recording to look for faces at once: one a thread, four at most.

    Parameters
    ----------
    threads
        What the networks may use; None: every core.
    """
    return min(threads or core_count(), _MOST_WORKERS)


def find_ahead(
    frames: Iterable[Frame], detect: Callable[[Pixels], Faces], *, workers: int, detect_every: int = 1
) -> Generator[tuple[Frame, Faces | None]]:
    """Yield every frame in its order with its faces, several being looked at meanwhile.

    Frames go in and come out as they would one by one, and so does what
    `StreamProcessor.process` makes of them; only more cores work. It takes
    frames ``workers * detect_every`` before it gives the first, so it is for
    recordings: a live camera would be seen that much later. Close it where
    it is left early, so that no frame waits in it.

    Parameters
    ----------
    frames
        Of one camera.
    detect
        Returns the faces of a picture; called on ``workers`` threads at once.
        One core for each of them is most: ``load_model(..., detector_streams=workers)``.
    workers
        Frames looked at at once, at least 1.
    detect_every
        Frames per detection, as `StreamSettings` has it; the frames between come without faces.

    Raises
    ------
    ValueError
        ``workers`` or ``detect_every`` is under 1.
    """
    if workers < 1 or detect_every < 1:
        raise ValueError(f"workers and detect_every must be at least 1, got {workers} and {detect_every}")
    waiting: deque[tuple[Frame, Future[Faces] | None]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="find faces")
    try:
        for i, frame in enumerate(frames):
            waiting.append((frame, pool.submit(detect, frame.pixels) if i % detect_every == 0 else None))
            if len(waiting) > workers * detect_every:
                yield _found(waiting)
        while waiting:
            yield _found(waiting)
    finally:
        waiting.clear()
        pool.shutdown(cancel_futures=True)


def _found(waiting: deque[tuple[Frame, Future[Faces] | None]]) -> tuple[Frame, Faces | None]:
    frame, faces = waiting.popleft()
    return frame, None if faces is None else faces.result()
