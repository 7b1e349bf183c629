"""Every place in which a service could keep something: files, unlinked ones too, and the memory of its processes."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.memory import blocks
from tests.support.service import RunningService

__all__ = ["ENGINE", "core_limits", "in_files", "in_memory", "processes", "swapped_kib"]

ENGINE = ("raylet/raylet", "gcs_server", "ServeController", "HAProxyManager", "ProxyActor")
"""Ray's own processes, through which frames pass or which could keep them."""
_BLOCK = 8 << 20
Search = Callable[[bytes], Counter[str]]


def in_files(service: RunningService, search: Search, *, since: float, overlap: int) -> dict[str, Counter[str]]:
    """Search every file that a service could have written, changed at ``since`` or later, by kinds of place."""
    found: dict[str, Counter[str]] = {}
    for place, path in _files(service, since):
        with suppress(OSError), path.open("rb") as file:
            rest = b""
            while block := file.read(_BLOCK):
                found.setdefault(place, Counter()).update(search(rest + block))
                rest = block[-overlap:]
    return {place: +counted for place, counted in found.items()}


def in_memory(process: psutil.Process, search: Search, *, overlap: int) -> Counter[str]:
    """Search a process's memory, from outside; of one that ended meanwhile, what was found until then."""
    found: Counter[str] = Counter()
    with suppress(OSError):
        for block in blocks(process.pid, overlap=overlap):
            found.update(search(block))
    return +found


def processes(service: RunningService) -> dict[str, list[psutil.Process]]:
    """The processes of a service's node, by what they are."""
    found: dict[str, list[psutil.Process]] = {}
    for process in service.processes(""):
        with suppress(psutil.Error):
            words = process.cmdline()
            if words:
                found.setdefault(_kind(" ".join(words)), []).append(process)
    return found


def core_limits(service: RunningService) -> dict[str, str]:
    """The largest core dump that each process may leave, by process."""
    limits = {}
    for kind, some in processes(service).items():
        for process in some:
            with suppress(OSError):
                lines = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii").splitlines()
                limits[f"{kind} {process.pid}"] = next(line.split()[4] for line in lines if "core file" in line)
    return limits


def swapped_kib(service: RunningService) -> int:
    """KiB of the node's processes that lie in swap."""
    total = 0
    for some in processes(service).values():
        for process in some:
            with suppress(OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmSwap:"))
    return total


def _kind(words: str) -> str:
    for name in (*ENGINE, "haproxy", "ServeReplica:lfr:", "ray::"):
        if name in words:
            at = words.index(name)
            return words[at : at + 60].split(maxsplit=1)[0].split("(", maxsplit=1)[0].rstrip(":")
    return Path(words.split(maxsplit=1)[0]).name


def _files(service: RunningService, since: float) -> Iterator[tuple[str, Path]]:
    node, home = service.supervisor.node, service.made.home
    seen: set[tuple[int, int]] = set()
    for top in (home, node.folder, node.spill_folder, Path("/dev/shm"), Path(tempfile.gettempdir())):
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):
                    state = path.lstat()
                    key = state.st_dev, state.st_ino
                    if path.is_file() and not path.is_symlink() and state.st_mtime >= since and key not in seen:
                        seen.add(key)
                        yield _place(path, home, node.folder), path
    for some in processes(service).values():
        for process in some:
            yield from _left_by(process, since)


def _left_by(process: psutil.Process, since: float) -> Iterator[tuple[str, Path]]:
    """Files that a process holds open although they were unlinked, and core dumps where it works."""
    with suppress(OSError):
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                target = str(link.readlink())
                if target.startswith("/") and target.endswith("(deleted)") and link.is_file():
                    yield "unlinked files", link
        for path in Path(f"/proc/{process.pid}/cwd").resolve().glob("core*"):
            if path.is_file() and path.stat().st_mtime >= since:
                yield "core dumps", path


def _place(path: Path, home: Path, ray: Path) -> str:
    if path.is_relative_to(home):
        inner = path.relative_to(home).parts[0]
        if inner.startswith("lfr.db"):
            return "database" if inner == "lfr.db" else "database's log"
        return "MLflow" if inner.startswith("mlflow.db") or inner == "artifacts" else "lfr's folder"
    if path.is_relative_to(ray):
        return "logs" if "logs" in path.parts or path.suffix == ".log" else "Ray's folder"
    return "shared memory" if path.is_relative_to("/dev/shm") else "temporary files"
