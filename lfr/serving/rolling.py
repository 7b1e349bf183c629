"""From one model version to another only between deployments: the sealed list of a live one is of its model."""

from __future__ import annotations

from collections.abc import Callable

from ray import serve
from ray.exceptions import RayError
from ray.serve.schema import ApplicationStatusOverview

from lfr.database import Store
from lfr.deployments import live_now
from lfr.errors import RefusedError, ServiceError
from lfr.serving.actors import APP_NAME

__all__ = ["check_roll", "has_embedder", "running_model"]

_ANSWER_S = 30.0


def running_model() -> str | None:
    """Return the digest of the model that the application runs on this node; None where there is no application.

    Raises
    ------
    ServiceError
        There is one, and it does not say with which model.
    """
    if not has_embedder(serve.status().applications.get(APP_NAME)):
        return None
    try:
        return str(serve.get_deployment_handle("Embedder", APP_NAME).model_digest.remote().result(timeout_s=_ANSWER_S))
    except (RayError, TimeoutError) as error:
        raise ServiceError(
            f"the application that runs does not say with which model ({type(error).__name__}); try again"
        ) from error


def has_embedder(app: ApplicationStatusOverview | None) -> bool:
    """Whether there is an application with an embedder to ask; one that is only being built has no parts yet.

    Raises
    ------
    ServiceError
        There is one, and no process of it runs just now.
    """
    embedder = app.deployments.get("Embedder") if app is not None else None
    if embedder is None:
        return False
    if not any(state == "RUNNING" and count for state, count in embedder.replica_states.items()):
        raise ServiceError("the embedder is starting again, so it is not known which model runs; try again")
    return True


def check_roll(store: Store, running: Callable[[], str | None], digest: str) -> None:
    """Raise where the application would go on with another model while a deployment is live without it.

    A first start is not refused: alerts of before can be decided on, and frames of a deployment that was authorised
    with another model are refused one by one.

    Parameters
    ----------
    store
        Which deployments are live.
    running
        `running_model`, asked only where a deployment is live with another model than the one to go on with.
    digest
        Of the model to go on with.

    Raises
    ------
    RefusedError
        The message names the deployment and both digests.
    ServiceError
        It does not say.
    """
    for deployment in live_now(store):
        if deployment.model_digest != digest and running() not in (None, digest):
            raise RefusedError(
                f"deployment {deployment.id} is live with model {deployment.model_digest}, and this would go on with "
                f"{digest}; from one model to another only between deployments"
            )
