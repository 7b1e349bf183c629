"""From one model version to another only between deployments: the sealed list of a live one is of its model."""

from __future__ import annotations

from ray import serve
from ray.exceptions import RayError

from lfr.database import Store
from lfr.deployments import live_now
from lfr.errors import RefusedError, ServiceError
from lfr.serving.actors import APP_NAME

__all__ = ["check_roll", "running_model"]

_ANSWER_S = 30.0


def running_model() -> str | None:
    """Return the digest of the model that the application runs on this node; None where it does not run yet.

    Raises
    ------
    ServiceError
        It runs and does not say with which model.
    """
    app = serve.status().applications.get(APP_NAME)
    embedder = app.deployments.get("Embedder") if app is not None else None
    states = {} if embedder is None else embedder.replica_states
    if not any(state == "RUNNING" and count for state, count in states.items()):
        return None
    try:
        return str(serve.get_deployment_handle("Embedder", APP_NAME).model_digest.remote().result(timeout_s=_ANSWER_S))
    except (RayError, TimeoutError) as error:
        raise ServiceError(
            f"the application that runs does not say with which model ({type(error).__name__}); try again"
        ) from error


def check_roll(store: Store, running: str | None, digest: str) -> None:
    """Raise where the application would go on with another model while a deployment is live without it.

    A first start is not refused: alerts of before can be decided on, and frames of a deployment that was authorised
    with another model are refused one by one.

    Parameters
    ----------
    store
        Which deployments are live.
    running
        From `running_model`.
    digest
        Of the model to go on with.

    Raises
    ------
    RefusedError
        The message names the deployment and both digests.
    """
    if running is None or running == digest:
        return
    for deployment in live_now(store):
        if deployment.model_digest != digest:
            raise RefusedError(
                f"deployment {deployment.id} is live with model {deployment.model_digest}, and this would go on with "
                f"{digest}; from one model to another only between deployments"
            )
