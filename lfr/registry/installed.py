"""Where cards and notebooks lie: in the package where it was installed from a wheel, else beside it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["installed_folder"]

_PACKAGE = Path(__file__).parents[1]


def installed_folder(name: str) -> Path:
    """Return the folder ``data_cards`` or ``notebooks`` of this installation; it may be missing in an odd one."""
    inside, beside = _PACKAGE / name, _PACKAGE.parent / name
    return inside if inside.is_dir() else beside
