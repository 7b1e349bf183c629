"""What every source is: a context manager that yields frames in order of time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lfr.types import Frame

__all__ = ["Source"]


class Source(ABC):
    """Frames of one picture, folder, video or camera.

    Attributes
    ----------
    name
        What messages call it: a path, or a URL without its credentials.
    live
        Whether it happens now. A live source yields the newest frame and drops
        the others; a recorded one yields every frame.
    fps
        Frames per second as the source states it; None where it has none.
    frame_count
        Number of frames as the source states it; None where it does not say.
    resolution_wh
        Width and height in pixels of the frames (of the first, for a folder).
    """

    name: str
    live: bool
    fps: float | None
    frame_count: int | None
    resolution_wh: tuple[int, int]

    @property
    def dropped(self) -> int:
        """Frames so far that a live source had and nobody asked for in time; a recorded one drops none."""
        return 0

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a source is iterated once."""

    def close(self) -> None:  # noqa: B027 - a source that holds nothing has nothing to close
        """End the source and its threads; more than once is no error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
