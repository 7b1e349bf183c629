"""What a person may see of a frame."""

from __future__ import annotations

import cv2
import numpy as np

from lfr.models import Model
from lfr.pipeline import Recogniser, draw_preview
from lfr.sources import demo_portraits, read_image
from lfr.types import Faces, Tracks


def two_tracks(faces: Faces, ids: tuple[int, ...]) -> Tracks:
    n = len(ids)
    return Tracks(
        np.array(ids, np.int64),
        faces.xyxy[:n],
        np.arange(n, dtype=np.int64),
        np.ones(n, np.bool_),
        np.zeros(0, np.int64),
    )


def test_everybody_is_blurred_but_the_person_in_an_alert(model: Model) -> None:
    recogniser = Recogniser(model)
    a, b = (read_image(p.path) for p in demo_portraits()[:4:3])
    pixels = np.full((300, 600, 3), 110, np.uint8)
    pixels[40:264, 40:264], pixels[40:264, 330:554] = a, b
    faces = recogniser.detect(pixels)
    faces = faces[np.argsort(faces.xyxy[:, 0])]
    templates = recogniser.embed(recogniser.crops(pixels, faces)[0])

    shown = draw_preview(pixels, faces=faces, tracks=two_tracks(faces, (7, 8)), alerted={8: "s002 0.51"})

    after = recogniser.embed(recogniser.crops(shown, faces)[0])
    alike = (templates.vectors * after.vectors).sum(axis=1)
    assert alike[0] < 0.3, "the blurred face is not recognisable as itself"
    assert alike[1] > 0.9, "the face in the alert is"
    assert (pixels[40:264, 40:264] == a).all(), "the frame itself is left alone"


def test_a_face_without_a_track_is_blurred_too(model: Model) -> None:
    pixels = read_image(demo_portraits()[0].path)
    pixels = np.asarray(cv2.copyMakeBorder(pixels, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=(90, 90, 90)), np.uint8)
    faces = Recogniser(model).detect(pixels)
    nobody = Tracks(*two_tracks(faces, ()).__dict__.values())
    shown = draw_preview(pixels, faces=faces, tracks=nobody, alerted={})
    assert len(Recogniser(model).detect(shown)) == 0


def test_a_face_at_the_edge_of_the_picture_is_no_error() -> None:
    faces = Faces(
        np.array([[-20, -20, 15, 15], [700, 700, 720, 720]], np.float32),
        np.zeros((2, 5, 2), np.float32),
        np.ones(2, np.float32),
    )
    shown = draw_preview(
        np.zeros((100, 100, 3), np.uint8), faces=faces, tracks=two_tracks(faces, (1, 2)), alerted={2: "x"}
    )
    assert shown.shape == (100, 100, 3)
