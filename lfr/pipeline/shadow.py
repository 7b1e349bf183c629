"""A version in the shadow: it sees one camera's frames beside the field version, alerts nobody and keeps nothing.

What leaves it is which entries it decided for and how many passed; who those
entries are is forgotten once the two versions' decisions are compared.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from lfr.alerts.shadow_counts import ShadowCounts
from lfr.matching import DecisionRule
from lfr.pipeline.stream import AlertProposal, FaceReader, References, StreamProcessor, StreamSettings
from lfr.sources import decode_image
from lfr.types import Frame, Pixels

__all__ = ["Agreement", "ShadowEye", "ShadowSight", "ShadowWatch"]


@dataclass(frozen=True)
class ShadowSight:
    """What a shadow says of one frame, or of a stream's end.

    Attributes
    ----------
    passes
        Tracks that are new since it last said so.
    entries
        Entries that it decided for: no score, and nothing of a face.
    """

    passes: int
    entries: tuple[str, ...]


class ShadowEye(Protocol):
    """A shadow at one camera: `ShadowWatch`, here or in another process."""

    def look(self, picture: bytes | Pixels, time_s: float) -> ShadowSight:
        """Take the next frame of the stream, encoded or (height, width, 3) BGR, which is left as it is."""
        ...

    def end_stream(self) -> ShadowSight:
        """Decide for the tracks that the stream's end cuts off, and begin anew."""
        ...


class ShadowWatch:
    """The pipeline of a shadow at one camera: the field version's, with a model, list and threshold of its own.

    Parameters
    ----------
    reader
        With the shadow's model.
    references
        The sealed list, enrolled with that model.
    rule
        Shots and fusion of the deployment, threshold of the shadow's own calibration.
    settings
        As the field version's.
    max_pixels
        Most pixels of a frame.
    """

    def __init__(
        self,
        reader: FaceReader,
        references: References,
        rule: DecisionRule,
        *,
        settings: StreamSettings,
        max_pixels: int,
    ) -> None:
        self._parts = reader, references, rule
        self._settings, self._max_pixels = settings, max_pixels
        self._begin()

    def look(self, picture: bytes | Pixels, time_s: float) -> ShadowSight:
        """Take the next frame of the stream; its pixels, crops and templates are overwritten before it returns.

        Raises
        ------
        ImageError
            It is no picture that can be used.
        """
        if isinstance(picture, bytes):
            pixels = decode_image(picture, name="frame", max_pixels=self._max_pixels)
        else:
            pixels = picture.copy()
        try:
            self._last = self._index, time_s
            result = self._processor.process(Frame(self._index, time_s, pixels))
        finally:
            pixels[:] = 0
        self._index += 1
        return self._sight(result.proposals)

    def end_stream(self) -> ShadowSight:
        """Decide for the tracks that the stream's end cuts off, and begin anew."""
        sight = self._sight(self._processor.close(*self._last))
        self._begin()
        return sight

    def _begin(self) -> None:
        self._processor = StreamProcessor(*self._parts, settings=self._settings)
        self._index = self._told = 0
        self._last = (0, 0.0)

    def _sight(self, proposals: tuple[AlertProposal, ...]) -> ShadowSight:
        passes, self._told = self._processor.faces_seen - self._told, self._processor.faces_seen
        return ShadowSight(passes, tuple(proposal.subject_id for proposal in proposals))


class Agreement:
    """Counts on which entries two versions decide alike at one camera.

    Two decisions are one when they are for the same entry, one of each
    version, and their frames were captured at most ``within_s`` apart: the
    cool-down in which neither version would decide for that entry again, so
    that both are taken to be about one pass. Each decision is paired at most
    once, the earliest first. One that finds no partner in that time, or
    before the stream ends, is of its own version only.

    Until then an entry's id and a time are held in memory, and nothing else.

    Parameters
    ----------
    within_s
        Seconds of capture time.
    """

    def __init__(self, *, within_s: float) -> None:
        self._within_s = within_s
        self._open: dict[str, deque[tuple[str, float]]] = {"field": deque(), "shadow": deque()}
        self._both = self._only_field = self._only_shadow = 0

    @property
    def counts(self) -> ShadowCounts:
        """Decisions that are settled so far."""
        return ShadowCounts(both=self._both, only_field=self._only_field, only_shadow=self._only_shadow)

    def decided(self, time_s: float, *, field: tuple[str, ...] = (), shadow: tuple[str, ...] = ()) -> None:
        """Take the entries that each version decided for at a frame; times of one stream do not fall."""
        self._settle(before_s=time_s - self._within_s)
        for own, other, entries in (("field", "shadow", field), ("shadow", "field", shadow)):
            for entry_id in entries:
                partner = next((seen for seen in self._open[other] if seen[0] == entry_id), None)
                if partner is None:
                    self._open[own].append((entry_id, time_s))
                else:
                    self._open[other].remove(partner)
                    self._both += 1

    def end_stream(self) -> None:
        """Settle what is open: another stream has a clock of its own."""
        self._settle(before_s=float("inf"))

    def _settle(self, *, before_s: float) -> None:
        for version, waiting in self._open.items():
            while waiting and waiting[0][1] < before_s:
                waiting.popleft()
                if version == "field":
                    self._only_field += 1
                else:
                    self._only_shadow += 1
