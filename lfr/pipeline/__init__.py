"""Frames to proposals of alerts, and pictures to references."""

from lfr.pipeline.ahead import core_count, find_ahead, workers_ahead
from lfr.pipeline.enrolment import enrol, folder_references
from lfr.pipeline.portrait import portrait
from lfr.pipeline.preview import draw_preview
from lfr.pipeline.recogniser import OneFace, Recogniser, read_crops
from lfr.pipeline.stream import AlertProposal, FrameResult, StreamProcessor, StreamSettings

__all__ = [
    "AlertProposal",
    "FrameResult",
    "OneFace",
    "Recogniser",
    "StreamProcessor",
    "StreamSettings",
    "core_count",
    "draw_preview",
    "enrol",
    "find_ahead",
    "folder_references",
    "portrait",
    "read_crops",
    "workers_ahead",
]
