"""Presentation: a printed or shown face instead of a person; there is no defence, and this is how often it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from lfr.deployments.calibrations import shipped_calibration
from lfr.matching import DecisionRule
from lfr.models import Model
from lfr.pipeline import Recogniser, StreamProcessor, enrol
from lfr.sources import demo_portraits, read_image
from lfr.types import Frame, Pixels
from tests.drills.finding import Finding, Length

__all__ = ["PROMISE", "drills"]

PROMISE = "A picture of a face is a face"
_WH, _FRAMES = (640, 360), 12
_SIDE = 224
Shown = Callable[[Pixels, np.random.Generator], Pixels]


def drills(model: Model, length: Length) -> Iterator[Finding]:
    """Show people on the list as themselves, as a print with a border, and on a screen with moiré."""
    listed = _listed(most={"short": 4, "normal": 12, "long": 99}[length])
    recogniser = Recogniser(model)
    references = enrol([(name, paths[0]) for name, paths in listed.items()], recogniser)
    rule = DecisionRule(threshold=shipped_calibration().threshold, shots=5)
    for what, shown in (("in person", _in_person), ("printed", _printed), ("on a screen", _on_a_screen)):
        rng, alerted = np.random.default_rng(20260302), 0
        for name, paths in listed.items():
            processor = StreamProcessor(recogniser, references, rule)
            face = shown(cv2.resize(read_image(paths[1]), (_SIDE, _SIDE)).astype(np.uint8), rng)
            found = [
                proposal.subject_id
                for index in range(_FRAMES)
                for proposal in processor.process(Frame(index, index / 10, _frame(face, index))).proposals
            ]
            found += [proposal.subject_id for proposal in processor.close(_FRAMES, _FRAMES / 10)]
            alerted += name in found
        yield Finding(PROMISE, f"people on the list, {what}", len(listed), None, f"{alerted} of {len(listed)} alert")


def _listed(*, most: int) -> dict[str, tuple[Path, Path]]:
    """Made-up people of whom there are two pictures: one to enrol, one to show."""
    found: dict[str, tuple[Path, Path]] = {}
    for name, some in groupby(demo_portraits(), key=lambda portrait: portrait.subject_id):
        paths = [portrait.path for portrait in some]
        if len(paths) > 1 and len(found) < most:
            found[name] = (paths[0], paths[1])
    return found


def _in_person(face: Pixels, _: np.random.Generator) -> Pixels:
    return face


def _printed(face: Pixels, rng: np.random.Generator) -> Pixels:
    """A sheet with a white border, held a little askew: less contrast, and the paper's grain."""
    paper: Pixels = np.clip(face * 0.75 + 45 + rng.normal(0, 6, face.shape), 0, 255).astype(np.uint8)
    sheet = cv2.copyMakeBorder(paper, 24, 24, 24, 24, cv2.BORDER_CONSTANT, value=(235, 238, 240))
    side = sheet.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    askew = corners + rng.uniform(-0.05, 0.05, (4, 2)).astype(np.float32) * side
    turn = cv2.getPerspectiveTransform(corners, askew)
    held = cv2.warpPerspective(sheet, turn, (side, side), borderValue=(90, 90, 90))
    return np.asarray(held, np.uint8)


def _on_a_screen(face: Pixels, rng: np.random.Generator) -> Pixels:
    """A screen in a dark frame: bluish, brighter, and its lines against the camera's as moiré."""
    rows, columns = np.mgrid[: face.shape[0], : face.shape[1]]
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 9)
    waves = 10 * np.sin(2 * np.pi * (rows * np.sin(angle) + columns * np.cos(angle)) / period)
    lit = 255 * (face / 255.0) ** 0.8 * np.array([1.08, 1.0, 0.94]) + waves[..., None]
    shown: Pixels = np.clip(lit, 0, 255).astype(np.uint8)
    framed = cv2.copyMakeBorder(shown, 24, 24, 24, 24, cv2.BORDER_CONSTANT, value=(15, 15, 15))
    return np.asarray(framed, np.uint8)


def _frame(shown: Pixels, index: int) -> Pixels:
    picture = np.full((_WH[1], _WH[0], 3), 90, np.uint8)
    top, left = (_WH[1] - shown.shape[0]) // 2, 60 + 6 * index
    picture[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return picture
