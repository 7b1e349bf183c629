"""The demo faces: portraits of people who do not exist, that come with the package.

They are averages of photographs from public research sets, stay under those
sets' terms, and still resemble the people averaged: never enrol one beside
real people. The data card is ``data_cards/datasets/demo_faces.md``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from lfr.errors import InputError
from lfr.sources.scene_portraits import Portrait, read_portraits

__all__ = ["demo_manifest", "demo_portraits"]


def demo_manifest() -> Path:
    """The manifest of the demo faces, beside its pictures.

    Columns: ``path, subject_id, variant, source_sex, source_ethnicity,
    n_sources``, one row a picture.

    Raises
    ------
    InputError
        This installation was built without them.
    """
    manifest = Path(str(files("lfr.sources") / "demo_faces" / "manifest.csv"))
    if not manifest.is_file():
        raise InputError(
            f"{manifest.parent}: no demo faces; this lfr was built with LFR_BUILD_WITHOUT_DEMO_FACES=1: "
            "install one built with them, or name a manifest of your own"
        )
    return manifest


def demo_portraits() -> tuple[Portrait, ...]:
    """The 136 demo portraits of 99 subjects, subject by subject, variant ``a`` first.

    Raises
    ------
    InputError
        This installation was built without them.
    """
    return read_portraits(demo_manifest())
