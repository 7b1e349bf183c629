"""What a camera does for the shadow: hand it frames without waiting, compare what both versions decided, and count.

Whatever the shadow does, the camera goes on: frames that find it busy or not
opened are skipped, errors are counted, and both stand in the record. Pictures
wait only for a shadow that can look at them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from lfr.access import Principal
from lfr.alerts.shadow_counts import ShadowCounts, ShadowVersion, count_shadow
from lfr.database import Store
from lfr.deployments import LiveDeployment, record_use
from lfr.errors import LfrError
from lfr.pipeline import StreamSettings
from lfr.pipeline.shadow import Agreement, ShadowEye, ShadowSight
from lfr.serving.alive import HeldFaces
from lfr.serving.crossing import SentFrame
from lfr.watchlist import alertable

__all__ = ["OpenedShadow", "ShadowFeed"]

_LOG = logging.getLogger(__name__)
_WAITING = 4
_AGAIN_S = 30.0
_COUNT_EVERY_S = 5.0
_END_S = 0.5


@dataclass(frozen=True)
class OpenedShadow:
    """A shadow that can look at a camera's frames.

    Attributes
    ----------
    eye
        Looks.
    enrolled, failures_to_enrol
        Reference images with and without a template of its model.
    """

    eye: ShadowEye
    enrolled: int
    failures_to_enrol: int


@dataclass
class _Item:
    """A frame of the field version: the picture, unless it is skipped, and who was alerted for; no time: an end."""

    time_s: float | None
    alerted: tuple[str, ...]
    picture: SentFrame | None = field(default=None, repr=False)

    def let_go(self) -> bool:
        """Keep nothing of the picture, overwritten where it is pixels; whether there was one."""
        picture, self.picture = self.picture, None
        if picture is not None and not isinstance(picture, bytes):
            picture[:] = 0
        return picture is not None

    @property
    def ends_stream(self) -> bool:
        return self.time_s is None


class ShadowFeed:
    """One camera's frames for the shadow, on a thread of its own.

    Parameters
    ----------
    store, deployment, camera_id
        Which camera.
    shadow
        Which version looks on.
    open_shadow
        Makes it ready, as long as that takes; called again after it failed.
    """

    def __init__(
        self,
        store: Store,
        deployment: LiveDeployment,
        camera_id: str,
        shadow: ShadowVersion,
        *,
        open_shadow: Callable[[], OpenedShadow],
    ) -> None:
        self._store, self._deployment, self._camera_id = store, deployment, camera_id
        self._shadow, self._open = shadow, open_shadow
        self._agreement = Agreement(within_s=StreamSettings().cooldown_s)
        self._counts, self._told = ShadowCounts(), ShadowCounts()
        self._opened: OpenedShadow | None = None
        self._enrolment: tuple[int, int] | None = None
        self._again_at, self._counted_at = float("-inf"), time.monotonic()
        self._why = ""
        self._principal: Principal | None = None
        self._turn, self._counting = threading.Condition(), threading.Lock()
        self._waiting: deque[_Item] = deque()
        self._now: _Item | None = None
        self._thread: threading.Thread | None = None
        self._closing = self._closed = False
        self._last_s = 0.0

    @property
    def counts(self) -> ShadowCounts:
        """What it came to so far."""
        with self._turn:
            return self._counts + self._agreement.counts

    def held(self) -> HeldFaces:
        """Return how many pictures wait for the shadow or are before it, as crops."""
        with self._turn:
            items = (self._now, *self._waiting)
            return HeldFaces(crops=sum(item is not None and item.picture is not None for item in items))

    def see(self, principal: Principal, picture: SentFrame, time_s: float, alerted: tuple[str, ...]) -> None:
        """Take a frame that the field version has looked at; never waits for the shadow, and never raises.

        Until the shadow is opened, which the first frame asks for, frames are skipped and their pictures not kept.

        Parameters
        ----------
        principal
            Who sent it.
        picture
            The frame as it came; pixels are copied, because the camera overwrites its own.
        time_s
            When it was captured.
        alerted
            Entries that the field version alerted for at it.
        """
        with self._turn:
            if self._closing:
                return
            self._principal = principal
            busy = sum(item.picture is not None for item in self._waiting) >= _WAITING
            skipped = busy or self._opened is None
            if skipped:
                self._add(skipped=1)
            asks_to_open = self._opened is None and not self._waiting
            if alerted or asks_to_open or not skipped:
                kept = None if skipped else picture if isinstance(picture, bytes) else picture.copy()
                self._put(_Item(time_s, alerted, kept))

    def end_stream(self, alerted: tuple[str, ...] = ()) -> None:
        """Have the shadow end the stream as the field version did, with its last alerts; never waits, never raises."""
        with self._turn:
            if self._thread is not None and not self._closing:
                self._put(_Item(None, alerted))

    def close(self) -> None:
        """Settle, count, and log that the use ended; what still waits is skipped, and a busy shadow not waited for."""
        with self._turn:
            if self._closing or self._thread is None:
                self._closing = True
                return
            self._closing = True
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._now is None, timeout=_END_S)
            self._closed = True
            for item in (self._now, *self._waiting):
                if item is not None:
                    self._tally(item, None)
                    self._add(skipped=int(item.let_go()))
            self._waiting.clear()
            self._agreement.end_stream()
        with suppress(LfrError):
            self._count()
        with suppress(LfrError):  # one that cannot be kept takes not the other with it
            self._log({"use": "shadow ends", **self.counts.as_dict(), "failure": self._why})

    def _put(self, item: _Item) -> None:
        self._waiting.append(item)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"shadow {self._camera_id}", daemon=True)
            self._thread.start()
        self._turn.notify_all()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting or self._closing, timeout=_COUNT_EVERY_S)
                if self._closing:
                    return
                item = self._now = self._waiting.popleft() if self._waiting else None
            if item is not None:
                self._take(item)
            if time.monotonic() - self._counted_at > _COUNT_EVERY_S and self.counts != self._told:
                with suppress(LfrError):
                    self._count()

    def _take(self, item: _Item) -> None:
        """Show the shadow an item, and tally what comes of it."""
        sight: ShadowSight | None = None
        picture = item.picture  # the item's own may be let go meanwhile
        try:
            sight = self._shown(item, picture)
            added: dict[str, int] = (
                {} if sight is None else {"frames": int(picture is not None), "passes": sight.passes}
            )
        except Exception as error:  # noqa: BLE001 # whatever a candidate does, the field version goes on
            self._failed(error)
            added = {"failed": int(picture is not None)}
        with self._turn:
            item.let_go()
            if not self._closed:  # else it was settled without
                self._tally(item, sight)
                self._add(**added)
            self._now = None
            self._turn.notify_all()

    def _shown(self, item: _Item, picture: SentFrame | None) -> ShadowSight | None:
        """Show the shadow a frame or a stream's end; what it says, if it was shown anything."""
        if self._opened is None:
            if time.monotonic() < self._again_at:
                return None
            self._again_at = time.monotonic() + _AGAIN_S  # where it cannot be opened
            self._opened = self._open()
            self._began(self._opened)
        if item.ends_stream:
            sight = self._opened.eye.end_stream()
        elif picture is not None and item.time_s is not None:
            sight = self._opened.eye.look(picture, item.time_s)
        else:
            return None
        if sight.entries:
            # The field version does not alert for an entry that is suspended or has expired; nor would this one.
            may = alertable(self._store, self._deployment.watchlist_id)
            sight = replace(sight, entries=tuple(entry for entry in sight.entries if entry in may))
        return sight

    def _failed(self, error: Exception) -> None:
        with self._turn:
            opened, self._opened = self._opened, None
            if opened is not None:
                self._again_at = float("-inf")  # it was ready once; it begins anew with what comes next
            for waiting in self._waiting:  # not for as long as that takes
                self._add(skipped=int(waiting.let_go()))
        # The text of an error that is not lfr's own may hold what it was given.
        why = str(error) if isinstance(error, LfrError) else type(error).__name__
        if why != self._why:
            self._why = why
            _LOG.warning("camera %s: the shadow failed: %s", self._camera_id, why)

    def _tally(self, item: _Item, sight: ShadowSight | None) -> None:
        entries = () if sight is None else sight.entries
        if item.time_s is not None:
            self._last_s = item.time_s
        self._agreement.decided(self._last_s, field=item.alerted, shadow=entries)
        if item.ends_stream:
            self._agreement.end_stream()

    def _add(self, **numbers: int) -> None:
        self._counts += ShadowCounts(**numbers)

    def _began(self, opened: OpenedShadow) -> None:
        if self._enrolment is None:
            about = {"enrolled": opened.enrolled, "failures_to_enrol": opened.failures_to_enrol}
            self._log({"use": "shadow begins", **about})
        self._enrolment = opened.enrolled, opened.failures_to_enrol

    def _count(self) -> None:
        """Add what it came to since the last time to what is kept."""
        with self._counting:
            self._counted_at = time.monotonic()
            counts = self.counts
            enrolled, failures = self._enrolment or (0, 0)
            count_shadow(
                self._store,
                self._deployment.id,
                self._camera_id,
                self._shadow,
                counts - self._told,
                enrolled=enrolled,
                failures_to_enrol=failures,
            )
            self._told = counts

    def _log(self, details: dict[str, object]) -> None:
        if self._principal is not None:
            about = {"shadow": asdict(self._shadow), **details}
            record_use(self._store, self._principal, self._deployment, self._camera_id, details=about)
