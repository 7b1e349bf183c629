"""A watchlist for rehearsal from a folder of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from lfr.errors import FaceError, ImageError, WatchlistError
from lfr.matching import Snapshot
from lfr.pipeline.recogniser import Recogniser
from lfr.sources import IMAGE_SUFFIXES, read_image
from lfr.types import Embeddings
from lfr.vision import ENROLMENT_POLICY

__all__ = ["enrol", "folder_references"]

Reference = tuple[str, Path]


def folder_references(folder: Path) -> list[Reference]:
    """Return subject and path of each picture in a watchlist folder, in order.

    ``anna.jpg`` is a subject ``anna``; the pictures in a sub-folder ``anna``
    are several references of one subject.

    Raises
    ------
    WatchlistError
        The folder is not there, or holds no picture.
    """
    if not folder.is_dir():
        raise WatchlistError(f"{folder}: no such folder of reference images")
    pictures = sorted(p for p in folder.glob("*") if _is_picture(p))
    nested = sorted(p for sub in folder.iterdir() if sub.is_dir() for p in sub.glob("*") if _is_picture(p))
    references = [(p.stem, p) for p in pictures] + [(p.parent.name, p) for p in nested]
    if not references:
        raise WatchlistError(f"{folder}: holds no reference image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return references


def enrol(
    references: Sequence[Reference],
    recogniser: Recogniser,
    *,
    progress: Callable[[Iterable[Reference]], Iterable[Reference]] = iter,
) -> Snapshot:
    """Return the references as a snapshot to search, each through the enrolment quality gate.

    Parameters
    ----------
    references
        Subject and path of each image.
    recogniser
        The model version that will also see the probes.
    progress
        Wraps the references as they are read, to show progress.

    Raises
    ------
    WatchlistError
        Images cannot be used: the first is named with what failed, and how many more there are.
    """
    vectors, subjects, problems = [], [], []
    for subject, path in progress(references):
        try:
            face = recogniser.one_face(read_image(path), name=str(path), policy=ENROLMENT_POLICY)
        except (ImageError, FaceError) as error:
            problems.append(str(error))
            continue
        vectors.append(face.template.vectors)
        subjects.append(subject)
    if problems:
        more = f" (and {len(problems) - 1} more unusable)" if len(problems) > 1 else ""
        raise WatchlistError(f"{problems[0]}{more}")
    return Snapshot(Embeddings(np.concatenate(vectors), recogniser.model.digest), tuple(subjects))


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
