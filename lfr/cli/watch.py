"""``lfr watch``: the whole pipeline in one process, inside a live deployment."""

from __future__ import annotations

import json as json_
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from lfr.cli.console import DetectEveryOption, JsonOption, ThreadsOption, as_interrupt, emit, err, out, recogniser_for
from lfr.cli.governed import KeyFileOption, acting_key, governed

if TYPE_CHECKING:
    from lfr.alerts import RaisedAlert
    from lfr.deployments import LiveDeployment
    from lfr.pipeline import FrameResult
    from lfr.sources import SourceEvent

__all__ = ["watch"]


def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera (`rtsp://…`, `0`, `/dev/video0`), a video, a picture or a folder of pictures.",
            show_default=False,
        ),
    ],
    deployment: Annotated[str, typer.Option("--deployment", metavar="ID", help="The live deployment.")],
    camera: Annotated[str, typer.Option("--camera", metavar="NAME", help="Which of its cameras this is.")],
    detect_every: DetectEveryOption = 1,
    min_face_px: Annotated[
        int | None, typer.Option("--min-face-px", min=10, help="Smallest face that must be found; larger is faster.")
    ] = None,
    threads: ThreadsOption = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one event a line as it happens, the summary last.")
    ] = False,
    remote: Annotated[
        str | None,
        typer.Option("--remote", metavar="URL", help="Send the frames to the service there; nothing is decided here."),
    ] = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Watch a camera inside a live deployment, and raise alerts for its watchlist.

    For example `lfr watch rtsp://camera.local/street --deployment ID --camera north`.
    Model, threshold and watchlist are those that were authorised. It stops by
    itself within a second when the window closes or the authorisation is
    withdrawn; of faces that do not alert nothing is kept but their number.
    """
    from lfr.deployments import live
    from lfr.pipeline import workers_ahead
    from lfr.pipeline.watching import watch as watch_
    from lfr.settings import read_settings
    from lfr.sources import is_recorded, open_source, source_name

    if json and jsonl:
        raise typer.BadParameter("give --json or --jsonl, not both")
    if remote is not None:
        from lfr.cli.remote import watch_remotely

        if detect_every != 1 or min_face_px is not None or threads is not None:
            raise typer.BadParameter("--detect-every, --min-face-px and --threads are the service's with --remote")
        key = acting_key(key_file)
        with as_interrupt():
            watch_remotely(source, remote, key, deployment=deployment, camera=camera, jsonl=jsonl, json=json)
        return
    with governed(key_file) as (store, principal):
        granted = live(store, principal, deployment)
        granted.check_camera(camera)
        # A live camera's frame gets every thread at once; those of a recording one each, which is more a second.
        workers = workers_ahead(threads or read_settings().threads) if is_recorded(source) else 1
        recogniser = recogniser_for(
            granted.model_version, threads=threads, min_face_px=min_face_px, detector_streams=workers
        )
        granted.check_model(recogniser.model.digest)
        # A terminal gets a table that lives; a log file gets the result only.
        table = err.is_terminal and not json and not jsonl
        seen = _Display(granted, camera, source_name(source), jsonl=jsonl)
        seen.say("started", {"deployment": granted.id, "camera": camera, "source": source_name(source)})
        with as_interrupt(), open_source(source, on_event=seen.source_event) as opened, seen.shown(table=table):
            summary = watch_(
                store,
                principal,
                granted,
                camera_id=camera,
                source=opened,
                recogniser=recogniser,
                detect_every=detect_every,
                workers=workers,
                on_alert=seen.alert,
                on_frame=seen.frame,
            )
    document = {
        "deployment": granted.id,
        "camera": camera,
        "source": source_name(source),
        "demo": granted.demo,
        "notice": granted.notice,
        "stopped": summary.stopped,
        "frames": summary.frames,
        "faces_seen": summary.faces_seen,
        "alerts": [alert.as_dict() for alert in summary.alerts],
        "held_back": summary.held_back,
        "threshold": granted.threshold,
        "shots": granted.rule.shots,
        "watchlist": {"id": granted.watchlist_id, "digest": granted.watchlist_digest, "size": granted.watchlist_size},
        "calibration": granted.calibration_id,
        "model": {"version": granted.model_version, "digest": granted.model_digest},
    }
    if jsonl:
        seen.say("summary", document)
        return

    def show() -> None:
        if summary.alerts:
            out.print(_alerts(summary.alerts))
        out.print(f"stopped: {summary.stopped}")
        out.print(f"{len(summary.alerts)} alerts, {summary.faces_seen} faces seen in {summary.frames} frames")
        if summary.held_back:
            out.print(f"{summary.held_back} matches with suspended or expired entries raised no alert")
        if granted.notice:
            out.print(granted.notice.upper(), style="bold yellow")

    emit(document, as_json=json, show=show)


class _Display:
    """What is shown while it runs: events a line, or a table that lives."""

    def __init__(self, deployment: LiveDeployment, camera: str, source: str, *, jsonl: bool) -> None:
        self._deployment, self._camera, self._source, self._jsonl = deployment, camera, source, jsonl
        self._alerts: list[RaisedAlert] = []
        self._live: Live | None = None

    @contextmanager
    def shown(self, *, table: bool) -> Iterator[None]:
        """Show the table for as long as this lasts, if at all."""
        if not table:
            yield
            return
        with Live(console=err, transient=True, refresh_per_second=8) as self._live:
            yield
        self._live = None

    def say(self, event: str, content: Mapping[str, Any]) -> None:
        """Print one event, at once."""
        if self._jsonl:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            line = {"event": event, "at": at, **({"notice": n} if (n := self._deployment.notice) else {}), **content}
            sys.stdout.write(json_.dumps(line, allow_nan=False) + "\n")
            sys.stdout.flush()

    def alert(self, alert: RaisedAlert) -> None:
        """Tell of an alert that is committed."""
        self._alerts = [*self._alerts[-7:], alert]
        self.say("alert", alert.as_dict())

    def source_event(self, event: SourceEvent) -> None:
        """Tell that the camera came or went."""
        self.say("source", {"kind": event.kind, "attempt": event.attempt, "wait_s": round(event.wait_s, 1)})

    def frame(self, result: FrameResult, faces_seen: int) -> None:
        """Bring the table up to date."""
        if self._live is None:
            return
        left = max(0, int((self._deployment.ends_at - datetime.now(UTC)).total_seconds()))
        counters = Text(
            f"{self._deployment.name}, camera {self._camera}, {self._source}\n"
            f"in view {int(result.tracks.confirmed.sum()):2d}   faces seen {faces_seen:4d}   "
            f"window closes in {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        )
        notice = [Text(self._deployment.notice.upper(), style="bold yellow")] if self._deployment.notice else []
        self._live.update(Group(*notice, counters, _alerts(self._alerts)))


def _alerts(alerts: list[RaisedAlert] | tuple[RaisedAlert, ...]) -> Table:
    table = Table("time", Column("alert", no_wrap=True, min_width=22), "subject", "category", "score", "track")
    for alert in alerts:
        table.add_row(
            alert.created_at.astimezone().strftime("%H:%M:%S"),
            alert.id,
            escape(alert.subject_id),
            escape(alert.category),
            f"{alert.score:.3f}",
            str(alert.track_id),
        )
    return table
