"""A training experiment from its settings to a trained network: split, crops, teacher, training, one run in MLflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lfr.errors import ManifestError, TrainingError
from lfr.evaluation import Manifest, Progress, StrArray, data_digest, image_digests
from lfr.evaluation.private import write_whole
from lfr.models import Model
from lfr.models.network import ImageNetwork
from lfr.registry.cards import read_data_card
from lfr.training.checkpoints import Progressed
from lfr.training.config import Augmentation, Data, Distillation, TrainingConfig
from lfr.training.crops import Crops, cut_crops, open_crops, unreadable_images
from lfr.training.faces import Faces, Order, batches
from lfr.training.fitting import Alone, Fitting, Worker
from lfr.training.networks import build_network
from lfr.training.objectives import build_objective
from lfr.training.split import PARTS, Split, split_subjects
from lfr.training.teacher import teacher_file, teacher_templates
from lfr.types import BoolArray

__all__ = ["Prepared", "Shown", "TrainingFiles", "check_digest", "fit", "plan_training", "prepare"]

Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps what is done, of a known total, under a description, to show progress."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that training reads.

    Attributes
    ----------
    split
        Who trains, stops and measures.
    images
        (n,) digests of the manifest's images.
    digest
        Data digest.
    split_digest
        Of the images of each part, in their order.
    crops
        Faces of those who train and of those held out.
    unreadable
        Images of all three parts that cannot be decoded.
    teacher_digest
        Of the model that embedded the clean faces.
    """

    split: Split
    images: StrArray
    digest: str
    split_digest: str
    crops: Crops
    unreadable: tuple[str, ...]
    teacher_digest: str

    @property
    def made_from(self) -> dict[str, str]:
        """Digests of the data, the split and the teacher."""
        return {"data": self.digest, "split": self.split_digest, "teacher": self.teacher_digest}


def prepare(manifest: Manifest, data: Data, teacher: Model, home: Path, *, mirrored: bool, shown: Shown) -> Prepared:
    """Split by subject, cut faces out and embed them with the teacher; all of it is kept for the next run.

    Raises
    ------
    ManifestError
        The data are not those that the experiment is about, parts share a subject, or too many images are unreadable.
    """
    images = image_digests(manifest, progress=_progress(shown, "reading"))
    digest = data_digest(manifest, images)
    check_digest(data, digest, where=manifest.name)
    split = split_subjects(manifest, data)
    # Better now than after hours of training.
    measuring = unreadable_images(
        manifest, split.measure, share=data.unreadable_share, progress=_progress(shown, "looking at those who measure")
    )
    crops = cut_crops(
        manifest,
        np.concatenate([split.train, split.held_out]),
        teacher,
        home,
        digest=digest,
        margin_px=data.margin_px,
        unreadable_share=data.unreadable_share,
        progress=_progress(shown, "cutting faces out"),
    )
    for side in (False, True) if mirrored else (False,):
        teacher_templates(crops, teacher, mirrored=side, progress=_progress(shown, "embedding clean faces"))
    unreadable = (*crops.unreadable, *measuring)
    return Prepared(split, images, digest, _split_digest(split, images), crops, unreadable, teacher.digest)


def _split_digest(split: Split, images: StrArray) -> str:
    parts = {part: images[getattr(split, part)].tolist() for part in PARTS}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_digest(data: Data, digest: str, *, where: str) -> None:
    """Raise ManifestError unless the data are those that the experiment and its data card are about."""
    if data.card and (described := read_data_card(data.card).digest) != digest:
        raise ManifestError(f"{where}: its data digest is {digest}, the card '{data.card}' is of {described}")
    if data.digest and data.digest != digest:
        raise ManifestError(f"{where}: its data digest is {digest}, the experiment is about {data.digest}")


@dataclass(frozen=True)
class TrainingFiles:
    """What a process reads to train, by name: it can be told to another process without a face going there.

    Attributes
    ----------
    crops
        Folder of the faces.
    teacher
        File of their templates, and where they are mirrored of their mirror images'.
    plan
        File that says which of them train, and whom each shows.
    checkpoint
        File of the last whole epoch.
    made_from
        Digests of the data, the split and the teacher: a checkpoint of a training on others is refused.
    """

    crops: str
    teacher: tuple[str, ...]
    plan: str
    checkpoint: str
    made_from: dict[str, str]


def plan_training(prepared: Prepared, folder: Path, *, mirrored: bool) -> TrainingFiles:
    """Write down who trains, and return what a training process reads.

    Raises
    ------
    TrainingError
        It cannot be written.
    """
    crops, split = prepared.crops, prepared.split
    subject = np.unique(split.manifest.subject_id[crops.row], return_inverse=True)[1].astype(np.int64)
    plan = folder / "plan.npz"
    try:
        trains = np.isin(crops.row, split.train)
        write_whole(plan, lambda file: np.savez(file, trains=trains, subject=subject))
    except OSError as error:
        raise TrainingError(f"{plan}: cannot be written: {error.strerror}") from error
    sides = (False, True) if mirrored else (False,)
    teacher = tuple(str(teacher_file(crops, prepared.teacher_digest, mirrored=side)) for side in sides)
    return TrainingFiles(str(crops.folder), teacher, str(plan), str(folder / "checkpoint.pt"), prepared.made_from)


def fit(
    config: TrainingConfig,
    files: TrainingFiles,
    *,
    task: TrainingConfig | None = None,
    worker: Worker | None = None,
    said: Callable[[int, dict[str, float]], None] = lambda _, __: None,
    shown: Shown = lambda items, _, __: items,
) -> tuple[ImageNetwork, Progressed]:
    """Train, and return the best network with how training went.

    Parameters
    ----------
    config, files
        The experiment, and what it reads.
    task
        Experiment whose settings draw and degrade the held-out faces, so that trials of a search do the same task;
        None: the one that is trained.
    worker
        This process among those that train; None: it trains alone.
    said, shown
        As for `Fitting`.

    Raises
    ------
    TrainingError
        As `Fitting.run`.
    SettingsError
        There is no such backbone.
    """
    worker = worker or Alone()
    crops = open_crops(Path(files.crops))
    teacher = np.stack([np.load(file) for file in files.teacher])
    plan = np.load(files.plan)
    distils = isinstance(config.objective, Distillation)
    task = task or config
    targets = teacher if distils else plan["subject"]

    def faces(chosen: BoolArray, by: TrainingConfig, augmentation: Augmentation) -> Faces:
        return Faces(crops, np.flatnonzero(chosen), targets, augmentation, by.objective.clean_share, by.seed)

    training = faces(plan["trains"], config, config.augmentation)
    held_out = faces(~plan["trains"], task, task.augmentation.model_copy(update={"flip": False}))
    held_out = replace(held_out, chosen=held_out.chosen[:: max(1, -(-len(held_out) // task.held_out_images))])
    order = Order(
        len(training),
        config.batch_size,
        seed=config.seed,
        drawn=config.images_an_epoch,
        rank=worker.rank,
        workers=worker.workers,
    )
    network = build_network(config.backbone, seed=config.seed)
    objective = build_objective(
        config.objective,
        size=config.backbone.embedding_size,
        subjects=int(plan["subject"].max()) + 1,
        seed=config.seed,
        clean=torch.from_numpy(teacher[0, plan["trains"]]),
    )
    fitting = Fitting(
        config,
        network,
        objective,
        batches(training, order, loaders=config.loaders),
        order,
        batches(held_out, Order(len(held_out), 64, seed=None), loaders=0),
        Path(files.checkpoint),
        files.made_from,
        worker,
        said,
        shown,
    )
    with _threads(config.threads):
        return network, fitting.run()


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    """So many of torch's threads, and as many as there were after that."""
    before = torch.get_num_threads()
    torch.set_num_threads(wanted or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _progress(shown: Shown, description: str) -> Progress:
    return lambda done, total: shown(done, total, description)
