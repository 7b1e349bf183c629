"""How much of a training is kept: networks on the straight line from the initial weights to the trained ones.

M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022: on it lie networks that know most of what was
learnt and have lost little of what was known. Which one is kept, held-out people say, who neither train nor measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lfr.errors import TrainingError
from lfr.evaluation import fnmr_at_fmr
from lfr.models.network import ImageNetwork
from lfr.training.config import TrainingConfig
from lfr.training.crops import open_crops
from lfr.training.faces import Faces, Order, batches
from lfr.training.networks import build_network
from lfr.training.training import TrainingFiles
from lfr.types import FloatArray, IntArray

__all__ = ["Blend", "blended", "kept_share"]

_FMRS = (0.01, 0.001, 0.0001)  # one alone is one image more or less of a few hundred
_ROUNDING = 1e-9
_BATCH = 64
_IMAGES_EACH = 4  # of one person: some have hundreds, and would be all that counts


@dataclass(frozen=True)
class Blend:
    """One network of the line, on held-out people.

    Attributes
    ----------
    share
        Of the trained weights; the rest are the initial ones.
    clean_fnmr, degraded_fnmr
        Share of comparisons of a person's images, as they are and degraded as in training, with another image of
        theirs as it is, that do not come up to the threshold: the mean of those for FMR 1%, 0.1% and 0.01%,
        or the least FMR that the data can show.
    """

    share: float
    clean_fnmr: float
    degraded_fnmr: float

    def as_dict(self) -> dict[str, float]:
        """Return it as JSON has it."""
        return asdict(self)


def blended(
    config: TrainingConfig, files: TrainingFiles, network: ImageNetwork
) -> tuple[ImageNetwork, tuple[Blend, ...]]:
    """Return the network that is kept of a training, and what each of ``config.blend`` came to, 0 among them.

    Without ``config.blend`` it is the trained network itself.

    Parameters
    ----------
    config, files
        The experiment, and what it read.
    network
        As it was trained, in evaluation mode.

    Raises
    ------
    TrainingError
        No two held-out images are of one person.
    """
    if not config.blend:
        return network, ()
    faces, degraded, subject = _held_out(config, files)
    initial = build_network(config.backbone, seed=config.seed).state_dict()
    trained = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    found = []
    for share in sorted({0.0, *config.blend}):
        network.load_state_dict(_between(initial, trained, share))
        clean, spoilt = _templates(network, faces), _templates(network, degraded)
        found.append(Blend(share, _fnmr(clean, clean, subject), _fnmr(spoilt, clean, subject)))
    network.load_state_dict(_between(initial, trained, kept_share(found, lost=config.clean_lost)))
    return network, tuple(found)


def kept_share(found: Sequence[Blend], *, lost: float = 0.0) -> float:
    """Return the share with which fewest degraded faces are missed, and hardly more clean ones than without training.

    Of several the smallest. 0 is among them, so there is always one.

    Parameters
    ----------
    found
        Networks of the line, the one without training among them.
    lost
        By how much the FNMR of clean faces may be higher than without training.
    """
    untouched = next(blend for blend in found if blend.share == 0.0)
    fit = [blend for blend in found if blend.clean_fnmr <= untouched.clean_fnmr + lost + _ROUNDING]
    return min(fit, key=lambda blend: (blend.degraded_fnmr, blend.share)).share


def _held_out(config: TrainingConfig, files: TrainingFiles) -> tuple[Faces, Faces, IntArray]:
    """Held-out faces as they are and degraded, and whom each shows; of one person at most four images."""
    crops, plan = open_crops(Path(files.crops)), np.load(files.plan)
    subject: IntArray = plan["subject"]
    rows = np.flatnonzero(~plan["trains"])
    rows = np.concatenate([rows[subject[rows] == one][:_IMAGES_EACH] for one in np.unique(subject[rows])])
    once = config.augmentation.model_copy(update={"flip": False})
    clean = Faces(crops, rows, subject, once, 1.0, config.seed)
    return clean, replace(clean, clean_share=0.0), subject[rows]


@torch.no_grad()
def _templates(network: nn.Module, faces: Faces) -> FloatArray:
    """(n, d) templates of length 1."""
    seen = [
        network(pictures.float()) for pictures, _ in batches(faces, Order(len(faces), _BATCH, seed=None), loaders=0)
    ]
    return np.asarray(nn.functional.normalize(torch.cat(seen), dim=1).numpy(), np.float32)


def _fnmr(probes: FloatArray, references: FloatArray, subject: IntArray) -> float:
    """FNMR of each image against the others as they are, the mean over FMRs, none less than the data can show."""
    scores = probes @ references.T
    same = subject[:, None] == subject[None]
    mated, non_mated = scores[same & ~np.eye(len(subject), dtype=bool)], scores[~same]
    if not len(mated) or not len(non_mated):
        raise TrainingError("blend: the held-out people are too few to compare two images of one with those of others")
    points = fnmr_at_fmr(mated, non_mated, [max(fmr, 1 / len(non_mated)) for fmr in _FMRS])
    return float(np.mean([point.fnmr.value for point in points]))


def _between(initial: dict[str, Any], trained: dict[str, Any], share: float) -> dict[str, Tensor]:
    """Weights so far along the line; what is no weight, as a count, is the trained one's."""
    return {
        name: torch.lerp(initial[name], value, share) if value.is_floating_point() else value
        for name, value in trained.items()
    }
