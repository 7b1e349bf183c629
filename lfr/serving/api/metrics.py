"""Counters for Prometheus: numbers of faces and alerts, never anything of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from lfr.serving.alive import HeldFaces
from lfr.serving.tally import FedFrames

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """What one process of the interface counts; a process that starts again starts at zero."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        camera = ("deployment", "camera")
        self.frames = Counter("lfr_frames", "Frames looked at.", camera, registry=self.registry)
        self.refused = Counter(
            "lfr_frames_refused", "Frames refused, by problem.", ("problem",), registry=self.registry
        )
        self.faces_seen = Gauge("lfr_faces_seen", "Tracks of a camera since it began.", camera, registry=self.registry)
        self.dropped = Gauge(
            "lfr_frames_dropped", "Frames of a source that the service reads and did not look at: too many.", camera,
            registry=self.registry,
        )  # fmt: skip
        self.missed = Gauge(
            "lfr_frames_missed", "Frames of a field unit that never came, though later ones did.", camera,
            registry=self.registry,
        )  # fmt: skip
        self.alerts = Counter("lfr_alerts", "Alerts committed.", camera, registry=self.registry)
        self.adjudications = Counter(
            "lfr_adjudications", "Adjudications, by decision.", ("decision",), registry=self.registry
        )
        self.stage = Histogram(
            "lfr_frame_seconds", "Time of a frame, by stage: detect, embed, search, decide, total.", ("stage",),
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.templates = Gauge(
            "lfr_templates_alive", "Templates of people who pass that a part holds now; zero when idle, NaN: unknown.",
            ("part",), registry=self.registry,
        )  # fmt: skip
        self.crops = Gauge(
            "lfr_crops_alive", "Crops of people who pass that a part holds now; zero when idle, NaN: unknown.",
            ("part",), registry=self.registry,
        )  # fmt: skip
        self.waiting = Gauge("lfr_frames_waiting", "Frames on their way now.", registry=self.registry)
        self.events_open = Gauge("lfr_event_streams", "Streams of events open now.", registry=self.registry)
        self.model = Info("lfr_model", "The model version that runs.", registry=self.registry)
        self.watchlist = Gauge(
            "lfr_watchlist_info", "Watchlist digest of a deployment in use.", ("deployment", "digest"),
            registry=self.registry,
        )  # fmt: skip

    def hold(self, held: Mapping[str, HeldFaces | None]) -> None:
        """Take what each part holds of faces now; None: it did not say."""
        for part, faces in held.items():
            self.templates.labels(part).set(float("nan") if faces is None else faces.templates)
            self.crops.labels(part).set(float("nan") if faces is None else faces.crops)

    def read(self, taken: Iterable[FedFrames]) -> None:
        """Count what the service itself read of cameras; of several processes, the one that asked counts it."""
        for fed in taken:
            about = fed.deployment_id, fed.camera_id
            self.frames.labels(*about).inc(fed.frames)
            self.alerts.labels(*about).inc(fed.alerts)
            self.faces_seen.labels(*about).set(fed.faces_seen)
            self.dropped.labels(*about).set(fed.dropped)
            for stages in fed.stages_s:
                for stage, seconds in {**stages, "total": sum(stages.values())}.items():
                    self.stage.labels(stage).observe(seconds)

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return generate_latest(self.registry)
