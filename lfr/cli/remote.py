"""``lfr watch --remote``: a camera's frames to a service, its alerts back."""

from __future__ import annotations

import json as json_
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lfr.cli.console import emit, err, out

if TYPE_CHECKING:
    from lfr.client import FrameResult, RemoteAlert
    from lfr.client.streams import TimedFrame
    from lfr.sources import Source

__all__ = ["watch_remotely"]

_JPEG_QUALITY = 95


def watch_remotely(source: str, url: str, key: str, *, deployment: str, camera: str, jsonl: bool, json: bool) -> None:
    """Send a source's frames until it ends, it is interrupted, or the service refuses; then print the summary.

    Raises
    ------
    LfrError
        What the service refuses before any frame was taken, and where it stayed away too long.
    """
    from lfr.client import FieldUnit
    from lfr.errors import NotAuthorisedError
    from lfr.sources import open_source, source_name

    name = source_name(source)
    last: FrameResult | None = None
    alerts: list[RemoteAlert] = []
    frames, stopped = 0, "source ended"

    def say(event: str, content: dict[str, Any]) -> None:
        if jsonl:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            sys.stdout.write(json_.dumps({"event": event, "at": at, **content}, allow_nan=False) + "\n")
            sys.stdout.flush()
        elif event == "way":
            err.print(content["what"], style="yellow", markup=False)
        elif event == "alert" and not json:
            out.print(f"alert for {content['subject_id']}, score {content['score']:.3f}, {content['alert']}")

    with (
        FieldUnit(url, key) as unit,
        unit.frames(deployment, camera, on_event=lambda what: say("way", {"what": what})) as stream,
        open_source(source) as opened,
    ):
        say("started", {"deployment": deployment, "camera": camera, "source": name, "remote": url})
        try:
            for result in stream.results(_encoded(opened)):
                last = result
                frames += result.index >= 0
                for alert in result.alerts:
                    alerts.append(alert)
                    say("alert", dict(alert.document))
        except KeyboardInterrupt:
            stopped = "interrupted"
        except NotAuthorisedError as error:
            if last is None:
                raise
            stopped = str(error)
    document: dict[str, Any] = {
        "deployment": deployment,
        "camera": camera,
        "source": name,
        "remote": url,
        "stopped": stopped,
        "frames": frames,
        "faces_seen": last.faces_seen if last else 0,
        "alerts": [dict(alert.document) for alert in alerts],
        "held_back": last.held_back if last else 0,
    }
    if last is not None:
        about = ("demo", "notice", "threshold", "watchlist", "calibration", "model")
        document |= {name: last.document[name] for name in about}
    if jsonl:
        say("summary", document)
        return

    def show() -> None:
        out.print(f"stopped: {stopped}")
        out.print(f"{len(alerts)} alerts, {document['faces_seen']} faces seen by this camera, {frames} frames sent")
        if document.get("notice"):
            out.print(str(document["notice"]).upper(), style="bold yellow")

    emit(document, as_json=json, show=show)


def _encoded(source: Source) -> Iterator[TimedFrame]:
    """Yield each frame as a JPEG with its time of day; a recording's clock begins now."""
    import cv2

    from lfr.errors import ImageError

    began, last = datetime.now(UTC), datetime(1970, 1, 1, tzinfo=UTC)
    for frame in source:
        at = datetime.fromtimestamp(frame.time_s, UTC) if source.live else began + timedelta(seconds=frame.time_s)
        last = max(at, last + timedelta(microseconds=1))  # files may hold two frames of one time
        done, data = cv2.imencode(".jpg", frame.pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not done:
            raise ImageError(f"{source.name}: frame {frame.index} cannot be encoded")
        yield data.tobytes(), last
