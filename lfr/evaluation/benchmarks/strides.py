"""What is lost where faces are looked for in one of several frames only: simulated streets, pass by pass, in pairs.

Every stride sees the same frames as a recording, whose faces are looked for in
every frame on the peer's side. Whether a listed person was recognised is
compared pass by pass, and intervals draw the people, who walk in several streets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lfr.evaluation.benchmarks.cameras import CAMERA_FPS, which_frames
from lfr.evaluation.benchmarks.timing import Timing, benchmark_row, others_s
from lfr.evaluation.rehearsal_scene import demo_setup
from lfr.evaluation.scene import PassOutcome, SceneEvaluation
from lfr.matching import DecisionRule, Snapshot
from lfr.pipeline import Recogniser, StreamProcessor, StreamSettings, enrol, find_ahead
from lfr.sources import Scene, SceneFrame, SceneSettings
from lfr.statistics import percentile_interval, subject_bootstrap

__all__ = ["STRIDES", "TPIR_LOST", "bench_strides", "tpir_said"]

STRIDES = (2, 3)
TPIR_LOST = 0.01
"""What a stride may lose of TPIR."""

_PEOPLE_PER_MINUTE = 90.0
_RULE = DecisionRule(threshold=0.45, shots=5)
_REPLICATES = 2000


@dataclass(eq=False)
class _Side:
    """What one stride made of every street: seconds of each, and passes."""

    took_s: list[float] = field(default_factory=list)
    passes: list[PassOutcome] = field(default_factory=list)

    @property
    def listed(self) -> list[PassOutcome]:
        return [outcome for outcome in self.passes if outcome.listed]

    @property
    def false_alerts(self) -> int:
        return sum(bool(outcome.false_alerts) for outcome in self.passes)


def bench_strides(
    recogniser: Recogniser,
    *,
    threads: int,
    strides: Sequence[int] = STRIDES,
    streets: int = 12,
    street_s: float = 20.0,
    resolution_wh: tuple[int, int] = (1280, 720),
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Play streets at several strides, and every frame of them as the peer.

    Parameters
    ----------
    recogniser
        The version to measure, made with ``threads`` threads and as many streams of the detector.
    threads
        Frames in which faces are looked for at once.
    strides
        Frames per detection, for each row.
    streets, street_s
        How many, each with a seed of its own, and seconds of each, of 12 frames each.
    resolution_wh
        Width and height of the pictures.
    progress
        Told what runs.

    Returns
    -------
    One row of the benchmark document for each stride. Of its parity ``tpir`` and ``tpir_of_peer`` are over the same
    ``listed`` passes, ``tpir_lost`` is their difference, and ``tpir_lost_at_least`` and ``tpir_lost_at_most`` its
    paired 95% interval over the people.
    """
    sides = {stride: _Side() for stride in (1, *strides)}
    frames, others, began = 0, others_s(), time.perf_counter()
    for seed in range(streets):
        progress(f"street {seed + 1} of {streets}: drawing it")
        settings = SceneSettings(
            resolution_wh=resolution_wh,
            fps=CAMERA_FPS,
            duration_s=street_s,
            people_per_minute=_PEOPLE_PER_MINUTE,
            seed=seed,
        )
        setup = demo_setup(settings)
        watchlist, scene = enrol(setup.references, recogniser), Scene(setup.walkers, settings)
        seen = list(scene.frames())
        frames += len(seen)
        for stride, side in sides.items():
            progress(f"street {seed + 1} of {streets}: faces found in {which_frames(stride)}")
            took_s, passes = _played(scene, seen, recogniser, watchlist, stride, threads)
            side.took_s.append(took_s)
            side.passes += passes
    other_load = max(0.0, others_s() - others) / (time.perf_counter() - began)
    return [
        benchmark_row(
            f"{streets} simulated {'street' if streets == 1 else 'streets'}, faces found in {which_frames(stride)}",
            Timing(tuple(sides[stride].took_s), tuple(sides[1].took_s), other_load),
            items=frames // streets,
            unit="frames",
            peer_name="in every frame",
            parity=_compared(sides[stride], sides[1]),
            version=recogniser.model.version.name,
            threads=threads,
        )
        | {"stride": stride}
        for stride in strides
    ]


def tpir_said(parity: Mapping[str, Any]) -> str:
    """Return what a stride found of listed passes, and lost, as people read it."""
    return (
        f"{100 * parity['tpir']:.1f}% of {parity['listed']} passes where every frame gives "
        f"{100 * parity['tpir_of_peer']:.1f}%: {-100 * parity['tpir_lost']:+.1f} points "
        f"({-100 * parity['tpir_lost_at_most']:+.1f} to {-100 * parity['tpir_lost_at_least']:+.1f}, paired, 95%)"
    )


def _played(
    scene: Scene, seen: Sequence[SceneFrame], recogniser: Recogniser, watchlist: Snapshot, stride: int, threads: int
) -> tuple[float, tuple[PassOutcome, ...]]:
    processor = StreamProcessor(recogniser, watchlist, _RULE, settings=StreamSettings(detect_every=stride))
    began = time.perf_counter()
    results = [
        processor.process(frame, faces=faces)
        for frame, faces in find_ahead(
            (one.frame for one in seen), recogniser.detect, workers=threads, detect_every=stride
        )
    ]
    closing = processor.close(seen[-1].frame.index, seen[-1].frame.time_s)
    took_s = time.perf_counter() - began
    evaluation = SceneEvaluation(scene.passes, watchlist.subjects)
    for one, result in zip(seen, results, strict=True):
        evaluation.add(result, one.truth)
    evaluation.add_alerts(closing)
    return took_s, evaluation.score(faces_seen=processor.faces_seen).passes


def _compared(ours: _Side, peer: _Side) -> dict[str, Any]:
    subjects, subject = np.unique([outcome.subject_id for outcome in peer.listed], return_inverse=True)
    recognised = np.array([[outcome.recognised for outcome in side.listed] for side in (peer, ours)], np.float64)
    trials = np.bincount(subject, minlength=len(subjects))
    events = np.stack([np.bincount(subject, row, minlength=len(subjects)) for row in recognised], axis=1)
    shares = subject_bootstrap(events, trials, replicates=_REPLICATES, rng=np.random.default_rng(0))
    low, high = percentile_interval(shares[:, 0] - shares[:, 1])
    of_peer, of_ours = recognised.mean(axis=1)
    return {
        "tpir_lost": round(float(of_peer - of_ours), 4),
        "tpir_lost_at_least": round(float(low), 4),
        "tpir_lost_at_most": round(float(high), 4),
        "tpir": round(float(of_ours), 4),
        "tpir_of_peer": round(float(of_peer), 4),
        "listed": len(peer.listed),
        "false_alerts": ours.false_alerts,
        "false_alerts_of_peer": peer.false_alerts,
    }
