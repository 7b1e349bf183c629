"""How many cameras one process carries: simulated streets, each with a tracker of its own, and one model for all.

A camera's frame is found, tracked and searched by one thread, as a live
camera's is: nothing waits for frames to come. The peer is one of the streets
alone as a recording, in several frames of which faces are looked for at once,
which is the most that the machine does; what many cameras reach of that is
the ratio. Parity is that each camera sees the people, and raises the alerts,
that its street gives alone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from lfr.evaluation.benchmarks.timing import Timing, benchmark_row, others_s
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.matching import DecisionRule, Snapshot
from lfr.pipeline import FrameResult, Recogniser, StreamProcessor, StreamSettings, enrol, find_ahead
from lfr.sources import Scene, SceneSettings, open_source
from lfr.types import Frame

__all__ = ["CAMERAS", "CAMERA_FPS", "bench_cameras", "time_cameras", "which_frames"]

CAMERAS = (1, 4, 16, 64)
CAMERA_FPS = 12.0
"""Frames a second that a camera gives, by which it is reckoned how many are carried."""

_PEOPLE_PER_MINUTE = 80.0  # a short street has few passes, and all begin in view
_RULE = DecisionRule(threshold=0.45, shots=5)


@dataclass(frozen=True)
class _Seen:
    """What one camera gave: its frames, people, and the subjects of its alerts in their order."""

    frames: int
    faces: int
    alerts: tuple[str, ...]


@dataclass(eq=False)
class _Camera:
    frames: Iterator[Frame]
    processor: StreamProcessor
    alerts: list[str] = field(default_factory=list)
    looked_at: int = 0
    last: Frame | None = None

    def take(self) -> bool:
        """Look at its next frame; False: it has ended."""
        frame = next(self.frames, None)
        if frame is None:
            return False
        self.add(frame, self.processor.process(frame))
        return True

    def add(self, frame: Frame, result: FrameResult) -> None:
        self.last = frame
        self.looked_at += 1
        self.alerts += [proposal.subject_id for proposal in result.proposals]

    def end(self) -> _Seen:
        if self.last is not None:
            closing = self.processor.close(self.last.index, self.last.time_s)
            self.alerts += [proposal.subject_id for proposal in closing]
        return _Seen(self.looked_at, self.processor.faces_seen, tuple(self.alerts))


@dataclass(frozen=True)
class _Played:
    """All cameras once: seconds, processor seconds of this process, bytes that the cameras added, what each saw."""

    wall_s: float
    busy_s: float
    grown: int
    seen: tuple[_Seen, ...]


def bench_cameras(
    recogniser: Recogniser,
    *,
    threads: int,
    cameras: Sequence[int] = CAMERAS,
    strides: Sequence[int] = (1,),
    streets: int = 4,
    street_s: float = 3.0,
    resolution_wh: tuple[int, int] = (1280, 720),
    repeats: int = 3,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Draw streets, and time cameras on them as `time_cameras` does.

    Parameters
    ----------
    strides
        Frames per detection, on both sides, one after another.
    streets
        How many differ; more cameras see them again.
    street_s
        Seconds of each street, of 12 frames each.
    resolution_wh
        Width and height of the pictures.
    recogniser, threads, cameras, repeats, progress
        As for `time_cameras`.
    """
    with TemporaryDirectory() as folder:
        drawn = []
        for seed in range(streets):
            progress(f"drawing street {seed + 1} of {streets}")
            settings = SceneSettings(
                resolution_wh=resolution_wh,
                fps=CAMERA_FPS,
                duration_s=street_s,
                people_per_minute=_PEOPLE_PER_MINUTE,
                seed=seed,
            )
            drawn.append(Path(folder, f"street_{seed}.mp4"))
            Scene(demo_setup(settings).walkers, settings).write_video(drawn[-1])
        progress("enrolling the list")
        watchlist = enrol(demo_setup(SceneSettings(duration_s=60.0)).references, recogniser)
        return [
            row
            for stride in strides
            for row in time_cameras(
                drawn,
                recogniser,
                watchlist,
                threads=threads,
                cameras=cameras,
                detect_every=stride,
                repeats=repeats,
                progress=progress,
            )
        ]


def which_frames(detect_every: int) -> str:
    """Return in which frames faces are looked for, as people read it."""
    ordinal = {1: "", 2: "2nd ", 3: "3rd "}.get(detect_every, f"{detect_every}th ")
    return f"every {ordinal}frame"


def time_cameras(
    clips: Sequence[Path],
    recogniser: Recogniser,
    watchlist: Snapshot,
    *,
    threads: int,
    cameras: Sequence[int] = CAMERAS,
    detect_every: int = 1,
    repeats: int = 3,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Time so many cameras in one process (ours), and each clip alone as a recording (peer), in turn.

    Parameters
    ----------
    clips
        What cameras see, one after another; all of one size and length.
    recogniser
        The version to measure, made with ``threads`` threads and as many streams of the detector.
    watchlist
        Who alerts.
    threads
        Threads that look at cameras' frames.
    cameras
        How many, for each row.
    detect_every
        Frames per detection, on both sides.
    repeats
        Turns of each side after one to warm up; medians count.
    progress
        Told what runs.

    Returns
    -------
    One row of the benchmark document for each number of cameras. ``at_12_fps`` is how many are carried at 12 frames a
    second, ``looked_at`` the share of their frames that ``cameras`` have looked at then, ``busy_cores`` how many cores
    this process used, ``camera_mib`` what each camera added to its memory.
    """
    bench = _Bench(recogniser, watchlist, StreamSettings(detect_every=detect_every), threads)
    progress("warming up")
    alone = [bench.alone(clip) for clip in clips]
    bench.together(clips)
    rows = []
    for count in cameras:
        progress(f"{count} cameras" if count > 1 else "1 camera")
        rows.append(_row(bench, count, clips, [played.seen[0] for played in alone], repeats=repeats))
    return rows


@dataclass(frozen=True, eq=False)
class _Bench:
    recogniser: Recogniser
    watchlist: Snapshot
    settings: StreamSettings
    threads: int

    def together(self, clips: Sequence[Path]) -> _Played:
        """Play a camera for each clip, as many at once as there are threads."""
        before = psutil.Process().memory_info().rss
        with ExitStack() as opened:
            cameras = [self._camera(clip, opened) for clip in clips]
            waiting: queue.SimpleQueue[_Camera] = queue.SimpleQueue()
            for camera in cameras:
                waiting.put(camera)
            wall_s, busy_s = time.perf_counter(), time.process_time()
            with ThreadPoolExecutor(self.threads) as pool:
                for worker in [pool.submit(_take_all, waiting) for _ in range(self.threads)]:
                    worker.result()
            return self._played(cameras, wall_s, busy_s, before)

    def alone(self, clip: Path) -> _Played:
        """Play one clip as a recording, faces being looked for in several frames at once."""
        before = psutil.Process().memory_info().rss
        with ExitStack() as opened:
            camera = self._camera(clip, opened)
            wall_s, busy_s = time.perf_counter(), time.process_time()
            for frame, faces in find_ahead(
                camera.frames, self.recogniser.detect, workers=self.threads, detect_every=self.settings.detect_every
            ):
                camera.add(frame, camera.processor.process(frame, faces=faces))
            return self._played([camera], wall_s, busy_s, before)

    def _camera(self, clip: Path, opened: ExitStack) -> _Camera:
        frames = iter(opened.enter_context(open_source(clip)))
        return _Camera(frames, StreamProcessor(self.recogniser, self.watchlist, _RULE, settings=self.settings))

    @staticmethod
    def _played(cameras: Sequence[_Camera], wall_s: float, busy_s: float, before: int) -> _Played:
        wall_s, busy_s = time.perf_counter() - wall_s, time.process_time() - busy_s
        grown = psutil.Process().memory_info().rss - before
        return _Played(wall_s, busy_s, grown, tuple(camera.end() for camera in cameras))


def _take_all(waiting: queue.SimpleQueue[_Camera]) -> None:
    """Look at the next frame of whichever camera waited longest, until none is left for this thread."""
    while True:
        try:
            camera = waiting.get_nowait()
        except queue.Empty:
            return  # each of the others has a thread, which looks at its frames one after another
        if camera.take():
            waiting.put(camera)


def _row(bench: _Bench, count: int, clips: Sequence[Path], alone: Sequence[_Seen], *, repeats: int) -> dict[str, Any]:
    chosen = [clips[i % len(clips)] for i in range(count)]
    started, others = time.perf_counter(), others_s()
    different = dict.fromkeys(chosen)
    turns = [(bench.together(chosen), [bench.alone(clip) for clip in different]) for _ in range(repeats)]
    other_load = max(0.0, others_s() - others) / (time.perf_counter() - started)
    with open_source(clips[0]) as source:
        width, height = source.resolution_wh
    expected = tuple(alone[i % len(alone)] for i in range(count))
    ours = [played for played, _ in turns]
    row = benchmark_row(
        f"{count} {'camera' if count == 1 else 'cameras'} of {width}x{height}, "
        f"faces found in {which_frames(bench.settings.detect_every)}",
        # Each takes its part of the time, so that both sides are of one camera's frames.
        Timing(
            tuple(played.wall_s / count for played in ours),
            tuple(sum(peer.wall_s for peer in peers) / len(peers) for _, peers in turns),
            other_load,
        ),
        items=expected[0].frames,
        unit="frames",
        peer_name="one of them as a recording, several frames at once",
        parity={
            "same_as_alone": all(played.seen == expected for played in ours),
            "faces_seen": sum(seen.faces for seen in expected),
            "alerts": sum(len(seen.alerts) for seen in expected),
        },
        version=bench.recogniser.model.version.name,
        threads=bench.threads,
    )
    return row | {
        "cameras": count,
        "detect_every": bench.settings.detect_every,
        "at_12_fps": int(row["ours"] // CAMERA_FPS),
        "looked_at": round(min(1.0, row["ours"] / (CAMERA_FPS * count)), 3),
        "busy_cores": round(sum(played.busy_s for played in ours) / sum(played.wall_s for played in ours), 2),
        "camera_mib": round(max(played.grown for played in ours) / count / 2**20, 1),
    }
