"""Names of the actors of live deployments, and how those that a camera asks are found or made."""

from __future__ import annotations

from typing import Any

import ray

from lfr.deployments import LiveDeployment
from lfr.serving.matcher import Matcher
from lfr.serving.opening import ServedShadow
from lfr.serving.settings import AppArgs
from lfr.serving.shadow_actor import Shadow

__all__ = [
    "APP_NAME",
    "CAMERA",
    "EVERY_ACTOR",
    "MATCHER",
    "NAMESPACE",
    "SHADOW",
    "matchers_of",
    "parts",
    "shadow_name",
    "shadow_of",
]

NAMESPACE = "lfr"
APP_NAME = "lfr"
MATCHER, CAMERA, SHADOW = "matcher", "camera", "shadow"
EVERY_ACTOR: dict[str, Any] = {"namespace": NAMESPACE, "lifetime": "detached", "max_restarts": -1, "num_cpus": 0}
"""Options of each: it outlives whoever made it, and is made again where it ends."""


def parts(name: str) -> tuple[str, str]:
    """Return the kind of an actor, and its deployment, from its name."""
    kind, _, rest = name.partition(" ")
    return kind, rest.partition(" ")[0]


def matchers_of(args: AppArgs, deployment: LiveDeployment) -> tuple[Any, ...]:
    """Return the matchers of a live deployment in the order of their parts, made if they are not there."""
    of = args.matchers(deployment.watchlist_size)
    return tuple(
        ray.remote(Matcher)
        .options(
            name=f"{MATCHER} {deployment.id} {part} of {of}",
            get_if_exists=True,
            max_task_retries=2,
            max_concurrency=2,
            **EVERY_ACTOR,
        )
        .remote(args, deployment, part)
        for part in range(of)
    )


def shadow_name(shadow: ServedShadow, deployment_id: str) -> str:
    """Return the name of a deployment's shadow: another model or calibration is another actor.

    A camera keeps the shadow it began with, so after a roll to another one both run until the deployment ends.
    """
    return f"{SHADOW} {deployment_id} {shadow.model.digest[:12]} {shadow.calibration.digest[:12]}"


def shadow_of(args: AppArgs, shadow: ServedShadow, deployment: LiveDeployment) -> Any:  # noqa: ANN401
    """Return the shadow of a live deployment, made if it is not there: a process of its own, whatever becomes of it."""
    return (
        ray.remote(Shadow)
        .options(
            name=shadow_name(shadow, deployment.id),
            get_if_exists=True,
            num_gpus=args.embedder.gpus,
            **EVERY_ACTOR,
        )
        .remote(args, shadow, deployment)
    )
