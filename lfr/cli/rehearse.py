"""``lfr rehearse``: a recorded file against a folder of references. Nothing is stored, nobody is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lfr.cli.console import DetectEveryOption, JsonOption, ModelOption, ThreadsOption, emit, out, recogniser_for, track

if TYPE_CHECKING:
    from lfr.pipeline import AlertProposal

__all__ = ["rehearse"]


def rehearse(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A recorded video, a picture or a folder of pictures.", show_default=False),
    ],
    watchlist: Annotated[
        Path,
        typer.Option(
            "--watchlist", metavar="FOLDER", help="Reference images: `anna.jpg`, or several in a sub-folder `anna`."
        ),
    ],
    threshold: Annotated[
        float, typer.Option("--threshold", min=-1, max=1, help="Score at or over which an alert would be raised.")
    ],
    shots: Annotated[
        int, typer.Option("--shots", min=1, max=20, help="Most faces of one track that are compared.")
    ] = 5,
    detect_every: DetectEveryOption = 1,
    min_face_px: Annotated[
        int | None, typer.Option("--min-face-px", min=10, help="Smallest face that must be found; larger is faster.")
    ] = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """See which alerts a recording would raise. A rehearsal, not an alert.

    Only recorded files: a camera, a stream or a URL is refused, because
    live recognition needs an authorised deployment. Nothing is stored and
    nothing is published. A picture or folder of pictures is taken as one
    frame each, so a face counts as seen in a single frame there.
    """
    from lfr.errors import RefusedError
    from lfr.matching import DecisionRule
    from lfr.pipeline import StreamProcessor, StreamSettings, enrol, find_ahead, folder_references, workers_ahead
    from lfr.settings import read_settings
    from lfr.sources import is_recorded, open_source, source_name
    from lfr.tracking import TrackerSettings

    if not is_recorded(file):
        raise RefusedError(
            f"{source_name(file)}: a rehearsal takes recorded files only; a live source needs an authorised deployment"
        )
    references = folder_references(watchlist)
    workers = workers_ahead(threads or read_settings().threads)
    recogniser = recogniser_for(model, threads=threads, min_face_px=min_face_px, detector_streams=workers)
    snapshot = enrol(references, recogniser, progress=lambda items: track(items, "enrolling", total=len(references)))
    rule = DecisionRule(threshold=threshold, shots=shots)
    alerts: list[dict[str, Any]] = []
    frames = 0
    with open_source(file) as source:
        still = source.fps is None
        tracker = TrackerSettings(confirm_detections=1) if still else TrackerSettings()
        processor = StreamProcessor(
            recogniser, snapshot, rule, settings=StreamSettings(detect_every=detect_every, tracker=tracker)
        )
        last_index, last_s = 0, 0.0
        frames_ahead = find_ahead(source, recogniser.detect, workers=workers, detect_every=detect_every)
        for frame, faces in track(frames_ahead, "rehearsing", total=source.frame_count):
            result = processor.process(frame, faces=faces)
            alerts += [_row(p) for p in result.proposals]
            frames, last_index, last_s = frames + 1, frame.index, frame.time_s
        alerts += [_row(p) for p in processor.close(last_index, last_s)]
    document = {
        "rehearsal": True,
        "source": source.name,
        "frames": frames,
        "faces_seen": processor.faces_seen,
        "alerts": alerts,
        "threshold": threshold,
        "shots": shots,
        "watchlist_size": len(snapshot.subjects),
        "model": {"version": recogniser.model.version.name, "digest": recogniser.model.digest},
    }

    def show() -> None:
        if alerts:
            table = Table("time", "alert for", "score", "track", "shots")
            for a in alerts:
                table.add_row(
                    f"{a['time_s']:.2f} s",
                    a["subject_id"],
                    f"{a['score']:.3f}",
                    str(a["track_id"]),
                    str(a["shots_used"]),
                )
            out.print(table)
        out.print(
            f"{len(alerts)} alerts, {processor.faces_seen} faces seen in {frames} frames, "
            f"{len(snapshot.subjects)} subjects on the watchlist"
        )
        out.print(
            "A rehearsal: nothing was stored, nobody was told, and the threshold is yours, not calibrated.", style="dim"
        )

    emit(document, as_json=json, show=show)


def _row(alert: AlertProposal) -> dict[str, Any]:
    return {
        "subject_id": alert.subject_id,
        "time_s": round(alert.time_s, 3),
        "score": round(alert.score, 4),
        "track_id": alert.track_id,
        "shots_used": alert.shots_used,
        "frame": alert.frame_index,
        "xyxy": [round(v, 1) for v in alert.xyxy],
    }
