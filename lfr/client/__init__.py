"""The HTTP client that a field unit imports; it needs no other part of lfr but its errors.

Frames go over plain HTTP posts, several at a time and numbered, so that the
service looks at them in order whichever way they come, and one whose answer
was lost can be sent again without being counted twice.
"""

from lfr.client.answers import FrameResult, RemoteAlert
from lfr.client.field_unit import AsyncFieldUnit, FieldUnit
from lfr.client.streams import AsyncFrameStream, FrameStream

__all__ = ["AsyncFieldUnit", "AsyncFrameStream", "FieldUnit", "FrameResult", "FrameStream", "RemoteAlert"]
