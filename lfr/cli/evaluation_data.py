"""What the commands that measure on labelled data share: which data, and its templates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lfr.cli.console import recogniser_for, track
from lfr.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lfr.evaluation import Manifest, Progress, Templates

_FIGURES = (".svg", ".png", ".pdf")

__all__ = [
    "Dataset",
    "DatasetOption",
    "Fusion",
    "ManifestOption",
    "RootOption",
    "TemplatesOption",
    "about",
    "kept_in_home",
    "progress_of",
    "read_data",
    "save_figure",
    "templates_for",
]


class Dataset(StrEnum):
    """Data sets that need no manifest."""

    LFW = "lfw"
    FOLDER = "folder"
    DEMO = "demo"


class Fusion(StrEnum):
    """How the scores of a track's images become one."""

    MAX = "max"
    MEAN = "mean"


ManifestOption = Annotated[
    Path | None,
    typer.Option("--manifest", metavar="CSV", help="path, subject_id, split, then track_id and group columns."),
]
DatasetOption = Annotated[
    Dataset | None,
    typer.Option("--dataset", help="Without a manifest: LFW, a folder for each subject, or the demo faces."),
]
RootOption = Annotated[Path | None, typer.Option("--root", metavar="FOLDER", help="Where lfw or folder lies.")]
TemplatesOption = Annotated[
    Path | None,
    typer.Option("--templates", metavar="FILE", help="Templates that `lfr evaluate embed` wrote, instead of images."),
]


def read_data(manifest: Path | None, dataset: Dataset | None, root: Path | None) -> Manifest:
    """Return the evaluation set that the options name.

    Raises
    ------
    InputError
        They name none or two, or a folder is missing; a manifest is malformed.
    """
    from lfr.evaluation import open_manifest

    if (manifest is None) == (dataset is None):
        raise InputError("which data: give one of --manifest, --dataset and --templates")
    if dataset not in {None, Dataset.DEMO} and root is None:
        raise InputError(f"--dataset {dataset} needs --root, the folder it lies in")
    return open_manifest(manifest=manifest or "", dataset=dataset or "", root=root or "")


def templates_for(
    manifest: Path | None,
    dataset: Dataset | None,
    root: Path | None,
    file: Path | None,
    *,
    model: str | None,
    threads: int | None,
    only: Collection[str] | None = None,
) -> Templates:
    """Return the templates that the options name: read from a file, or embedded once and kept in ``LFR_HOME``.

    With ``only``, the paths that are wanted, the others are not embedded if they have not been before.

    Raises
    ------
    LfrError
        What is named cannot be read or embedded; a file is of another model than ``--model``.
    """
    import numpy as np

    from lfr.evaluation import image_digests, kept_templates, read_templates, templates_of
    from lfr.settings import read_settings

    if file is not None:
        if manifest is not None or dataset is not None:
            raise InputError("which data: give one of --manifest, --dataset and --templates")
        wanted = recogniser_for(model, threads=threads).model.digest if model else None
        return read_templates(file, model_digest=wanted)
    data = read_data(manifest, dataset, root)
    loaded = recogniser_for(model, threads=threads).model
    home = read_settings().home.absolute()
    images = image_digests(data, progress=progress_of("reading"))
    if only is not None and kept_templates(data, loaded, home, images=images) is None:
        rows = np.array([path in only for path in data.paths], np.bool_)
        data, images = data[rows], images[rows]
    return templates_of(data, loaded, home, images=images, progress=progress_of("embedding"))


def about(templates: Templates) -> dict[str, Any]:
    """Which model, and on which data, as documents name them."""
    return {
        "model": {"version": templates.model_version, "digest": templates.model_digest},
        "manifest": templates.manifest.name,
        "data_digest": templates.data_digest,
    }


def kept_in_home(name: str) -> Path:
    """Path of a file in ``LFR_HOME/evaluation``, whose folder is made with mode 0700 if it is not there.

    Raises
    ------
    InputError
        The folder cannot be made.
    """
    from lfr.settings import read_settings

    folder = read_settings().home.absolute() / "evaluation"
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot keep anything here: {error.strerror}") from error
    return folder / name


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the form that the file's name asks for.

    Raises
    ------
    InputError
        The form is unknown, or the file cannot be written.
    """
    from lfr.evaluation.plot_style import svg

    if path.suffix.lower() not in _FIGURES:
        raise InputError(f"--plot {path}: expected a name that ends in {', '.join(_FIGURES)}")
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(svg(figure), encoding="utf-8")
        else:
            figure.savefig(path, dpi=160)
    except OSError as error:
        raise InputError(f"{path}: cannot write the figure: {error.strerror}") from error


def progress_of(description: str) -> Progress:
    """Show what is done of a known total, as `lfr.evaluation` asks for it."""

    def wrap(done: Iterable[int], total: int) -> Iterator[int]:
        return track(done, description, total=total)

    return wrap
