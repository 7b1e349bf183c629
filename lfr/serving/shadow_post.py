"""The shadow of one live deployment: a model, the sealed list enrolled with it in memory, and a watch for each camera.

It has no way to alert: what it returns is entries and counts, which the
camera compares with the field version's alerts and forgets.
"""

from __future__ import annotations

from lfr.access import Principal
from lfr.database import Store
from lfr.deployments import LiveDeployment, served_fpir
from lfr.deployments.calibrations import check_calibration
from lfr.errors import ServiceError
from lfr.matching import DecisionRule
from lfr.pipeline import Recogniser, StreamSettings
from lfr.pipeline.shadow import ShadowSight, ShadowWatch
from lfr.serving.alive import Alive, HeldFaces, WatchedReader
from lfr.serving.crossing import SentFrame
from lfr.serving.liveness import Liveness
from lfr.serving.settings import Limits
from lfr.types import Calibration
from lfr.watchlist.shadowing import EnrolledAnew, enrol_sealed

__all__ = ["ShadowPost"]


class ShadowPost:
    """A shadow's model and list, used by one thread.

    Parameters
    ----------
    store, deployment
        Whose shadow.
    reader
        With the shadow's model.
    calibration
        Of exactly that model.
    limits
        Of the app.

    Raises
    ------
    NotAuthorisedError
        The deployment is not live any more, or its list is not the one that was authorised.
    ModelMismatchError, RefusedError, CalibrationError
        The calibration is of another model, of a smaller list, of another rule or not good enough for this
        deployment: what holds for the field version holds here.
    """

    def __init__(
        self, store: Store, deployment: LiveDeployment, *, reader: Recogniser, calibration: Calibration, limits: Limits
    ) -> None:
        self._store, self._deployment, self._reader = store, deployment, reader
        self._max_pixels = limits.frame_pixels
        self._live = Liveness(store, deployment.id)
        self._live.check()
        check_calibration(
            calibration,
            demo=deployment.demo,
            list_id=deployment.watchlist_id,
            list_size=deployment.watchlist_size,
            list_model_digest=reader.model.digest,
        )
        rule = deployment.rule
        served_fpir(calibration, shots=rule.shots, fusion=rule.fusion)
        self._rule = DecisionRule(threshold=calibration.threshold, shots=rule.shots, fusion=rule.fusion)
        self._list: EnrolledAnew = enrol_sealed(
            store,
            Principal.system(deployment.force_id),
            deployment.watchlist_id,
            reader.model,
            digest=deployment.watchlist_digest,
            sealed_model_digest=deployment.model_digest,
            purpose=f"enrolled in memory for the shadow of deployment {deployment.id}",
        )
        self._watches: dict[str, ShadowWatch] = {}
        self._alive = Alive()

    def held(self) -> HeldFaces:
        """Return what is held of the faces of people who pass now; the list's templates are not counted."""
        return self._alive.count()

    def begin(self, camera_id: str) -> tuple[int, int]:
        """Begin to watch a camera anew; how many reference images were enrolled, and of how many that failed."""
        self._deployment.check_camera(camera_id)
        self._watches[camera_id] = ShadowWatch(
            WatchedReader(self._reader, self._alive),
            self._list.snapshot,
            self._rule,
            settings=StreamSettings(detect_every=1),
            max_pixels=self._max_pixels,
        )
        return self._list.enrolled, self._list.failures

    def look(self, camera_id: str, picture: SentFrame, time_s: float) -> ShadowSight:
        """As `ShadowWatch.look`; raises NotAuthorisedError once the deployment is not live."""
        self._live.check()
        return self._watch(camera_id).look(picture, time_s)

    def end_stream(self, camera_id: str) -> ShadowSight:
        """As `ShadowWatch.end_stream`."""
        self._live.check()
        return self._watch(camera_id).end_stream()

    def _watch(self, camera_id: str) -> ShadowWatch:
        if camera_id not in self._watches:
            raise ServiceError(f"camera {camera_id}: the shadow began anew")
        return self._watches[camera_id]
