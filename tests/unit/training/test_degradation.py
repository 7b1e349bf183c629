"""Training and measuring degrade faces, each in kinds of its own, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from lfr.models import ALIGNMENT_TEMPLATE
from lfr.training.config import Augmentation, Condition
from lfr.training.degradation import aligned, degraded
from lfr.training.street import as_seen
from lfr.types import FloatArray, Pixels

MARGIN = 16
LANDMARKS: FloatArray = np.array(ALIGNMENT_TEMPLATE, np.float32) + MARGIN
EVERYTHING = Augmentation(
    gaussian_blur=1.0, motion_blur=1.0, jpeg=1.0, light=1.0, noise=1.0, occlusion=1.0, low_resolution=1.0
)


@pytest.fixture(scope="module")
def crop() -> Pixels:
    """A picture of stripes and noise, as large as a face with its margin."""
    rng = np.random.default_rng(0)
    across = np.linspace(0, 40, 144)
    stripes = 127 + 100 * np.sin(across)[None, :, None] * np.cos(across)[:, None, None]
    return (stripes + rng.normal(0, 10, (144, 144, 3))).clip(0, 255).astype(np.uint8)


def detail(picture: Pixels) -> float:
    """Mean difference of neighbours."""
    return float(np.abs(np.diff(picture.astype(np.int16), axis=1)).mean())


def test_a_degraded_face_is_the_same_again_for_the_same_seed_only(crop: Pixels) -> None:
    first, again, other = (
        degraded(crop, LANDMARKS, 100.0, EVERYTHING, np.random.default_rng(seed), mirrored=False) for seed in (1, 1, 2)
    )
    assert first.shape == (112, 112, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_smaller_face_keeps_less_detail(crop: Pixels) -> None:
    def small(px: float) -> Pixels:
        only = Augmentation(
            face_px=(px, px), gaussian_blur=0, motion_blur=0, jpeg=0, light=0, noise=0, occlusion=0, jitter_px=0
        )
        return degraded(crop, LANDMARKS, 100.0, only, np.random.default_rng(0), mirrored=False)

    assert detail(small(20.0)) < detail(small(50.0)) < detail(aligned(crop, LANDMARKS, mirrored=False))


def test_light_takes_blue_for_darker_than_red(crop: Pixels) -> None:
    only_light = Augmentation(
        low_resolution=0, gaussian_blur=0, motion_blur=0, jpeg=0, light=1, noise=0, occlusion=0, jitter_px=0
    )

    def greens(channel: int) -> list[float]:
        """What colour that is taken away leaves in a channel that had nothing, for many draws."""
        coloured = np.zeros_like(crop)
        coloured[..., channel] = 255
        lit = (degraded(coloured, LANDMARKS, 100.0, only_light, np.random.default_rng(s), mirrored=False)
               for s in range(20))  # fmt: skip
        return [float(face[..., 1].mean()) for face in lit]

    blue, red = greens(0), greens(2)
    assert max(blue) > 0
    assert all(b <= r for b, r in zip(blue, red, strict=True))


def test_a_face_that_nothing_is_done_to_is_the_aligned_one(crop: Pixels) -> None:
    nothing = Augmentation(
        low_resolution=0, gaussian_blur=0, motion_blur=0, jpeg=0, light=0, noise=0, occlusion=0, jitter_px=0
    )
    made = degraded(crop, LANDMARKS, 100.0, nothing, np.random.default_rng(0), mirrored=False)
    assert np.array_equal(made, crop[MARGIN:-MARGIN, MARGIN:-MARGIN])
    mirrored = degraded(crop, LANDMARKS, 100.0, nothing, np.random.default_rng(0), mirrored=True)
    assert np.array_equal(mirrored, made[:, ::-1])


def test_a_detector_that_is_off_moves_the_face_as_a_whole() -> None:
    ramp = np.repeat(np.arange(144, dtype=np.uint8)[None, :, None], 144, axis=0).repeat(3, axis=2)
    still = Augmentation(
        low_resolution=0, gaussian_blur=0, motion_blur=0, jpeg=0, light=0, noise=0, occlusion=0, jitter_px=0
    )
    there, off = (
        degraded(ramp, LANDMARKS, 100.0, how, np.random.default_rng(0), mirrored=False).astype(int)
        for how in (still, still.model_copy(update={"shift_px": 4.0}))
    )
    moved = (off - there)[8:-8, 8:-8]
    assert abs(moved.mean()) > 1
    assert moved.max() - moved.min() <= 2  # rounding, and no turn or change of size


@pytest.mark.parametrize(
    ("condition", "less_detail"),
    [
        (Condition(name="defocus", defocus_px=(3.0, 3.0)), True),
        (Condition(name="webp", webp_quality=(5, 5)), True),
        (Condition(name="noise", noise=(20.0, 20.0)), False),
    ],
)
def test_a_measuring_condition_changes_the_picture_as_its_name_says(
    crop: Pixels, condition: Condition, less_detail: bool
) -> None:
    seen = as_seen(crop, 100.0, condition, np.random.default_rng(0))
    assert seen.shape == crop.shape
    assert (detail(seen) < detail(crop)) == less_detail


def test_a_measured_face_is_as_high_as_the_condition_says(crop: Pixels) -> None:
    seen = as_seen(crop, 96.0, Condition(name="small", face_px=(24.0, 24.0)), np.random.default_rng(0))
    assert seen.shape == (36, 36, 3)
    assert (
        as_seen(crop, 20.0, Condition(name="small", face_px=(24.0, 24.0)), np.random.default_rng(0)).shape == crop.shape
    )


def test_the_clean_condition_leaves_a_picture_as_it_is(crop: Pixels) -> None:
    assert np.array_equal(as_seen(crop, 100.0, Condition(name="clean"), np.random.default_rng(0)), crop)


def test_darkness_is_darker(crop: Pixels) -> None:
    dark = as_seen(crop, 100.0, Condition(name="dark", gamma=(3.0, 3.0)), np.random.default_rng(0))
    assert dark.mean() < 0.7 * crop.mean()


def only(**what: object) -> Augmentation:
    """Nothing but this."""
    nothing = dict.fromkeys(
        ("low_resolution", "gaussian_blur", "motion_blur", "jpeg", "light", "noise", "occlusion", "jitter_px"), 0
    )
    return Augmentation.model_validate({**nothing, **what})


@pytest.mark.parametrize(
    ("augmentation", "less_detail"),
    [
        (only(gaussian_blur=1, gaussian_sigma=(1.0, 1.0)), True),
        (only(motion_blur=1, motion_px=(6.0, 6.0)), True),
        (only(jpeg=1, jpeg_quality=(5, 5)), True),
        (only(noise=1, noise_sigma=(30.0, 30.0)), False),
    ],
    ids=["blur", "motion", "jpeg", "noise"],
)
def test_each_kind_of_spoiling_does_to_a_face_what_its_name_says(
    crop: Pixels, augmentation: Augmentation, less_detail: bool
) -> None:
    clean = aligned(crop, LANDMARKS, mirrored=False)
    # Many draws: a line of motion along the stripes leaves them.
    seen = [
        detail(degraded(crop, LANDMARKS, 100.0, augmentation, np.random.default_rng(seed), mirrored=False))
        for seed in range(8)
    ]
    assert (np.mean(seen) < 0.97 * detail(clean)) == less_detail
    assert np.mean(seen) != pytest.approx(detail(clean), rel=0.02)


def test_a_box_of_one_grey_covers_a_part_of_a_face(crop: Pixels) -> None:
    clean = aligned(crop, LANDMARKS, mirrored=False)
    seen = degraded(crop, LANDMARKS, 100.0, only(occlusion=1), np.random.default_rng(3), mirrored=False)
    covered = (seen != clean).any(axis=2)
    assert 0.015 < covered.mean() < 0.16
    assert len(np.unique(seen[covered])) == 1
