"""Counters for Prometheus: numbers of faces and alerts, never anything of one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

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
        self.alerts = Counter("lfr_alerts", "Alerts committed.", camera, registry=self.registry)
        self.adjudications = Counter(
            "lfr_adjudications", "Adjudications, by decision.", ("decision",), registry=self.registry
        )
        self.stage = Histogram(
            "lfr_frame_seconds", "Time of a frame, by stage.", ("stage",), buckets=_SECONDS, registry=self.registry
        )
        self.waiting = Gauge("lfr_frames_waiting", "Frames on their way now.", registry=self.registry)
        self.events_open = Gauge("lfr_event_streams", "Streams of events open now.", registry=self.registry)
        self.model = Info("lfr_model", "The model version that runs.", registry=self.registry)
        self.watchlist = Gauge(
            "lfr_watchlist_info", "Watchlist digest of a deployment in use.", ("deployment", "digest"),
            registry=self.registry,
        )  # fmt: skip

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return generate_latest(self.registry)
