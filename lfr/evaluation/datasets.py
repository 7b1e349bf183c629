"""Manifests of data sets that come in a layout of their own.

Of a subject with several images the first is the reference and the others are
mated probes; the image of a subject with one is a non-mated probe.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lfr.errors import InputError, ManifestError
from lfr.evaluation.manifest import UNLABELLED, Manifest, StrArray, image_digests
from lfr.sources import IMAGE_SUFFIXES, demo_manifest

__all__ = ["LFW_GROUPS", "demo_faces", "folder_manifest", "lfw_images", "lfw_manifest", "shows_demo_faces"]

LFW_GROUPS = ("sex", "ethnicity", "ethnicity_source")
"""Columns of ``demographics.csv`` that become groups."""

_DEMO_GROUPS = ("source_sex", "source_ethnicity")


def folder_manifest(root: Path) -> Manifest:
    """Manifest of a folder that holds a folder of images for each subject.

    Raises
    ------
    ManifestError
        The folder is not there, or holds no image in a sub-folder.
    """
    if not root.is_dir():
        raise ManifestError(f"{root}: no such folder of subjects")
    subjects = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    images = [path for folder in subjects for path in sorted(folder.iterdir()) if _is_image(path)]
    if not images:
        raise ManifestError(f"{root}: no image in a folder of a subject ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return _manifest(root, [image.relative_to(root).as_posix() for image in images], [i.parent.name for i in images])


def lfw_images(root: Path) -> Path:
    """Folder of LFW's subjects: ``images`` below ``root``, or ``root`` itself."""
    return root / "images" if (root / "images").is_dir() else root


def lfw_manifest(root: Path) -> Manifest:
    """Manifest of Labeled Faces in the Wild.

    Parameters
    ----------
    root
        Holds the subjects' folders, in ``images`` or itself, and may hold
        ``demographics.csv``: a row an image, whose labels are of its subject.

    Raises
    ------
    ManifestError
        There are no images, or ``demographics.csv`` cannot be read, lacks a
        column or gives a subject two labels.
    """
    manifest = folder_manifest(lfw_images(root))
    labels_file = root / "demographics.csv"
    labels = _subject_labels(labels_file) if labels_file.is_file() else {}
    groups = {
        column: np.array([label_of.get(subject, UNLABELLED) for subject in manifest.subject_id], np.str_)
        for column, label_of in labels.items()
    }
    return replace(manifest, groups=groups)


def demo_faces() -> Manifest:
    """Manifest of the demo faces; the groups are those of the photographs averaged, and of nobody who exists.

    Raises
    ------
    InputError
        This installation was built without them.
    """
    path = demo_manifest()
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups = {column: [row[column] for row in rows] for column in _DEMO_GROUPS}
    return _manifest(path.parent, [row["path"] for row in rows], [row["subject_id"] for row in rows], groups)


def shows_demo_faces(images: StrArray) -> bool:
    """Whether any of these images is a demo face, whatever manifest or file it came by.

    Parameters
    ----------
    images
        (n,) digests, from `lfr.evaluation.image_digests`.
    """
    try:
        drawn = image_digests(demo_faces())
    except InputError:  # installed without them
        return False
    return bool(np.isin(images, drawn).any())


def _manifest(
    root: Path, paths: Sequence[str], subjects: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None
) -> Manifest:
    images_of = Counter(subjects)
    is_first = [row == 0 or subjects[row - 1] != subject for row, subject in enumerate(subjects)]
    return Manifest(
        str(root),
        root,
        tuple(paths),
        np.array(subjects, np.str_),
        np.array([first and images_of[subject] > 1 for first, subject in zip(is_first, subjects, strict=True)]),
        np.full(len(paths), "", np.str_),
        {name: np.array([label or UNLABELLED for label in labels], np.str_) for name, labels in (groups or {}).items()},
        np.arange(2, len(paths) + 2),
    )


def _subject_labels(path: Path) -> dict[str, dict[str, str]]:
    """Label of each subject by column, from a file with a row an image."""
    labels: dict[str, dict[str, str]] = {column: {} for column in LFW_GROUPS}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            for column in ("subject_id", *LFW_GROUPS):
                if column not in (reader.fieldnames or ()):
                    raise ManifestError(f"{path}, line 1: no column '{column}'")
            for row in reader:
                for column in LFW_GROUPS:
                    if label := (row[column] or "").strip():
                        known = labels[column].setdefault(row["subject_id"], label)
                        if known != label:
                            raise ManifestError(
                                f"{path}, line {reader.line_num}, column {column}: "
                                f"'{row['subject_id']}' is '{label}' here and '{known}' before"
                            )
    except OSError as error:
        raise ManifestError(f"{path}: cannot read the labels: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not a CSV file in UTF-8: {error}") from error
    return labels


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
