"""What the service reads itself for a camera: a stream, a device or a file of its configuration, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from lfr.database import Store
from lfr.deployments import Feed, feed_of, note_feed
from lfr.serving.camera import CameraPost, FrameReader
from lfr.serving.reading import Opener, Reading
from lfr.serving.tally import FedFrames, Tally
from lfr.sources import is_recorded, open_source

__all__ = ["Feeder"]


class Feeder:
    """Reads for one camera what its row says is to be read.

    Parameters
    ----------
    store, post
        Where, and the camera.
    deployment_id, camera_id
        Which one.
    reader
        Looks for faces.
    detect_every
        In one of so many frames.
    open_with
        Opens one.
    """

    def __init__(
        self,
        store: Store,
        post: CameraPost,
        deployment_id: str,
        camera_id: str,
        *,
        reader: FrameReader,
        detect_every: int = 1,
        open_with: Opener = open_source,
    ) -> None:
        self._store, self._post, self._reader = store, post, reader
        self._about, self._open, self._detect_every = (deployment_id, camera_id), open_with, detect_every
        self._lock = threading.Lock()
        self._reading: Reading | None = None
        self._tally = Tally(deployment_id, camera_id)

    @property
    def reads(self) -> Feed | None:
        """What it reads now."""
        reading = self._reading
        return reading.feed if reading is not None and reading.alive else None

    def taken(self) -> FedFrames | None:
        """Return what was read since the last call; None: never anything."""
        return self._tally.take()

    def look(self, addresses: Mapping[str, str]) -> None:
        """Begin to read what the camera's row asks for.

        Parameters
        ----------
        addresses
            Of each source by its name: nothing else is ever opened.

        Raises
        ------
        StoreUnavailableError
            The database cannot be asked.
        """
        if not self._lock.acquire(blocking=False):
            return  # somebody looks, or waits for what was read before to end
        try:
            feed = feed_of(self._store, *self._about)
            if feed is None or not feed.active or ((reads := self.reads) is not None and reads.id == feed.id):
                return
            spec = addresses.get(feed.source)
            if spec is None:
                note_feed(self._store, feed, "failed", "this service's configuration has no source of that name")
            elif feed.state != "asked" and is_recorded(spec):
                # From its beginning everybody would be counted, and alert, a second time.
                note_feed(self._store, feed, "failed", "broke off with the camera's process; begin it again")
            else:
                self.close()
                self._reading = Reading(
                    self._store,
                    self._post,
                    feed,
                    spec,
                    self._reader,
                    self._open,
                    self._tally,
                    detect_every=self._detect_every,
                )
        finally:
            self._lock.release()

    def stop(self) -> None:
        """Have what is read end soon."""
        if self._reading is not None:
            self._reading.stop()

    def close(self) -> None:
        """End what is read, and wait for that."""
        if self._reading is not None:
            self._reading.close()
