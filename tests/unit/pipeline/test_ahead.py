"""Faces looked for ahead, on several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from lfr.matching import DecisionRule
from lfr.models import load_model
from lfr.pipeline import (
    FrameResult,
    Recogniser,
    StreamProcessor,
    StreamSettings,
    core_count,
    enrol,
    find_ahead,
    workers_ahead,
)
from lfr.sources import Scene, SceneSettings, demo_portraits
from lfr.types import Faces, Frame, Pixels


def frames(count: int) -> list[Frame]:
    return [Frame(i, i / 25.0, np.full((64, 64, 3), i, np.uint8)) for i in range(count)]


def nobody(pixels: Pixels) -> Faces:
    return Faces.empty()


@pytest.mark.parametrize("detect_every", [1, 2, 3])
def test_a_street_gives_what_it_gives_frame_by_frame(detect_every: int) -> None:
    recogniser = Recogniser(load_model("openvino-f32", threads=2, detector_streams=2))
    watchlist = enrol([(p.subject_id, p.path) for p in demo_portraits()[:6:2]], recogniser)
    street = SceneSettings(resolution_wh=(640, 384), duration_s=3.0, fps=10.0, people_per_minute=60.0, seed=3)
    recording = [seen.frame for seen in Scene(demo_portraits(), street).frames()]

    def processor() -> StreamProcessor:
        settings = StreamSettings(detect_every=detect_every)
        return StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.4, shots=5), settings=settings)

    one_by_one, ahead = processor(), processor()
    expected = [one_by_one.process(frame) for frame in recording]
    found = find_ahead(recording, recogniser.detect, workers=2, detect_every=detect_every)
    results = [ahead.process(frame, faces=faces) for frame, faces in found]
    assert sum(len(result.faces) for result in expected) > 5
    assert len(results) == len(expected)
    assert all(same(a, b) for a, b in zip(results, expected, strict=True))
    assert ahead.faces_seen == one_by_one.faces_seen > 0


def same(a: FrameResult, b: FrameResult) -> bool:
    arrays = [(a.faces.xyxy, b.faces.xyxy), (a.faces.score, b.faces.score), (a.tracks.xyxy, b.tracks.xyxy)]
    equal = all(x.shape == y.shape and bool((x == y).all()) for x, y in arrays)
    return equal and (a.frame_index, a.detected, a.proposals) == (b.frame_index, b.detected, b.proposals)


def test_so_many_are_looked_at_at_once_and_no_more_frames_are_taken() -> None:
    both = threading.Barrier(2, timeout=20)
    taken: list[int] = []

    def recording() -> Iterator[Frame]:
        for frame in frames(6):
            taken.append(frame.index)
            yield frame

    def detect(pixels: Pixels) -> Faces:
        both.wait()  # breaks unless two of them meet
        return Faces.empty()

    found = find_ahead(recording(), detect, workers=2)
    first, faces = next(found)
    assert (first.index, faces is not None, taken) == (0, True, [0, 1, 2])
    assert [frame.index for frame, _ in found] == [1, 2, 3, 4, 5]


def test_what_detection_raises_comes_with_its_frame() -> None:
    def detect(pixels: Pixels) -> Faces:
        if pixels[0, 0, 0] == 2:
            raise RuntimeError("no")
        return Faces.empty()

    found = find_ahead(frames(5), detect, workers=2)
    assert [next(found)[0].index for _ in range(2)] == [0, 1]
    with pytest.raises(RuntimeError, match="no"):
        next(found)


def test_left_early_its_threads_end() -> None:
    with closing(find_ahead(frames(9), nobody, workers=3)) as found:
        next(found)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("find faces")]


def test_the_frames_between_have_no_faces() -> None:
    found = list(find_ahead(frames(5), nobody, workers=2, detect_every=2))
    assert [faces is None for _, faces in found] == [False, True, False, True, False]


@pytest.mark.parametrize(("workers", "detect_every"), [(0, 1), (1, 0)])
def test_at_least_one_of_each(workers: int, detect_every: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next(find_ahead(frames(1), nobody, workers=workers, detect_every=detect_every))


def test_a_worker_to_a_thread_and_four_at_most() -> None:
    assert [workers_ahead(threads) for threads in (1, 2, 64)] == [1, 2, 4]
    assert workers_ahead(None) == min(core_count(), 4)
