"""Names of the actors of live deployments."""

from __future__ import annotations

from lfr.deployments import shipped_calibration
from lfr.serving.actors import SHADOW, parts, shadow_name
from lfr.serving.opening import ServedModel, ServedShadow
from lfr.types import Calibration


def test_another_model_or_calibration_in_the_shadow_is_another_actor_of_the_same_deployment() -> None:
    own = shipped_calibration()
    higher = Calibration.model_validate({**own.model_dump(), "threshold": own.threshold + 0.01})
    one, other = (ServedModel("shadow", "a candidate", digest * 64) for digest in "ab")
    shadows = (ServedShadow(one, own), ServedShadow(other, own), ServedShadow(one, higher))
    names = [shadow_name(shadow, "deployment-1") for shadow in shadows]
    assert len(set(names)) == len(names)
    assert {parts(name) for name in names} == {(SHADOW, "deployment-1")}
    assert shadow_name(ServedShadow(one, own), "deployment-1") == names[0]
