"""The Serve application: ``lfr.serving.app:build``.

Annotations are values here, because Serve reads the type of `build`'s argument to validate it.
"""

import logging
from contextlib import closing
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve.context import _get_serve_request_context as get_serve_request_context

from lfr.errors import SettingsError
from lfr.serving.api import Service, create_app
from lfr.serving.detector import Detector
from lfr.serving.embedder import Embedder
from lfr.serving.fleet import Fleet
from lfr.serving.logs import log_json
from lfr.serving.node import check_node
from lfr.serving.opening import ServedModel, open_registry, open_service_store, resolve
from lfr.serving.settings import AppArgs, Replicas
from lfr.serving.steward import Steward

__all__ = ["PARTS", "application", "build", "create_served_app", "prepared"]

PARTS = ("Detector", "Embedder", "Steward")
"""The parts that can be asked when they had opened what they need."""

_LOG = logging.getLogger(__name__)
_HEALTH: dict[str, Any] = {"health_check_period_s": 1, "health_check_timeout_s": 10, "graceful_shutdown_timeout_s": 5}


class Api:
    """The HTTP interface's process; the parts are named so that they are deployed with it.

    Parameters
    ----------
    parts
        Handles of `Detector`, `Embedder` and `Steward`.
    """

    def __init__(self, *parts: object) -> None:
        self._parts = parts


def build(args: AppArgs) -> serve.Application:
    """Return the application, for ``serve run serve/dev.yaml`` and ``lfr serve``.

    Parameters
    ----------
    args
        Validated by Serve; unknown keys are refused.

    Raises
    ------
    RefusedError
        The Ray node was not started as lfr starts one.
    StoreError
        There is no governed store, or it cannot be opened.
    ModelError
        The model cannot be loaded.
    """
    if not ray.is_initialized():
        raise SettingsError("build: this process is not connected to a Ray node; give its address")
    check_node()
    return application(*prepared(args))


def prepared(args: AppArgs) -> tuple[AppArgs, ServedModel]:
    """Return the arguments, resolved, and the model that they name; raises as `build`. No node is needed for it."""
    args = args.resolved()
    with closing(open_service_store(args)) as store:  # what is wrong with it shows here, and not in every replica
        model = resolve(args, store)
    _LOG.info("model %s is %s, digest %s", model.alias, model.version, model.digest)
    return args, model


def application(args: AppArgs, model: ServedModel) -> serve.Application:
    """Return the application with its parts, from what `prepared` returned."""
    batching = {"batch_wait_s": args.batch_wait_s}
    detector = _deployment(
        Detector, "Detector", args.detector, user_config={**batching, "max_batch_size": args.batch_frames}
    ).bind(args, model)
    embedder = _deployment(Embedder, "Embedder", args.embedder, user_config={**batching, "max_batch_size": 16}).bind(
        args, model
    )
    steward = _deployment(Steward, "Steward", Replicas()).bind(args, model)

    def interface() -> FastAPI:  # Serve calls a function in each replica, and only a function
        return create_served_app(args, model)

    # Each open stream of events holds one place.
    return _deployment(serve.ingress(interface)(Api), "Api", args.api, max_ongoing_requests=1_000).bind(
        detector, embedder, steward
    )


def create_served_app(args: AppArgs, model: ServedModel) -> FastAPI:
    """Return the interface over the actors of this Ray node; made in each replica."""
    log_json()
    service = Service(
        open_service_store(args),
        Fleet(args, model),
        model,
        args.limits,
        registry=lambda: open_registry(args),
        sources=frozenset(args.sources),
    )
    # Serve gives each request its id, and shows it in the answer.
    return create_app(service, request_id=lambda: get_serve_request_context().request_id)


def _deployment(kind: type, name: str, size: Replicas, **more: Any) -> serve.Deployment:  # noqa: ANN401
    options: dict[str, Any] = {
        "name": name,
        "ray_actor_options": {"num_cpus": size.cpus, "num_gpus": size.gpus},
        "max_ongoing_requests": 64,
        **_HEALTH,
        **more,
    }
    if size.max_replicas is None:
        options["num_replicas"] = size.replicas
    else:
        options["autoscaling_config"] = {"min_replicas": size.replicas, "max_replicas": size.max_replicas}
    return serve.deployment(**options)(kind)
