"""Embed a data set once: in parts that survive an interruption, then one file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lfr.errors import ManifestError, ModelMismatchError
from lfr.evaluation.acquisition import Acquired, acquire
from lfr.evaluation.manifest import Manifest, Progress, StrArray, data_digest, image_digests
from lfr.evaluation.templates import (
    Templates,
    acquired_table,
    read_templates,
    table_acquired,
    write_private,
    write_templates,
)
from lfr.models import Model
from lfr.types import Embeddings
from lfr.vision import Quality

__all__ = ["Executor", "Part", "embed", "embed_locally", "kept_file", "kept_templates", "templates_of"]

PART_ROWS = 64


@dataclass(frozen=True)
class Part:
    """Images that are embedded together, so that an interrupted run gives what an unbroken one does.

    Attributes
    ----------
    number
        Place among the parts of the manifest, from 0.
    files
        Image files, at most 64.
    """

    number: int
    files: tuple[Path, ...]


Executor = Callable[[Sequence[Part], Model], Iterator[tuple[int, Acquired]]]
"""Embeds parts and yields each part's number with what its images gave, in any order.

The model is the one wanted; an executor elsewhere loads the same version there."""


def embed_locally(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
    """Embed parts one after another in this process."""
    for part in parts:
        yield part.number, acquire(part.files, model)


def embed(
    manifest: Manifest,
    model: Model,
    path: Path,
    *,
    images: StrArray | None = None,
    executor: Executor = embed_locally,
    progress: Progress | None = None,
) -> Templates:
    """Make a template of the central face of each image and write them to a Parquet file.

    Finished parts lie in ``PATH.parts`` until all are there; a run that was
    broken off goes on with them, if images and model are the same. Beside the
    file a data card says what it holds. Both have mode 0600. The same
    manifest, images and model give the same bytes.

    Parameters
    ----------
    manifest
        The images.
    model
        The version that is evaluated.
    path
        File to write; its folder must be there.
    images
        (n,) digests of the images, if they are known already.
    executor
        Where the work is done.
    progress
        Sees the rows that are done.

    Raises
    ------
    ManifestError
        An image is not there, the file cannot be written, or the executor left parts out.
    ImageError
        An image is broken. That is broken data, not a failure to acquire.
    ModelMismatchError
        The executor used another model.
    """
    digests = image_digests(manifest) if images is None else images
    folder = path.with_name(f"{path.name}.parts")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ManifestError(f"{path}: cannot write here: {error.strerror}") from error
    rows = [np.arange(start, min(start + PART_ROWS, len(manifest))) for start in range(0, len(manifest), PART_ROWS)]
    done = {n: part for n, of in enumerate(rows) if (part := _finished(folder, n, digests[of], model)) is not None}
    files = manifest.files
    missing = [Part(n, tuple(files[row] for row in of)) for n, of in enumerate(rows) if n not in done]

    def rows_done() -> Iterator[int]:
        for number in done:
            yield from rows[number].tolist()
        for number, acquired in executor(missing, model):
            if acquired.templates.model_digest != model.digest:
                raise ModelMismatchError(
                    f"{path}: part {number} was embedded by model {acquired.templates.model_digest}, not {model.digest}"
                )
            write_private(acquired_table(acquired, digests[rows[number]]), _part_file(folder, number))
            found[number] = acquired
            yield from rows[number].tolist()

    found = dict(done)
    for _ in rows_done() if progress is None else progress(rows_done(), len(manifest)):
        pass
    if len(found) < len(rows):
        raise ManifestError(f"{path}: {len(rows) - len(found)} of {len(rows)} parts were not embedded; run it again")
    parts = [found[number] for number in range(len(rows))]
    templates = Templates(
        manifest,
        Embeddings(np.concatenate([part.templates.vectors for part in parts]), model.digest),
        Quality(np.concatenate([part.quality.values for part in parts])),
        np.concatenate([part.faces_found for part in parts]),
        digests,
        model.version.name,
        data_digest(manifest, digests),
    )
    write_templates(templates, path)
    _write_card(templates, path)
    shutil.rmtree(folder)
    return templates


def templates_of(
    manifest: Manifest,
    model: Model,
    home: Path,
    *,
    images: StrArray | None = None,
    executor: Executor = embed_locally,
    progress: Progress | None = None,
) -> Templates:
    """Templates of a manifest, embedded once and then kept in ``HOME/evaluation``.

    Parameters
    ----------
    manifest, model, images, executor, progress
        As for `embed`.
    home
        Folder of everything that lfr keeps; made with mode 0700 if it is not there.

    Raises
    ------
    As `embed` and `read_templates`.
    """
    digests = image_digests(manifest) if images is None else images
    if (kept := kept_templates(manifest, model, home, images=digests)) is not None:
        return kept
    folder = home / "evaluation"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ManifestError(f"{folder}: cannot keep templates here: {error.strerror}") from error
    path = kept_file(manifest, model, home, images=digests)
    return embed(manifest, model, path, images=digests, executor=executor, progress=progress)


def kept_templates(manifest: Manifest, model: Model, home: Path, *, images: StrArray) -> Templates | None:
    """Templates of a manifest that `templates_of` made before, if it did.

    Raises
    ------
    As `read_templates`.
    """
    path = kept_file(manifest, model, home, images=images)
    if not path.is_file():
        return None
    kept = read_templates(path, model_digest=model.digest)
    return kept.for_manifest(manifest, images) if kept.data_digest == data_digest(manifest, images) else None


def kept_file(manifest: Manifest, model: Model, home: Path, *, images: StrArray) -> Path:
    """Where `templates_of` keeps the templates of a manifest; the name tells digests only."""
    return home / "evaluation" / f"{data_digest(manifest, images)[:16]}-{model.digest[:16]}.parquet"


def _part_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.parquet"


def _finished(folder: Path, number: int, images: StrArray, model: Model) -> Acquired | None:
    """A part of an earlier run, if it is of these images and this model."""
    try:
        table = pq.read_table(_part_file(folder, number))
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    acquired, of = table_acquired(table)
    return acquired if acquired.templates.model_digest == model.digest and np.array_equal(of, images) else None


def _write_card(templates: Templates, path: Path) -> None:
    """Say beside a file of templates what it holds and how it may be used."""
    manifest = templates.manifest
    text = f"""# Evaluation templates: {path.name}

Biometric templates of real people, for measuring a model only. They stay in this folder with mode 0600 and go to no
run, log, message or gallery. Delete this file and its Parquet file when the evaluation no longer needs them.

| | |
|---|---|
| made from | {manifest.name} |
| images | {len(templates)}: {int(manifest.reference.sum())} references, {int((~manifest.reference).sum())} probes |
| subjects | {len(np.unique(manifest.subject_id))} |
| failures to acquire | {int((~templates.acquired).sum())} |
| images with several faces | {int((templates.faces_found > 1).sum())}: the one nearest the centre was used |
| group columns | {", ".join(manifest.groups) or "none"} |
| data digest | {templates.data_digest} |
| model | {templates.model_version}, {templates.model_digest} |
"""
    card = path.with_suffix(".md")
    with os.fdopen(os.open(card, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
