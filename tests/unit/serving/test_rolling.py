"""An embedder that starts again is no application that is not there."""

from __future__ import annotations

import pytest
from ray.serve._private.common import DeploymentStatus, DeploymentStatusTrigger, ReplicaState
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, DeploymentStatusOverview

from lfr.errors import ServiceError
from lfr.serving.rolling import has_embedder


def app(**replicas: int) -> ApplicationStatusOverview:
    """An application whose embedder has processes in these states."""
    states = {ReplicaState(state): count for state, count in replicas.items()}
    embedder = DeploymentStatusOverview(DeploymentStatus.UNHEALTHY, DeploymentStatusTrigger.UNSPECIFIED, states, "")
    return ApplicationStatusOverview(ApplicationStatus.UNHEALTHY, "", 0.0, {"Embedder": embedder})


def test_only_where_there_is_no_application_does_no_model_run() -> None:
    assert not has_embedder(None)
    assert not has_embedder(ApplicationStatusOverview(ApplicationStatus.DEPLOYING, "", 0.0, {}))  # it is being built
    assert has_embedder(app(RUNNING=1, STARTING=1))


@pytest.mark.parametrize("replicas", [{}, {"STARTING": 1}, {"RUNNING": 0, "RECOVERING": 1}, {"STOPPING": 1}])
def test_an_embedder_that_starts_again_leaves_it_unknown_which_model_runs(replicas: dict[str, int]) -> None:
    with pytest.raises(ServiceError, match="not known which model runs; try again"):
        has_embedder(app(**replicas))
