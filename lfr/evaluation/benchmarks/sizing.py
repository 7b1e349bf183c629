"""How many machines a service takes, reckoned from what `lfr bench serve` measured on one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from lfr.errors import InputError
from lfr.evaluation.benchmarks.match import VERSION, random_templates
from lfr.matching import Snapshot
from lfr.types import Embeddings

__all__ = ["ENTRIES_TOLD", "Plan", "Wanted", "plan", "search_core_ms"]

_FOR_FRAMES = ("camera", "detector", "embedder", "interface", "matcher")
_FOR_PROCESSES = ("detector", "embedder", "interface")
_MIB_PER_GIB = 1024
ENTRIES_TOLD = 10_000
"""Entries of a list that its memory is told for."""
_MILLION = 1_000_000
_SEARCHES, _SEED = 5, 20_261_130


@dataclass(frozen=True)
class Wanted:
    """What a service is to do, and on what.

    Attributes
    ----------
    cameras, fps
        How many, and frames a second of each.
    references
        On the one list that all cameras search.
    node_cores, node_gib
        Of one machine.
    busy
        Share of the cores that is planned with; the rest is for crowds.
    core_hour
        Price of a core for an hour; None: no costs are told.
    """

    cameras: int
    fps: float
    references: int
    node_cores: int
    node_gib: float
    busy: float = 0.7
    core_hour: float | None = None


@dataclass(frozen=True)
class Plan:
    """What that takes.

    Attributes
    ----------
    nodes
        Machines.
    bound
        What decides how many: ``cores`` or ``memory``.
    cores, gib
        Used by all of them together, without what is left free for crowds.
    frame_core_ms
        Milliseconds of a core for a frame, with its searches.
    search_core_ms
        Those of them that searching takes.
    idle_cores
        Of each machine, for Ray and the rest, whatever comes in.
    list_gib
        The list in one matcher; every machine has one, so that no probe leaves it.
    camera_hour
        Price of a camera for an hour.
    measured_frames_s, reckoned_frames_s
        Of the machine that was measured: what it did, and what the same reckoning says of it with every core busy.
    of
        What was measured.
    """

    nodes: int
    bound: str
    cores: float
    gib: float
    frame_core_ms: float
    search_core_ms: float
    idle_cores: float
    list_gib: float
    camera_hour: float | None
    measured_frames_s: float
    reckoned_frames_s: float
    of: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for a JSON document."""
        return asdict(self)


def plan(measured: Mapping[str, Any], wanted: Wanted, *, row: int = 0) -> Plan:
    """Reckon what a service takes.

    Work for frames grows with them, and that of a search with the list; what
    Ray, the steward and the proxy use goes on whatever comes in, once a
    machine. Every machine has a matcher of the list and as many detectors and
    embedders as half of its cores. Not reckoned of a long list: that searches
    at once share a machine's memory, and what all its scores take on their way
    to a camera.

    Parameters
    ----------
    measured
        Document of ``lfr bench serve --json``.
    wanted
        What is asked for.
    row
        Of the document whose frames are like those that will come: over HTTP, or read by the service.

    Raises
    ------
    InputError
        It is no such document, or one camera or the list is more than a machine can do.
    """
    try:
        rows, sizing = measured["rows"], measured["sizing"]
        frames_s, spent = float(rows[row]["ours"]), dict(rows[row]["core_ms_per_frame"][0])
        resident, cores = dict(sizing["resident_mib"]), int(measured["machine"]["cores"])
        if rows[row]["kind"] == "feed":  # such a camera has a detector of its own
            resident["camera"] = float(sizing["feed_camera_mib"])
        told, of = sizing["matcher_mib_per_10000_entries"], f"{rows[row]['name']}, {rows[row]['data']}"
        searching_ms = float(rows[row]["searches_per_frame"]) * float(sizing["search_core_ms_per_million"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"no document of `lfr bench serve --json` as this lfr prints it: {error!r} is missing or wrong"
        ) from error
    if told is None:
        raise InputError("it was measured with too short a list to tell its memory; leave --references as it is")
    measured_ms = sum(spent.get(part, 0.0) for part in _FOR_FRAMES)  # of a list too short to count
    idle_cores = (sum(spent.values()) - measured_ms) * frames_s / 1000
    search_ms = searching_ms * wanted.references / _MILLION
    frame_ms = measured_ms + search_ms
    list_mib = resident.get("matcher", 0.0) + told * wanted.references / ENTRIES_TOLD
    idle_mib = sum(mib for part, mib in resident.items() if part not in (*_FOR_PROCESSES, "camera", "matcher"))
    pairs = max(1, wanted.node_cores // 2)
    fixed_mib = idle_mib + list_mib + pairs * sum(resident.get(part, 0.0) for part in _FOR_PROCESSES)
    free_cores = wanted.node_cores * wanted.busy - idle_cores
    free_mib = wanted.node_gib * _MIB_PER_GIB - fixed_mib
    camera_cores, camera_mib = wanted.fps * frame_ms / 1000, resident.get("camera", 0.0)
    by_cores, by_memory = int(free_cores / camera_cores), int(free_mib / camera_mib) if camera_mib else wanted.cameras
    if by_memory < 1:
        raise InputError(
            f"a machine of {wanted.node_gib:g} GiB does not hold the list ({list_mib / _MIB_PER_GIB:.1f} GiB), its "
            f"{pairs} detectors and embedders and one camera: {(fixed_mib + camera_mib) / _MIB_PER_GIB:.1f} GiB; "
            "give more, or split the list over several matchers (`matcher_entries`)"
        )
    if by_cores < 1:
        raise InputError(
            f"one camera at {wanted.fps:g} frames a second takes {camera_cores:.2f} cores, and a machine of "
            f"{wanted.node_cores} has {max(0.0, free_cores):.2f} left; give larger machines or fewer frames"
        )
    nodes = ceil(wanted.cameras / min(by_cores, by_memory))
    hour = None if wanted.core_hour is None else nodes * wanted.node_cores * wanted.core_hour / wanted.cameras
    return Plan(
        nodes=nodes,
        bound="cores" if by_cores <= by_memory else "memory",
        cores=round(wanted.cameras * camera_cores + nodes * idle_cores, 1),
        gib=round((wanted.cameras * camera_mib + nodes * fixed_mib) / _MIB_PER_GIB, 1),
        frame_core_ms=round(frame_ms, 1),
        search_core_ms=round(search_ms, 2),
        idle_cores=round(idle_cores, 2),
        list_gib=round(list_mib / _MIB_PER_GIB, 2),
        camera_hour=None if hour is None else round(hour, 4),
        measured_frames_s=frames_s,
        reckoned_frames_s=round((cores - idle_cores) / measured_ms * 1000, 2),
        of=of,
    )


def search_core_ms(references: int) -> float:
    """Return the milliseconds of a core that one probe takes to be compared with so many references, in this process.

    They are random, and it is done as the matcher does it.
    """
    rng = np.random.default_rng(_SEED)
    held = Snapshot(
        Embeddings(random_templates(references, rng), VERSION), tuple(f"subject-{i}" for i in range(references))
    )
    probe = Embeddings(random_templates(1, rng), VERSION)
    held.subject_scores(probe)
    began = time.process_time()
    for _ in range(_SEARCHES):
        held.subject_scores(probe)
    return 1000 * (time.process_time() - began) / _SEARCHES
