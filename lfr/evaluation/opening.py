"""Open an evaluation set in one call, as notebooks do: a manifest, a data set by name, or templates made before."""

from __future__ import annotations

from pathlib import Path

from lfr.errors import InputError
from lfr.evaluation.datasets import demo_faces, folder_manifest, lfw_manifest
from lfr.evaluation.embedding import templates_of
from lfr.evaluation.manifest import Manifest, Progress, image_digests, read_manifest
from lfr.evaluation.templates import Templates, read_templates
from lfr.models import Model, load_model

__all__ = ["DATASETS", "open_manifest", "open_templates"]

DATASETS = ("demo", "lfw", "folder")
"""Data sets that need no manifest."""


def open_manifest(*, manifest: str | Path = "", dataset: str = "", root: str | Path = "") -> Manifest:
    """Return the evaluation set that is named; a manifest goes before a data set's name.

    Parameters
    ----------
    manifest
        CSV file.
    dataset
        One of `DATASETS`.
    root
        Folder of ``lfw`` or ``folder``.

    Raises
    ------
    InputError
        Nothing is named, the data set is unknown, or it needs a folder; a manifest is malformed.
    """
    if str(manifest):
        return read_manifest(Path(manifest))
    if dataset not in DATASETS:
        raise InputError(f"which data: give a manifest, or one of {', '.join(DATASETS)}, not '{dataset}'")
    if dataset == "demo":
        return demo_faces()
    if not str(root):
        raise InputError(f"the data set {dataset} needs its folder")
    return lfw_manifest(Path(root)) if dataset == "lfw" else folder_manifest(Path(root))


def open_templates(
    *,
    home: Path,
    manifest: str | Path = "",
    dataset: str = "",
    root: str | Path = "",
    templates: str | Path = "",
    model: str | Model = "",
    progress: Progress | None = None,
) -> Templates:
    """Return the templates of what is named, embedded once and then kept in ``HOME/evaluation``.

    Parameters
    ----------
    home
        Folder of everything that lfr keeps.
    manifest, dataset, root
        As for `open_manifest`.
    templates
        A file of templates, instead of all that.
    model
        A loaded version, or the name of one; empty: the default.
    progress
        Sees the images that are embedded.

    Raises
    ------
    LfrError
        What is named cannot be read or embedded.
    """
    loaded = load_model(model) if isinstance(model, str) and model else model or None
    if str(templates):
        return read_templates(Path(templates), model_digest=None if loaded is None else loaded.digest)
    data = open_manifest(manifest=manifest, dataset=dataset, root=root)
    loaded = loaded or load_model()
    return templates_of(data, loaded, home.absolute(), images=image_digests(data), progress=progress)
