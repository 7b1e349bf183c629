"""Frames from pictures, videos, cameras and the scene simulator."""

from lfr.sources.demo import demo_manifest, demo_portraits
from lfr.sources.images import IMAGE_SUFFIXES, decode_image, read_image
from lfr.sources.live import LiveSource, SourceEvent
from lfr.sources.opening import check_source, is_recorded, open_source, source_name
from lfr.sources.recorded import recorded_pictures
from lfr.sources.scene import Scene
from lfr.sources.scene_portraits import Portrait, read_portraits
from lfr.sources.scene_settings import SceneSettings
from lfr.sources.scene_truth import SceneFrame, ScenePass, SceneTruth
from lfr.sources.source import Source

__all__ = [
    "IMAGE_SUFFIXES",
    "LiveSource",
    "Portrait",
    "Scene",
    "SceneFrame",
    "ScenePass",
    "SceneSettings",
    "SceneTruth",
    "Source",
    "SourceEvent",
    "check_source",
    "decode_image",
    "demo_manifest",
    "demo_portraits",
    "is_recorded",
    "open_source",
    "read_image",
    "read_portraits",
    "recorded_pictures",
    "source_name",
]
