"""From pictures to templates in torch, many frames at once, without a pixel leaving the device.

The same steps as `Detector`, `align` and `Embedder`, which it is checked against. It pays on a GPU; on a CPU it runs
too, so that it can be tested anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lfr.errors import ModelError, RuntimeUnavailableError
from lfr.models import ALIGNMENT_TEMPLATE, CROP_SIDE, STRIDES, Model
from lfr.models.torch_network import TorchNetwork
from lfr.types import Embeddings, Faces, Pixels
from lfr.vision.detect import SCORE_THRESHOLD

__all__ = ["DeviceFaces", "DeviceVision"]

_STEP = STRIDES[-1]
_OVERLAPS = 1 << 24  # pairs of boxes compared at once
_CROPS = 256  # cut out at once


@dataclass(frozen=True, eq=False)
class DeviceFaces:
    """Faces of several frames on a device: frame by frame, and in each the highest score first.

    Attributes
    ----------
    frame
        (n,) position of each face's frame in the batch.
    xyxy, landmarks, score
        As in `Faces`: (n, 4), (n, 5, 2) and (n,).
    """

    frame: Tensor
    xyxy: Tensor
    landmarks: Tensor
    score: Tensor

    def __len__(self) -> int:
        return len(self.frame)

    def of_frames(self, count: int) -> list[Faces]:
        """Return the faces of each of ``count`` frames, brought to the host."""
        every = Faces(self.xyxy.cpu().numpy(), self.landmarks.cpu().numpy(), self.score.cpu().numpy())
        ends = torch.bincount(self.frame, minlength=count).cumsum(0).tolist()
        return [every[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class DeviceVision:
    """Detector, alignment and embedder on one device.

    Parameters
    ----------
    model
        A version that runs on torch.
    score_threshold, nms_iou
        As for `Detector`. Memory grows with the square of the cells of a frame that score so.
    batch_size
        Most crops the embedder sees at once.

    Raises
    ------
    RuntimeUnavailableError
        The version runs on something else.
    ModelError
        It was loaded without one of its networks.
    """

    def __init__(
        self, model: Model, *, score_threshold: float = SCORE_THRESHOLD, nms_iou: float = 0.3, batch_size: int = 256
    ) -> None:
        if model.version.runtime != "torch":
            raise RuntimeUnavailableError(
                f"{model.version.name} runs on {model.version.runtime}, whose pictures torch cannot keep on a device; "
                "choose a torch version such as torch-cuda-bf16"
            )
        if not (isinstance(model.detector, TorchNetwork) and isinstance(model.embedder, TorchNetwork)):
            raise ModelError(f"{model.version.name} was loaded without its detector or its embedder")
        self._detector, self._embedder = model.detector, model.embedder
        self._score_threshold, self._nms_iou, self._batch_size = score_threshold, nms_iou, batch_size
        self._template_size = model.embedding_size
        self.model_digest = model.digest
        self.device = model.detector.device
        self._template = torch.tensor(ALIGNMENT_TEMPLATE, dtype=torch.float64, device=self.device)

    @torch.inference_mode()
    def read(self, pixels: Pixels) -> tuple[list[Faces], Embeddings]:
        """Return the faces of each of (f, height, width, 3) BGR frames, and a template for each in their order.

        Frames, crops and templates on the device are overwritten before it returns, also where it fails.
        """
        held = [self.put(pixels)]
        try:
            faces = self.detect(held[0])
            held.append(self.align(held[0], faces))
            held.append(self.embed(held[1]))
            return faces.of_frames(len(pixels)), Embeddings(held[2].cpu().numpy().copy(), self.model_digest)
        finally:
            self.forget(*held)

    @staticmethod
    @torch.inference_mode()
    def forget(*held: Tensor) -> None:
        """Overwrite what the other methods gave."""
        for tensor in held:
            tensor.zero_()

    @torch.inference_mode()
    def put(self, pixels: Pixels) -> Tensor:
        """Return a copy of (f, h, w, 3) frames on the device, black up to sides that are multiples of 32."""
        count, height, width = pixels.shape[:3]
        whole = [-(-side // _STEP) * _STEP for side in (height, width)]
        frames = torch.zeros((count, *whole, 3), dtype=torch.uint8, device=self.device)
        uploaded = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).to(self.device)
        frames[:, :height, :width] = uploaded
        if self.device.type != "cpu":  # there it is the caller's own
            uploaded.zero_()
        return frames

    @torch.inference_mode()
    def detect(self, frames: Tensor) -> DeviceFaces:
        """Return the faces of frames as `put` gives them, at their own size."""
        outputs = self._detector.run(frames)
        classification, objectness, box, landmarks = (
            torch.cat(outputs[3 * kind : 3 * kind + 3], 1) for kind in range(4)
        )
        confidence = classification[..., 0] * objectness[..., 0]
        frame, cell = (confidence >= self._score_threshold**2).nonzero(as_tuple=True)
        origin, stride = _cells(frames.shape[1], frames.shape[2], self.device)
        origin, stride = origin[cell], stride[cell, None]
        centre = (origin + box[frame, cell, :2]) * stride
        half = box[frame, cell, 2:].exp() * (stride / 2)
        found = DeviceFaces(
            frame,
            torch.cat([centre - half, centre + half], 1),
            (landmarks[frame, cell].view(-1, 5, 2) + origin[:, None]) * stride[:, None],
            confidence[frame, cell].sqrt(),
        )
        return _suppressed(found, len(frames), max_iou=self._nms_iou)

    @torch.inference_mode()
    def align(self, frames: Tensor, faces: DeviceFaces) -> Tensor:
        """Return (n, 112, 112, 3) BGR crops of the faces, as `lfr.vision.align` cuts them, on the device.

        Four pixels of the frame are taken for each of the crop, as bytes: `torch.nn.functional.grid_sample` would want
        all frames as floats, and as many faces in each.
        """
        crops = torch.empty((len(faces), CROP_SIDE, CROP_SIDE, 3), dtype=torch.uint8, device=self.device)
        for start in range(0, len(faces), _CROPS):
            part = slice(start, start + _CROPS)
            x, y = self._taken_from(faces.landmarks[part])
            crops[part] = _bilinear(frames, faces.frame[part, None, None], x, y)
        return crops

    @torch.inference_mode()
    def embed(self, crops: Tensor) -> Tensor:
        """Return (n, d) unit-length float32 templates of crops, on the device."""
        if not len(crops):
            return torch.zeros((0, self._template_size), device=self.device)
        parts = [self._embedder.run(part)[0] for part in torch.split(crops, self._batch_size)]
        templates = torch.cat(parts)
        self.forget(*parts)
        return templates.div_(templates.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny))

    def _taken_from(self, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 112, 112) x and y in the frame of each pixel of the crops: the inverse of `similarity_transform`."""
        source, target = (torch.view_as_complex(points.double().contiguous()) for points in (landmarks, self._template))
        source_mean, target_mean = source.mean(1, keepdim=True), target.mean()
        s, t = source - source_mean, target - target_mean
        turn = (s.conj() @ t) / s.abs().square().sum(1)
        side = torch.arange(CROP_SIDE, dtype=torch.float64, device=self.device)
        crop = torch.complex(*torch.meshgrid(side, side, indexing="xy"))
        place = (crop - target_mean) / turn[:, None, None] + source_mean[..., None]
        return place.real, place.imag


def _cells(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(cells, 2) column and row, and (cells,) stride in pixels, of the network's cells in the order of its outputs."""
    origins, strides = [], []
    for stride in STRIDES:
        rows, columns = (torch.arange(side // stride, device=device) for side in (height, width))
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        origins.append(torch.stack([column.flatten(), row.flatten()], 1).float())
        strides.append(torch.full((row.numel(),), float(stride), device=device))
    return torch.cat(origins), torch.cat(strides)


def _suppressed(found: DeviceFaces, count: int, *, max_iou: float) -> DeviceFaces:
    """Return what greedy non-maximum suppression keeps of each frame, highest score first."""
    order = found.score.argsort(descending=True, stable=True)
    order = order[found.frame[order].argsort(stable=True)]
    frame, xyxy = found.frame[order], found.xyxy[order]
    counts = torch.bincount(frame, minlength=count)
    most = int(counts.max()) if len(frame) else 0
    if not most:
        return found
    rank = torch.arange(len(frame), device=frame.device) - (counts.cumsum(0) - counts)[frame]
    boxes = xyxy.new_zeros((count, most, 4))
    boxes[frame, rank] = xyxy
    taken = torch.zeros((count, most), dtype=torch.bool, device=frame.device)
    taken[frame, rank] = True
    step = max(1, _OVERLAPS // most**2)
    kept = torch.cat(
        [_greedy(boxes[start : start + step], taken[start : start + step], max_iou) for start in range(0, count, step)]
    )[frame, rank]
    chosen = order[kept]
    return DeviceFaces(found.frame[chosen], found.xyxy[chosen], found.landmarks[chosen], found.score[chosen])


def _greedy(boxes: Tensor, taken: Tensor, max_iou: float) -> Tensor:
    """(f, k) which of (f, k, 4) boxes, best first, stay.

    A box stays if none that stays lies before it and over it. Asked again until nothing changes, this settles box
    after box, and in as many rounds as the longest chain of boxes that overlap is long.
    """
    over = _iou(boxes) > max_iou
    over = over.tril(-1)
    kept = taken
    while True:
        again = taken & ~(over & kept[:, None]).any(2)
        if torch.equal(again, kept):
            return kept
        kept = again


def _iou(boxes: Tensor) -> Tensor:
    """(f, k, k) intersection over union of (f, k, 4) boxes, with each number rounded as `iou_matrix` rounds it."""
    left_top = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    right_bottom = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    overlap, area = _area(right_bottom - left_top), _area(boxes[..., 2:] - boxes[..., :2])
    union = area[:, :, None] + area[:, None] - overlap
    return torch.where(union > 0, overlap / union, 0.0).float()


def _area(sides: Tensor) -> Tensor:
    """(...,) float64 of (..., 2) sides, 0 where one is negative."""
    return sides.clamp_min(0).double().prod(-1)


def _bilinear(frames: Tensor, frame: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(n, h, w, 3) pixels of frames at (n, h, w) places, between four; what lies outside is black."""
    height, width = frames.shape[1:3]
    # Far outside is as good as just outside, and what is no number is outside.
    x = x.nan_to_num(-2.0).clamp(-2.0, width + 1.0)
    y = y.nan_to_num(-2.0).clamp(-2.0, height + 1.0)
    column, row = x.floor().long(), y.floor().long()
    right, down = (x - column).float()[..., None], (y - row).float()[..., None]

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        pixels = frames[frame, rows.clamp(0, height - 1), columns.clamp(0, width - 1)].float()
        return torch.where(inside[..., None], pixels, 0.0)

    above = torch.lerp(at(row, column), at(row, column + 1), right)
    below = torch.lerp(at(row + 1, column), at(row + 1, column + 1), right)
    return torch.lerp(above, below, down).round().to(torch.uint8)
