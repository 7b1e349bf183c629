"""The Serve application: ``lfr.serving.app:build``.

Annotations are values here, because Serve reads the type of `build`'s argument to validate it.
"""

import logging
from contextlib import closing
from dataclasses import dataclass
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
from lfr.serving.opening import (
    ServedModel,
    ServedShadow,
    open_registry,
    open_service_store,
    resolve,
    resolve_shadow,
)
from lfr.serving.rolling import check_roll, running_model
from lfr.serving.sending import SendAtOnce
from lfr.serving.settings import AppArgs, Replicas
from lfr.serving.steward import Steward
from lfr.serving.tidy import keep_tidy

__all__ = ["PARTS", "Prepared", "application", "build", "check_may_run", "create_served_app", "prepared"]

PARTS = ("Detector", "Embedder", "Steward")
"""The parts that can be asked when they had opened what they need."""

_LOG = logging.getLogger(__name__)
_HEALTH: dict[str, Any] = {"health_check_period_s": 1, "health_check_timeout_s": 10, "graceful_shutdown_timeout_s": 5}
# A replica ends only once the one that takes its place is up; without it Serve ends the only one first.
_ROLL: dict[str, Any] = {"max_surge_percent": 100}


class Api:
    """The HTTP interface's process; the parts are named so that they are deployed with it.

    Parameters
    ----------
    parts
        Handles of `Detector`, `Embedder` and `Steward`.
    """

    def __init__(self, *parts: object) -> None:
        self._parts = parts


@dataclass(frozen=True)
class Prepared:
    """What the application is to run.

    Attributes
    ----------
    args
        Resolved.
    model, shadow
        The version that runs, and the one that looks on, if there is one.
    """

    args: AppArgs
    model: ServedModel
    shadow: ServedShadow | None

    def as_dict(self) -> dict[str, Any]:
        """Return which versions those are, as JSON has it."""
        return {"model": self.model.as_dict(), "shadow": self.shadow.as_dict() if self.shadow else None}


def build(args: AppArgs) -> serve.Application:
    """Return the application, for ``serve run serve/dev.yaml`` and ``lfr serve``.

    Parameters
    ----------
    args
        Validated by Serve; unknown keys are refused.

    Raises
    ------
    RefusedError
        The Ray node was not started as lfr starts one; the application runs on it with another model than these
        arguments ask for, and a deployment is live; or there is no calibration of the shadow.
    StoreError
        There is no governed store, or it cannot be opened.
    ModelError
        The model cannot be loaded, or the shadow's calibration is of another model than the shadow.
    """
    if not ray.is_initialized():
        raise SettingsError("build: this process is not connected to a Ray node; give its address")
    check_node()
    found = prepared(args)
    check_may_run(found)
    return application(found)


def prepared(args: AppArgs) -> Prepared:
    """Return what the arguments stand for; raises as `build`. No node is needed for it."""
    args = args.resolved()
    with closing(open_service_store(args)) as store:  # what is wrong with it shows here, and not in every replica
        model, shadow = resolve(args, store), resolve_shadow(args, store)
    _LOG.info("model %s is %s, digest %s", model.alias, model.version, model.digest)
    if shadow is not None:
        _LOG.info("shadow %s is %s, digest %s", shadow.model.alias, shadow.model.version, shadow.model.digest)
    return Prepared(args, model, shadow)


def check_may_run(prepared: Prepared) -> None:
    """Raise RefusedError where another model runs on this node and a deployment is live with it."""
    with closing(open_service_store(prepared.args)) as store:
        check_roll(store, running_model, prepared.model.digest)


def application(prepared: Prepared) -> serve.Application:
    """Return the application with its parts."""
    args, model, shadow = prepared.args, prepared.model, prepared.shadow
    batching = {"batch_wait_s": args.batch_wait_s}
    detector = _deployment(
        Detector, "Detector", args.detector, user_config={**batching, "max_batch_size": args.batch_frames}
    ).bind(args, model)
    embedder = _deployment(Embedder, "Embedder", args.embedder, user_config={**batching, "max_batch_size": 16}).bind(
        args, model
    )
    steward = _deployment(Steward, "Steward", Replicas()).bind(args, model, shadow)

    def interface() -> FastAPI:  # Serve calls a function in each replica, and only a function
        return create_served_app(args, model, shadow)

    # Each open stream of events holds one place.
    api = _deployment(serve.ingress(interface)(Api), "Api", args.api, max_ongoing_requests=1_000)
    return api.bind(detector, embedder, steward)


def create_served_app(args: AppArgs, model: ServedModel, shadow: ServedShadow | None = None) -> FastAPI:
    """Return the interface over the actors of this Ray node; made in each replica."""
    log_json()
    keep_tidy()
    service = Service(
        open_service_store(args),
        Fleet(args, model, shadow),
        model,
        args.limits,
        registry=lambda: open_registry(args),
        shadow=shadow,
        sources={name: spec.use for name, spec in args.sources.items()},
    )
    # Serve gives each request its id, and shows it in the answer.
    app = create_app(service, request_id=lambda: get_serve_request_context().request_id)
    app.add_middleware(SendAtOnce)
    return app


def _deployment(kind: type, name: str, size: Replicas, **more: Any) -> serve.Deployment:  # noqa: ANN401
    options: dict[str, Any] = {
        "name": name,
        "ray_actor_options": {"num_cpus": size.cpus, "num_gpus": size.gpus},
        "max_ongoing_requests": 64,
        **_HEALTH,
        **_ROLL,
        **more,
    }
    if size.max_replicas is None:
        options["num_replicas"] = size.replicas
    else:
        options["autoscaling_config"] = {"min_replicas": size.replicas, "max_replicas": size.max_replicas}
    return serve.deployment(**options)(kind)
