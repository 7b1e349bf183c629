"""Faces over time: tracks, and which faces of a track are worth embedding."""

from __future__ import annotations

from lfr.tracking.shots import BestShots
from lfr.tracking.tracker import Tracker, TrackerSettings

__all__ = ["BestShots", "Tracker", "TrackerSettings"]
