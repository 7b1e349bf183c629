"""What a simulated scene knows of itself: who is where, and who passed when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lfr.types import FloatArray, Frame, IntArray

__all__ = ["SceneFrame", "ScenePass", "SceneTruth"]


@dataclass(frozen=True, eq=False)
class SceneTruth:
    """Who is where in one frame: everybody in the open with a third of the face in the frame, hidden or not.

    Attributes
    ----------
    subject_id
        n subjects, nearest last.
    pass_id
        (n,) walk that each face belongs to; one walk is one person's pass.
    xyxy
        (n, 4) box of each face as a detector gives it, hairline to chin, cut to the frame.
    visibility
        (n,) share of the face that is in the frame and not hidden, 0..1.
    """

    subject_id: tuple[str, ...]
    pass_id: IntArray
    xyxy: FloatArray
    visibility: FloatArray

    def __post_init__(self) -> None:
        n = len(self.subject_id)
        if self.pass_id.shape != (n,) or self.xyxy.shape != (n, 4) or self.visibility.shape != (n,):
            raise ValueError(f"SceneTruth: {n} subjects, but {len(self.pass_id)} passes, {self.xyxy.shape} boxes")

    def __len__(self) -> int:
        return len(self.subject_id)


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One frame and its truth."""

    frame: Frame
    truth: SceneTruth


@dataclass(frozen=True)
class ScenePass:
    """One walk of one subject through the scene.

    Attributes
    ----------
    pass_id
        Number of the walk, from 0, in the order in which they reach the camera.
    subject_id
        Who walks.
    first_s, last_s
        Times of the first and last frame whose truth names the walk.
    image
        The picture that the walker wears.
    """

    pass_id: int
    subject_id: str
    first_s: float
    last_s: float
    image: Path
