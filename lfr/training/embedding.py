"""Embed a data set with Ray Data, on a node of this machine that ends with the work.

What travels through Ray is names: files to read, and the number of a part that
is done. Workers write templates to a folder that only their owner may read, so
none enters Ray's object store, which is not cleared when an object is freed.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lfr.evaluation import Acquired, Executor, Part, acquire
from lfr.evaluation.templates import acquired_table, table_acquired, write_private
from lfr.models import Model, load_model
from lfr.training.node import local_node

__all__ = ["ray_executor"]


def ray_executor(*, workers: int | None = None, threads: int | None = None, weights: Path | None = None) -> Executor:
    """Return an executor for `lfr.evaluation.embed` that spreads the parts over processes.

    Each worker loads the model version by name and the caller checks its
    digest, so the templates are those of `lfr.evaluation.embed_locally`.

    Parameters
    ----------
    workers
        Processes; None: as many as there are cores.
    threads
        Threads for the networks in each; None: one.
    weights
        Folder of the weight pack; None: the installed one.

    Raises
    ------
    RefusedError
        This process is connected to a Ray cluster already, which may be open to others.
    """

    def run(parts: Sequence[Part], model: Model) -> Iterator[tuple[int, Acquired]]:
        if not parts:
            return
        processes = min(workers or os.cpu_count() or 1, len(parts))
        with local_node(processes) as folder:
            templates = folder / "templates"
            templates.mkdir(mode=0o700)
            work = {
                part.number: _Work(
                    model.version.name,
                    threads or 1,
                    None if weights is None else str(weights.absolute()),
                    str(templates),
                    [str(file.absolute()) for file in part.files],
                )
                for part in parts
            }
            for number in _done(work, processes):
                file = templates / f"{number}.parquet"
                acquired, _ = table_acquired(pq.read_table(file))
                file.unlink()
                yield number, acquired

    return run


class _Embedder:
    """Embeds one part after another in a worker, which loads the model once."""

    def __init__(self) -> None:
        self._model: Model | None = None

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        number, made = int(batch["number"][0]), _Work(**json.loads(str(batch["work"][0])))
        if self._model is None:
            weights = None if made.weights is None else Path(made.weights)
            self._model = load_model(made.version, threads=made.threads, weights=weights)
        acquired = acquire([Path(file) for file in made.files], self._model)
        # Who asked for them knows the images' digests.
        table = acquired_table(acquired, np.full(len(acquired), "", np.str_))
        write_private(table, Path(made.folder) / f"{number}.parquet")
        return {"number": batch["number"]}


@dataclass(frozen=True)
class _Work:
    """What a worker is told of a part, as JSON."""

    version: str
    threads: int
    weights: str | None
    folder: str
    files: list[str]


def _done(work: Mapping[int, _Work], processes: int) -> Iterator[int]:
    import ray.data  # noqa: PLC0415 # after the environment says how

    ray.data.DataContext.get_current().enable_progress_bars = False  # the caller shows what is done
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    items = [{"number": number, "work": json.dumps(asdict(part))} for number, part in work.items()]
    done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        _Embedder,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=processes),
        num_cpus=1,
    )
    for row in done.iter_rows():
        yield int(row["number"])
