"""One probe through Ray to a matcher that holds a large sealed list, asked as a camera asks it.

Run as a process of its own, because one that talks to Ray ends when Ray does; it has one of the node's workers ask.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from lfr.access import ForcePolicy, set_policy
from lfr.deployments import authorise, create_deployment, live_now, start
from lfr.errors import NotFoundError, ServiceError
from lfr.evaluation.benchmarks import latencies_s
from lfr.evaluation.benchmarks.store_cast import fill_list
from lfr.evaluation.made_up import MadeUpForce, made_up_request
from lfr.models import Model
from lfr.serving.node import NodeSettings, node_environment
from lfr.serving.settings import AppArgs
from lfr.sources import demo_portraits
from lfr.types import Embeddings, FloatArray
from lfr.watchlist import approve, create_watchlist, load_sealed, seal

__all__ = ["ask_matcher", "main", "measure", "with_large_list"]

_SEED = 20_230_417
_PROBES = 8
_ASK_S = 300.0


def with_large_list(force: MadeUpForce, model: Model, *, references: int) -> MadeUpForce:
    """Make a live deployment whose list has random templates, encrypted, approved and sealed as any other.

    Its calibration is the force's, said to be of a list of this size, and therefore simulated and insufficient,
    whatever it was: it serves a demonstration, in which nobody is looked for.
    """
    store = force.open()
    try:
        admin, manager, officer, operator = (
            force.principal(store, role) for role in ("admin", "watchlist_manager", "authorising_officer", "operator")
        )
        set_policy(store, admin, ForcePolicy(max_watchlist=max(references, 2_000)))
        watchlist_id = create_watchlist(store, manager, name="made up", model=model)
        image = demo_portraits()[0].path.read_bytes()
        fill_list(store, manager, watchlist_id, model, image, entries=references, seed=_SEED)
        approve(store, officer, watchlist_id)
        seal(store, manager, watchlist_id)
        request = made_up_request(store, watchlist_id, minutes=60, cameras=("north",), calibration=force.calibration)
        size = max(references, request.calibration.watchlist_size)
        told = {"watchlist_size": size, "simulated": True, "verdict": "insufficient_data", "protocol": "made up"}
        large = request.calibration.model_copy(update=told)
        made = create_deployment(store, operator, request.model_copy(update={"calibration": large}))
        authorise(store, officer, made, reasons="made-up people only")
        start(store, operator, made)
    finally:
        store.close()
    return replace(force, watchlist_id=watchlist_id, deployment_id=made)


def ask_matcher(node: NodeSettings, args: AppArgs, deployment_id: str, *, calls: int, repeats: int) -> dict[str, Any]:
    """Have a process of the node ask the deployment's matcher, and return what `measure` does.

    Raises
    ------
    ServiceError
        It could not; the message says why.
    """
    asked = {"args": args.resolved().told(), "deployment_id": deployment_id, "calls": calls, "repeats": repeats}
    try:
        done = subprocess.run(  # our own command
            [sys.executable, "-m", "lfr.cli.service_benchmark.matching"], input=json.dumps(asked), text=True,
            env=node_environment(node, os.environ), capture_output=True, timeout=_ASK_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"the matcher did not answer within {_ASK_S:.0f} seconds") from error
    if done.returncode:
        raise ServiceError(f"the matcher could not be asked: {''.join(done.stderr.strip().splitlines()[-1:])}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def measure(args: AppArgs, deployment_id: str, *, calls: int, repeats: int) -> dict[str, Any]:
    """Ask a deployment's matcher and the same list in this process, in turn.

    Returns
    -------
    ``ours_s`` and ``peer_s``: for each turn the seconds of each call. ``same_subjects``, ``same_scores``: whether
    both gave the same, to the bit. ``entries``: how many are on the list.

    Raises
    ------
    NotFoundError
        There is no such live deployment.
    """
    from lfr.serving.actors import matchers_of  # Ray, only in the process that asks
    from lfr.serving.opening import open_service_store
    from lfr.serving.remote import RemoteReferences

    with closing(open_service_store(args)) as store:
        granted = next((live for live in live_now(store) if live.id == deployment_id), None)
        if granted is None:
            raise NotFoundError(f"deployment {deployment_id}: is not live")
        sealed = load_sealed(
            store, granted.watchlist_id, digest=granted.watchlist_digest, model_digest=granted.model_digest
        )
    served = RemoteReferences(lambda: matchers_of(args, granted), size=granted.watchlist_size)
    probes = [Embeddings(vector[None], granted.model_digest) for vector in _probes(sealed.snapshot.references.vectors)]
    same = all(np.array_equal(served.subject_scores(probe), sealed.snapshot.subject_scores(probe)) for probe in probes)
    ours, peer = [], []
    for _ in range(repeats):
        ours.append(latencies_s(lambda i: served.subject_scores(probes[i % _PROBES]), calls=calls).tolist())
        peer.append(latencies_s(lambda i: sealed.snapshot.subject_scores(probes[i % _PROBES]), calls=calls).tolist())
    return {
        "ours_s": ours,
        "peer_s": peer,
        "same_subjects": served.subjects == sealed.snapshot.subjects,
        "same_scores": same,
        "entries": len(sealed.snapshot),
    }


def _probes(references: FloatArray) -> FloatArray:
    """Return templates near some references, of unit length."""
    rng = np.random.default_rng(_SEED)
    near = references[rng.integers(len(references), size=_PROBES)]
    near = near + 0.1 * rng.standard_normal(near.shape).astype(np.float32)
    unit: FloatArray = near / np.linalg.norm(near, axis=1, keepdims=True)
    return unit


def main() -> None:
    """Measure with a JSON document on standard input, `measure`'s arguments; print its answer as one."""
    import ray

    from lfr.cli.service_benchmark.matching import measure as on_a_worker  # by its name, not `__main__`
    from lfr.serving.actors import NAMESPACE

    asked = json.loads(sys.stdin.read())
    args = AppArgs.model_validate(asked.pop("args"))
    ray.init(address=os.environ["RAY_ADDRESS"], namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    on_worker: Any = on_a_worker  # Ray types what has no keywords
    asking = ray.remote(num_cpus=0)(on_worker)
    answer = ray.get(asking.remote(args, **asked))
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
