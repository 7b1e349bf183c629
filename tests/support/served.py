"""A store with a live demo deployment and keys to use it with, and somebody who walks past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lfr.access import Role
from lfr.evaluation.made_up import MadeUpForce, make_up_force
from lfr.models import Model
from lfr.sources import decode_image, demo_portraits, read_image

__all__ = ["LISTED", "ROLES", "STRANGER", "Served", "served", "walk", "write_walk"]

LISTED, STRANGER, FILLER = "s001", "s006", "s002"
ROLES: tuple[Role, ...] = (
    "operator",
    "watchlist_manager",
    "authorising_officer",
    "auditor",
    "mlops",
    "admin",
    "field_unit",
)
Served = MadeUpForce


def served(home: Path, model: Model, *, database_url: str = "") -> Served:
    """Make a force whose list holds `LISTED` and a filler; its database is empty, blank: SQLite."""
    people = {name: next(p.path for p in demo_portraits() if p.subject_id == name) for name in (LISTED, FILLER)}
    return make_up_force(home, model, people, database_url=database_url)


def walk(subject_id: str, *, frames: int = 12) -> Iterator[bytes]:
    """Somebody crosses the picture: JPEGs of 640x360."""
    face = read_image([p.path for p in demo_portraits() if p.subject_id == subject_id][1])
    for index in range(frames):
        picture = np.full((360, 640, 3), 90, np.uint8)
        picture[70:294, 40 + 4 * index : 264 + 4 * index] = face
        done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert done
        yield data.tobytes()


def write_walk(path: Path, subject_id: str, *, frames: int = 12) -> Path:
    """Write a walk as a video file of ten frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (640, 360))
    assert writer.isOpened()
    for jpeg in walk(subject_id, frames=frames):
        writer.write(decode_image(jpeg, name="a frame"))
    writer.release()
    return path
