"""What a street camera does to a face, drawn anew for each image and epoch.

Resizing, blur and light are torchvision's transforms v2; JPEG is OpenCV's, because torchvision's needs its compiled
operators; motion blur and occlusion, which it has not in this form, are written here. What measures a model is in
`lfr.training.street`, and is of other kinds: another resampler, another codec, another blur.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

import lfr.models._torchvision  # noqa: F401 # before torchvision
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE
from lfr.training.config import Augmentation
from lfr.types import FloatArray, Pixels
from lfr.vision import align

from torchvision.transforms.v2 import functional as F  # isort: skip # noqa: N812

__all__ = ["aligned", "degraded"]

_TEMPLATE = np.array(ALIGNMENT_TEMPLATE, np.float32)


def aligned(crop: Pixels, landmarks: FloatArray, *, mirrored: bool) -> Pixels:
    """Return the (112, 112, 3) BGR crop of a face with a margin, as it is.

    Parameters
    ----------
    crop
        (side, side, 3) BGR.
    landmarks
        (5, 2) in it.
    mirrored
        Whether left and right are swapped, after alignment.
    """
    upright = align(crop, landmarks[None])[0]
    return np.ascontiguousarray(upright[:, ::-1]) if mirrored else upright


def degraded(
    crop: Pixels,
    landmarks: FloatArray,
    face_px: float,
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    mirrored: bool,
) -> Pixels:
    """Return the (112, 112, 3) BGR crop of a face as a poor camera would have given it.

    The face is made small and spoilt at that size, then aligned by landmarks
    that are a little off, with the function that live frames go through.

    Parameters
    ----------
    crop, landmarks, mirrored
        As for `aligned`.
    face_px
        Height of the face in the crop.
    augmentation
        What may happen to it.
    rng
        Draws what does.
    """
    picture = torch.from_numpy(np.array(crop)).permute(2, 0, 1)  # a copy: torch takes no read-only array
    scale = 1.0
    if rng.random() < augmentation.low_resolution:
        low, high = np.log(augmentation.face_px)
        scale = min(1.0, float(np.exp(rng.uniform(low, high))) / face_px)
        picture = _made_small(picture, max(8, round(crop.shape[0] * scale)), rng)
        scale = picture.shape[1] / crop.shape[0]
    if rng.random() < augmentation.gaussian_blur:
        sigma = rng.uniform(*augmentation.gaussian_sigma)
        picture = F.gaussian_blur(picture, kernel_size=[5, 5], sigma=[sigma, sigma])
    if rng.random() < augmentation.motion_blur:
        picture = _smeared(picture, rng.uniform(*augmentation.motion_px), rng.uniform(0.0, np.pi))
    if rng.random() < augmentation.light:
        picture = F.adjust_brightness(picture, rng.uniform(0.4, 1.4))
        picture = picture.flip(0)  # grey, which these two mix with, weighs red, green and blue in that order
        picture = F.adjust_contrast(picture, rng.uniform(0.5, 1.3))
        picture = F.adjust_saturation(picture, rng.uniform(0.4, 1.3)).flip(0)
    if rng.random() < augmentation.noise:
        spread = rng.uniform(*augmentation.noise_sigma)
        noise = torch.from_numpy(rng.standard_normal(tuple(picture.shape), dtype=np.float32))
        picture = (picture.float() + spread * noise).clamp_(0, 255).to(torch.uint8)
    small = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    if rng.random() < augmentation.jpeg:
        quality = int(rng.integers(augmentation.jpeg_quality[0], augmentation.jpeg_quality[1] + 1))
        # torchvision's own needs its compiled operators, which a CPU-only torch does not have.
        small = _through_jpeg(small, quality)
    # Pixel centres keep their place when a picture is made small.
    moved = (landmarks + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    moved += rng.normal(0.0, augmentation.jitter_px, moved.shape).astype(np.float32)
    moved += rng.normal(0.0, augmentation.shift_px, 2).astype(np.float32)  # a detector is off with all five at once
    face = aligned(small, moved, mirrored=mirrored)
    if rng.random() < augmentation.occlusion:
        _cover(face, rng)
    return face


def _through_jpeg(picture: Pixels, quality: int) -> Pixels:
    decoded = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def _made_small(picture: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    if side >= picture.shape[1]:
        return picture
    if rng.random() < 0.5:
        resized: Tensor = F.resize(picture, [side, side], antialias=True)
        return resized
    by_area = torch.nn.functional.interpolate(picture[None].float(), size=(side, side), mode="area")[0]
    return by_area.round_().clamp_(0, 255).to(torch.uint8)


def _smeared(picture: Tensor, length: float, angle: float) -> Tensor:
    """A mean along a line of so many pixels, through the middle of each."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for along in np.linspace(-length / 2, length / 2, 4 * half + 1):
        x, y = half + along * np.cos(angle), half + along * np.sin(angle)
        left, top = int(np.floor(x)), int(np.floor(y))
        for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            if 0 <= row < len(kernel) and 0 <= column < len(kernel):
                kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    weights = torch.from_numpy(kernel / kernel.sum())[None, None].repeat(3, 1, 1, 1)
    padded = torch.nn.functional.pad(picture[None].float(), (half,) * 4, mode="replicate")
    return torch.nn.functional.conv2d(padded, weights, groups=3)[0].round_().clamp_(0, 255).to(torch.uint8)


def _cover(face: Pixels, rng: np.random.Generator) -> None:
    """Grey over a box of 2 to 15% of the crop."""
    area = rng.uniform(0.02, 0.15) * CROP_SIDE**2
    ratio = np.exp(rng.uniform(np.log(0.5), np.log(2.0)))
    height, width = (max(1, min(CROP_SIDE, round(v))) for v in (np.sqrt(area * ratio), np.sqrt(area / ratio)))
    top, left = rng.integers(0, CROP_SIDE - height + 1), rng.integers(0, CROP_SIDE - width + 1)
    face[top : top + height, left : left + width] = int(rng.integers(0, 256))
