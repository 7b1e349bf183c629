"""The shadow in a process of its own, so that nothing it does can end or delay a camera."""

from __future__ import annotations

import logging
import os
from typing import Any

import ray

from lfr.deployments import LiveDeployment
from lfr.errors import LfrError
from lfr.pipeline import Recogniser
from lfr.pipeline.shadow import ShadowSight
from lfr.serving.alive import HeldFaces
from lfr.serving.crossing import SentFrame, crossing
from lfr.serving.logs import log_json
from lfr.serving.opening import ServedShadow, open_model, open_service_store
from lfr.serving.settings import AppArgs
from lfr.serving.shadow_feed import OpenedShadow
from lfr.serving.shadow_post import ShadowPost
from lfr.serving.tidy import keep_tidy

__all__ = ["RemoteShadow", "Shadow"]

_LOG = logging.getLogger(__name__)
_LEAST_URGENT = 19
_OPEN_S, _ANSWER_S = 600.0, 30.0


class Shadow:
    """The actor around a `ShadowPost`: one for a live deployment, gone with it. Errors are returned.

    Parameters
    ----------
    args, shadow
        Of the app.
    deployment
        Whose shadow.
    """

    def __init__(self, args: AppArgs, shadow: ServedShadow, deployment: LiveDeployment) -> None:
        log_json()
        os.nice(_LEAST_URGENT)  # the field version goes first on every processor
        self._args, self._shadow, self._deployment = args, shadow, deployment
        self._made: ShadowPost | None = None
        keep_tidy()
        try:
            self._post()
        except Exception as error:  # noqa: BLE001 # an actor that is not made would be made again and again
            why = error if isinstance(error, LfrError) else type(error).__name__
            _LOG.warning("deployment %s: no shadow: %s", deployment.id, why)  # the first camera asks again

    def held(self) -> HeldFaces:
        """As `ShadowPost.held`; nothing where there is none."""
        return HeldFaces() if self._made is None else self._made.held()

    def begin(self, camera_id: str) -> tuple[int, int] | LfrError:
        """As `ShadowPost.begin`."""
        try:
            return self._post().begin(camera_id)
        except LfrError as error:
            return error

    def look(self, camera_id: str, picture: SentFrame, time_s: float) -> ShadowSight | LfrError:
        """As `ShadowPost.look`."""
        try:
            return self._post().look(camera_id, picture, time_s)
        except LfrError as error:
            return error

    def end_stream(self, camera_id: str) -> ShadowSight | LfrError:
        """As `ShadowPost.end_stream`."""
        try:
            return self._post().end_stream(camera_id)
        except LfrError as error:
            return error

    def _post(self) -> ShadowPost:
        if self._made is None:
            args = self._args
            model = open_model(args, self._shadow.model)
            self._made = ShadowPost(
                open_service_store(args),
                self._deployment,
                reader=Recogniser(model, min_face_px=args.min_face_px),
                calibration=self._shadow.calibration,
                limits=args.limits,
            )
        return self._made


class RemoteShadow:
    """`lfr.pipeline.shadow.ShadowEye` over the actor `Shadow`.

    Parameters
    ----------
    actor
        Its handle.
    camera_id
        Whose frames it looks at.
    """

    def __init__(self, actor: Any, camera_id: str) -> None:  # noqa: ANN401 - an actor's handle
        self._actor, self._camera_id = actor, camera_id

    def opened(self) -> OpenedShadow:
        """Have it begin with this camera, which takes as long as enrolling the list does."""
        answer = ray.get(self._actor.begin.remote(self._camera_id), timeout=_OPEN_S)
        if isinstance(answer, LfrError):
            raise answer
        return OpenedShadow(self, *answer)

    def look(self, picture: SentFrame, time_s: float) -> ShadowSight:
        """Take the next frame; it travels inside the call, and never through the object store."""
        sent = crossing(picture)
        return _sight(ray.get(self._actor.look.remote(self._camera_id, sent, time_s), timeout=_ANSWER_S))

    def end_stream(self) -> ShadowSight:
        """Decide for the tracks that the stream's end cuts off, and begin anew."""
        return _sight(ray.get(self._actor.end_stream.remote(self._camera_id), timeout=_ANSWER_S))


def _sight(answer: ShadowSight | LfrError) -> ShadowSight:
    if isinstance(answer, LfrError):
        raise answer
    return answer
