"""What training makes small: the distance to a teacher's templates, or a margin softmax over the training subjects."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lfr.training.config import Distillation, Margin

__all__ = ["DistillationLoss", "MarginLoss", "build_objective"]

_EPS = 1e-6


class DistillationLoss(nn.Module):
    """One less the cosine to the teacher's template, and how far the batch's scores are from the teacher's.

    Parameters
    ----------
    relation
        Weight of the second: the mean squared difference of the cosines between the batch's templates (W. Park et
        al., "Relational knowledge distillation", CVPR 2019, with cosines in place of distances).
    ranking
        Weight of a third: the divergence of whom a face is said to be like, a softmax over its cosines to many clean
        templates, from what the teacher says of its clean self (Z. Fang et al., "SEED", ICLR 2021). It is what a
        search asks: the own template must come before every other.
    ranking_scale
        Of the cosine before that softmax.
    clean
        (m, d) the teacher's templates that are ranked, of length 1; None where ``ranking`` is 0.
    """

    clean: Tensor

    def __init__(
        self, relation: float, *, ranking: float = 0.0, ranking_scale: float = 20.0, clean: Tensor | None = None
    ) -> None:
        super().__init__()
        self.relation, self.ranking, self.ranking_scale = relation, ranking, ranking_scale
        # Not kept in checkpoints: it is made again from the teacher's file, and templates are of people.
        self.register_buffer("clean", torch.empty(0, 0) if clean is None else clean, persistent=False)

    def forward(self, templates: Tensor, target: Tensor) -> Tensor:
        """Return the loss of (n, d) templates, of any length, against (n, d) ones of length 1."""
        ours = functional.normalize(templates.float(), dim=1)
        loss = 1.0 - (ours * target).sum(dim=1).mean()
        if self.relation:
            loss = loss + self.relation * (ours @ ours.T - target @ target.T).square().mean()
        if self.ranking:
            said, true = (
                functional.log_softmax(self.ranking_scale * (of @ self.clean.T), dim=1) for of in (ours, target)
            )
            loss = loss + self.ranking * functional.kl_div(said, true, reduction="batchmean", log_target=True)
        return loss


class MarginLoss(nn.Module):
    """Softmax over the cosine to each subject's centre, with a margin on the own one's.

    ``cosface``: cos - m (H. Wang et al., CVPR 2018). ``arcface``: cos(angle +
    m), and cos - m sin(m) where that would turn round (J. Deng et al., CVPR
    2019). ``adaface``: cos(angle - m q) - m (1 + q), where q in -1..1 is the
    length of the template in deviations of the running mean, times h (M. Kim,
    A. K. Jain, X. Liu, "AdaFace", CVPR 2022, equations 9 to 13).

    Parameters
    ----------
    objective
        Kind, margin, scale and h.
    size
        Numbers in a template.
    subjects
        Number of subjects that are told apart.
    seed
        Of the centres.
    """

    mean_length: Tensor
    length_spread: Tensor

    def __init__(self, objective: Margin, *, size: int, subjects: int, seed: int) -> None:
        super().__init__()
        self.objective = objective
        start = torch.randn(subjects, size, generator=torch.Generator().manual_seed(seed))
        self.centres = nn.Parameter(functional.normalize(start, dim=1))
        self.register_buffer("mean_length", torch.tensor(20.0))
        self.register_buffer("length_spread", torch.tensor(100.0))

    def forward(self, templates: Tensor, subject: Tensor) -> Tensor:
        """Return the loss of (n, d) templates of (n,) subjects, numbered from 0."""
        templates = templates.float()
        cosine = functional.normalize(templates, dim=1) @ functional.normalize(self.centres, dim=1).T
        own = cosine.gather(1, subject[:, None])[:, 0].clamp(-1 + _EPS, 1 - _EPS)
        logits = cosine.scatter(1, subject[:, None], self.with_margin(own, templates.norm(dim=1).detach())[:, None])
        return functional.cross_entropy(self.objective.scale * logits, subject)

    def with_margin(self, own: Tensor, length: Tensor) -> Tensor:
        """Return (n,) cosines to the own centre, made smaller by the margin.

        Parameters
        ----------
        own
            (n,) cosines.
        length
            (n,) lengths of the templates before they are normalised: AdaFace's stand-in for image quality.
        """
        m = self.objective.margin
        if self.objective.kind == "cosface":
            return own - m
        angle = torch.acos(own)
        if self.objective.kind == "arcface":
            # Past pi the cosine would rise again, and a face far from its centre would be left there.
            return torch.where(angle + m < math.pi, torch.cos(angle + m), own - m * math.sin(m))
        q = self._quality(length)
        return torch.cos((angle - m * q).clamp(_EPS, math.pi - _EPS)) - m * (1.0 + q)

    def _quality(self, length: Tensor) -> Tensor:
        length = length.clamp(0.001, 100.0)
        if self.training and len(length) > 1:
            with torch.no_grad():
                self.mean_length.lerp_(length.mean(), 0.01)
                self.length_spread.lerp_(length.std(), 0.01)
        h = self.objective.concentration
        return (h * (length - self.mean_length) / (self.length_spread + 0.001)).clamp(-1.0, 1.0)


def build_objective(
    objective: Distillation | Margin, *, size: int, subjects: int, seed: int, clean: Tensor | None = None
) -> nn.Module:
    """Return what an experiment makes small; ``clean`` as for `DistillationLoss`."""
    if isinstance(objective, Distillation):
        return DistillationLoss(
            objective.relation, ranking=objective.ranking, ranking_scale=objective.ranking_scale, clean=clean
        )
    return MarginLoss(objective, size=size, subjects=subjects, seed=seed)
