"""One camera's frames to proposals of alerts."""

from __future__ import annotations

import gc

import cv2
import numpy as np
import pytest

from lfr.matching import DecisionRule, Snapshot
from lfr.models import Model
from lfr.pipeline import AlertProposal, FrameResult, Recogniser, StreamProcessor, StreamSettings, enrol
from lfr.sources import demo_portraits, read_image
from lfr.types import Frame, Pixels

FPS = 10.0


@pytest.fixture(scope="module")
def recogniser(model: Model) -> Recogniser:
    return Recogniser(model)


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[Pixels]]:
    portraits: dict[str, list[Pixels]] = {}
    for portrait in demo_portraits()[:9]:
        portraits.setdefault(portrait.subject_id, []).append(read_image(portrait.path))
    return portraits


@pytest.fixture(scope="module")
def watchlist(recogniser: Recogniser) -> Snapshot:
    return enrol([(p.subject_id, p.path) for p in demo_portraits()[:4:3]], recogniser)


def walk(portrait: Pixels, *, frames: int = 12, start: int = 0) -> list[Frame]:
    """A face that moves a little to the right, from frame to frame, on grey."""
    shots = []
    for i in range(frames):
        pixels = np.full((480, 640, 3), 120, np.uint8)
        pixels[100:324, 150 + 4 * i : 374 + 4 * i] = portrait
        shots.append(Frame(start + i, (start + i) / FPS, pixels))
    return shots


def run(processor: StreamProcessor, frames: list[Frame]) -> tuple[list[FrameResult], list[AlertProposal]]:
    results = [processor.process(frame) for frame in frames]
    last = frames[-1]
    return results, [p for r in results for p in r.proposals] + list(processor.close(last.index, last.time_s))


def test_a_listed_person_raises_one_proposal_and_no_more(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    subject = watchlist.subjects[0]
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.45, shots=5))
    _, proposals = run(processor, walk(pictures[subject][1], frames=25))
    assert [p.subject_id for p in proposals] == [subject]
    assert proposals[0].score >= 0.45
    assert processor.faces_seen == 1


def test_an_unlisted_person_raises_none_and_is_counted(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    stranger = next(s for s in pictures if s not in watchlist.subjects)
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.45, shots=5))
    results, proposals = run(processor, walk(pictures[stranger][0]))
    assert proposals == []
    assert processor.faces_seen == 1
    assert sum(result.embedded for result in results) >= 1


def test_a_track_gets_no_more_embeddings_than_its_rule_allows(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    stranger = next(s for s in pictures if s not in watchlist.subjects)
    for shots in (1, 2, 3):
        processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.9, shots=shots))
        results, _ = run(processor, walk(pictures[stranger][0], frames=40))
        assert 1 <= sum(result.embedded for result in results) <= shots


def test_a_mean_rule_decides_at_the_end_of_the_track(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    subject = watchlist.subjects[0]
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.4, shots=20, fusion="mean"))
    frames = walk(pictures[subject][1])
    during = [p for frame in frames for p in processor.process(frame).proposals]
    assert during == []
    (proposal,) = processor.close(frames[-1].index, frames[-1].time_s)
    assert proposal.subject_id == subject


def test_frames_without_detection_still_carry_the_tracks_box(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    settings = StreamSettings(detect_every=3)
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.45, shots=5), settings=settings)
    results, _ = run(processor, walk(pictures[watchlist.subjects[0]][0], frames=18))
    assert [r.detected for r in results] == [i % 3 == 0 for i in range(18)]
    late = results[-1]
    assert not late.detected
    assert len(late.faces) == 0
    assert len(late.tracks) == 1
    centre = late.tracks.xyxy[0, [0, 2]].mean()
    assert centre == pytest.approx(150 + 4 * 17 + 112, abs=12)


def test_a_second_pass_within_the_cooldown_raises_nothing(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    subject = watchlist.subjects[0]
    twice = walk(pictures[subject][1]) + walk(pictures[subject][1], start=60)
    for cooldown_s, expected in ((30.0, 1), (2.0, 2)):
        settings = StreamSettings(cooldown_s=cooldown_s)
        processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.45, shots=3), settings=settings)
        _, proposals = run(processor, twice)
        assert len(proposals) == expected
        assert processor.faces_seen == 2


def test_a_blurred_face_does_not_pass_the_gate(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    blurred = np.asarray(cv2.GaussianBlur(pictures[watchlist.subjects[0]][0], (0, 0), 9), np.uint8)
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.1, shots=5))
    results, proposals = run(processor, walk(blurred))
    assert any(len(result.faces) for result in results), "the detector still sees a face"
    assert sum(result.embedded for result in results) == 0
    assert proposals == []


def test_nothing_but_scores_is_kept_of_a_track(
    recogniser: Recogniser, watchlist: Snapshot, pictures: dict[str, list[Pixels]]
) -> None:
    stranger = next(s for s in pictures if s not in watchlist.subjects)
    processor = StreamProcessor(recogniser, watchlist, DecisionRule(threshold=0.9, shots=3))
    for frame in walk(pictures[stranger][0]):
        processor.process(frame)
    del frame
    gc.collect()
    held = reachable_arrays(processor, beyond=(recogniser, watchlist))
    assert not [a.shape for a in held if a.ndim >= 3 and a.dtype == np.uint8 and a.any()], "no pixels"
    assert not [a.shape for a in held if a.shape[-1:] == (watchlist.references.vectors.shape[1],)], "no templates"


def reachable_arrays(root: object, *, beyond: tuple[object, ...]) -> list[np.ndarray]:
    """Every array that can be reached from an object's state without passing through the objects ``beyond``."""
    seen = {id(o) for o in beyond}
    found: list[np.ndarray] = []
    todo: list[object] = [root]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type) or callable(item):
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            found.append(item)
            if item.base is not None:
                todo.append(item.base)
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            todo += list(item)
        elif hasattr(item, "__dict__"):
            todo.append(vars(item))
    return found
