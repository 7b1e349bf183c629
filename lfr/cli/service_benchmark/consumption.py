"""What the processes of the service use: time of processor cores, and memory."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil

__all__ = ["Consumption"]

_MIB = 1 << 20
_PARTS = {
    "ServeReplica:lfr:Detector": "detector",
    "ServeReplica:lfr:Embedder": "embedder",
    "ServeReplica:lfr:Steward": "steward",
    "ServeReplica:lfr:Api": "interface",
    "Camera": "camera",
    "Matcher": "matcher",
    "ServeController": "serve controller",
    "Proxy": "proxy manager",
}


@dataclass(frozen=True)
class Consumption:
    """Of all processes of one Ray node, which share a session.

    Attributes
    ----------
    session
        Process of the node that began it: `lfr.serving.supervisor.Supervisor.node_pid`.
    """

    session: int

    def core_s(self) -> dict[str, float]:
        """Return the seconds of processor cores that the processes of each part have used so far."""
        spent: dict[str, float] = defaultdict(float)
        for process in self._processes():
            with suppress(psutil.Error):
                times = process.cpu_times()
                spent[_part(process)] += times.user + times.system
        return dict(spent)

    def core_s_since(self, before: Mapping[str, float]) -> dict[str, float]:
        """Return what each part used since an earlier `core_s`."""
        return {part: max(0.0, spent - before.get(part, 0.0)) for part, spent in self.core_s().items()}

    def resident_mib(self) -> dict[str, float]:
        """Return the resident memory of each part in MiB: of several processes of one part the median.

        Pages of libraries that several processes share are counted in each.
        """
        found: dict[str, list[float]] = defaultdict(list)
        for part, mib in self._resident():
            found[part].append(mib)
        return {part: round(median(sizes), 1) for part, sizes in sorted(found.items())}

    def largest_mib(self, part: str) -> float:
        """Return the resident memory of a part's largest process in MiB; 0 where there is none."""
        return max((mib for name, mib in self._resident() if name == part), default=0.0)

    def _resident(self) -> Iterator[tuple[str, float]]:
        for process in self._processes():
            with suppress(psutil.Error):
                yield _part(process), process.memory_info().rss / _MIB

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if os.getsid(process.pid) == self.session:
                    yield process


def _part(process: psutil.Process) -> str:
    """Return what a process is: a part of lfr, or of Ray."""
    words = process.cmdline()
    title = words[0] if words else process.name()
    if title.startswith("ray::"):
        named = next((part for mark, part in _PARTS.items() if mark in title), None)
        return named or "idle worker"
    return {"raylet": "raylet", "gcs_server": "gcs", "haproxy": "haproxy"}.get(process.name(), "node, other")
