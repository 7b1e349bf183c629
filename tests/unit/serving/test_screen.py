"""A camera's picture for whoever looks now."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lfr.pipeline import FrameResult
from lfr.serving.screen import Screen
from lfr.types import Faces, Pixels, Tracks

FRAME: Pixels = np.full((72, 128, 3), 90, np.uint8)


def result(*, detected: bool = True) -> FrameResult:
    nothing = np.zeros(0, np.int64)
    tracks = Tracks(nothing, np.zeros((0, 4), np.float32), nothing, np.zeros(0, np.bool_), nothing)
    return FrameResult(0, 0.0, detected, Faces.empty(), tracks, 0, ())


def test_nothing_is_drawn_while_nobody_looks() -> None:
    screen = Screen()
    screen.offer(FRAME, result(), {})
    assert screen.look(after=0) is None
    screen.offer(FRAME, result(), {})
    picture = screen.look(after=0)
    assert picture is not None
    assert picture.jpeg.startswith(b"\xff\xd8\xff")
    assert screen.look(after=picture.number) is None, "it was seen"


def test_a_frame_on_which_faces_were_not_looked_for_is_never_shown() -> None:
    screen = Screen()
    screen.look(after=0)
    screen.offer(FRAME, result(detected=False), {})
    assert screen.look(after=0) is None


def test_a_picture_goes_when_it_is_old_when_nobody_looks_and_when_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    screen = Screen()

    def drawn() -> Screen:
        screen.look(after=0)
        screen.offer(FRAME, result(), {})
        return screen

    drawn().forget()
    assert screen.look(after=0) is None
    now += 1
    assert drawn().look(after=0) is not None
    now += 2.5
    assert screen.look(after=0) is None, "what was seen seconds ago is not what the camera sees"
    drawn()
    now += 4
    screen.offer(FRAME, result(), {})
    assert screen.look(after=0) is None


def test_five_pictures_a_second_are_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    screen = Screen()
    numbers = set()
    for _ in range(30):
        screen.look(after=0)
        screen.offer(FRAME, result(), {})
        found = screen.look(after=0)
        numbers.add(found.number if found else 0)
        now += 1 / 30
    assert len(numbers) <= 6
