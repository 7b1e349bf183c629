"""What a field unit has to install for its client, beside all of lfr."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lfr
from lfr.cli.service_benchmark.rows import timed_row
from lfr.errors import RuntimeUnavailableError

__all__ = ["installed_row", "needed_by"]

_CLIENT = "httpx"
_ALONE = """
import sys
allowed = {"lfr", *sys.stdlib_module_names, *sys.argv[1:]}
class Others:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Others())
import lfr.client
"""


def installed_row() -> dict[str, Any]:
    """Return a row of MiB on disk: lfr's own files and `httpx` with what it needs, against all that lfr needs.

    Parity is whether the client can be imported where nothing but the former is to be had.
    """
    client, everything = needed_by(_CLIENT), needed_by("lfr")
    own = _size(path for path in Path(lfr.__file__).parent.rglob("*") if "__pycache__" not in path.parts)
    modules = sorted({name for one in client.values() for name in _modules(one)})
    done = subprocess.run(  # noqa: S603 # this interpreter and our own words
        [sys.executable, "-c", _ALONE, *modules], capture_output=True, text=True, check=False
    )
    sizes = [(own + sum(map(_files_size, side.values()))) / 2**20 for side in (client, everything)]
    row = timed_row(
        "installed",
        "installed for a field unit's client",
        *([round(size, 1)] for size in sizes),
        peer_name=f"all of lfr, {len(everything)} packages",
        unit="MiB, less is better",
        parity={"ran": done.returncode == 0},
    )
    return row | {"packages": sorted(client)}


def needed_by(name: str) -> dict[str, Distribution]:
    """Return a package and all that it needs here, without extras of its own; lfr itself has no files to count.

    Raises
    ------
    RuntimeUnavailableError
        It, or something that it needs, is not installed.
    """
    found: dict[str, Distribution] = {}
    try:
        _add(name, frozenset(), found, set())
    except PackageNotFoundError as error:
        raise RuntimeUnavailableError(f"{name} is not installed with all that it needs: {error} is missing") from error
    found.pop("lfr", None)
    return found


def _add(
    name: str, extras: frozenset[str], found: dict[str, Distribution], seen: set[tuple[str, frozenset[str]]]
) -> None:
    key = canonicalize_name(name)
    if (key, extras) in seen:
        return
    seen.add((key, extras))
    found[key] = here = distribution(name)
    for line in here.requires or ():
        wanted = Requirement(line)
        marker = wanted.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        _add(wanted.name, frozenset(wanted.extras), found, seen)


def _modules(one: Distribution) -> set[str]:
    return {
        file.parts[0].removesuffix(".py")
        for file in one.files or ()
        if file.suffix in {".py", ".so", ".pyd"} and not file.parts[0].startswith(".")
    }


def _files_size(one: Distribution) -> int:
    return _size(Path(str(one.locate_file(file))) for file in one.files or () if "__pycache__" not in file.parts)


def _size(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
