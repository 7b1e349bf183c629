"""The probe of an alert shows one face, and what is dropped is overwritten."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.errors import ImageError
from lfr.pipeline import FrameResult
from lfr.pipeline.probes import Probes
from lfr.sources import decode_image
from lfr.types import Faces, Pixels, Tracks

OWN, BESIDE = (100, 100, 160, 180), (175, 100, 235, 180)


def noise(shape: tuple[int, int, int] = (360, 640, 3)) -> Pixels:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def result_of(*boxes: tuple[int, int, int, int], tracked: bool = True, confirmed: bool = True) -> FrameResult:
    n = len(boxes)
    xyxy = np.array(boxes, np.float32).reshape(n, 4)
    faces = Faces(xyxy, np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32))
    face_index = np.arange(n) if tracked else np.full(n, -1)
    tracks = Tracks(
        np.arange(n), xyxy, face_index.astype(np.int64), np.full(n, confirmed, np.bool_), np.zeros(0, np.int64)
    )
    return FrameResult(0, 0.0, True, faces, tracks, 0, ())


def contrast(pixels: Pixels) -> float:
    return float(np.abs(np.diff(pixels.astype(np.float64), axis=1)).mean())


def test_a_probe_shows_its_own_face_sharp_and_a_neighbours_blurred() -> None:
    probes = Probes()
    probes.update(noise(), result_of(OWN, BESIDE))
    picture = decode_image(probes.jpeg(0), name="probe")
    # Half a side of margin: from (70, 60) to (190, 220).
    assert picture.shape == (160, 120, 3)
    assert contrast(picture[40:120, 30:90]) > 50
    assert contrast(picture[45:115, 108:]) < 15


def test_a_neighbour_that_overlaps_does_not_blur_the_face_itself() -> None:
    probes = Probes()
    probes.update(noise(), result_of(OWN, (150, 100, 210, 180)))
    assert contrast(decode_image(probes.jpeg(0), name="probe")[40:120, 30:90]) > 50


def test_a_large_probe_is_made_smaller_and_one_at_the_edge_is_cut() -> None:
    probes = Probes()
    probes.update(noise((1500, 1500, 3)), result_of((100, 100, 1000, 1100), (1490, 1490, 1600, 1600)))
    assert max(decode_image(probes.jpeg(0), name="probe").shape) == 512
    assert min(decode_image(probes.jpeg(1), name="probe").shape[:2]) >= 1


def test_only_confirmed_tracks_with_a_face_are_held() -> None:
    probes = Probes()
    probes.update(noise(), result_of(OWN, confirmed=False))
    probes.update(noise(), result_of(OWN, tracked=False))
    assert len(probes) == 0
    with pytest.raises(ImageError, match="track 0: no picture"):
        probes.jpeg(0)


def test_the_last_face_stays_until_its_track_is_gone_and_everything_dropped_is_overwritten() -> None:
    probes = Probes()
    seen: list[Pixels] = []
    for result in (result_of(OWN, BESIDE), result_of(OWN), result_of(OWN, tracked=False)):
        probes.update(noise(), result)
        seen.extend(probes._crops.values())
        probes.forget_ended(result.tracks)
    assert set(probes._crops) == {0}
    assert probes.jpeg(0)
    assert sum(crop.any() for crop in {id(c): c for c in seen}.values()) == 1
    probes.forget()
    assert len(probes) == 0
    assert not any(crop.any() for crop in seen)
