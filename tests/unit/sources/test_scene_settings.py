from typing import Any

import pytest
from pydantic import ValidationError

from lfr.sources.scene_settings import SceneSettings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"weather": "rain"}, "weather"),
        ({"difficulty": 1.01}, "difficulty"),
        ({"duration_s": 0.0}, "duration_s"),
        ({"fps": 0.5}, "fps"),
        ({"people_per_minute": 0.0}, "people_per_minute"),
        ({"seed": -1}, "seed"),
        ({"resolution_wh": (160, 120)}, "resolution_wh"),
        ({"resolution_wh": (1281, 720)}, "resolution_wh"),
        ({"resolution_wh": (720, 1280)}, "resolution_wh"),
    ],
)
def test_a_setting_that_is_unknown_or_out_of_bounds_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        SceneSettings(**settings)


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = SceneSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 3


def test_every_setting_is_described() -> None:
    assert all(field.description for field in SceneSettings.model_fields.values())


@pytest.mark.parametrize(
    ("duration_s", "fps", "people_per_minute", "frames", "passes"),
    [(60.0, 12.5, 22.0, 750, 22), (10.0, 25.0, 6.0, 250, 1), (2.0, 1.0, 1.0, 2, 1)],
)
def test_counts_follow_from_length_and_rates(
    duration_s: float, fps: float, people_per_minute: float, frames: int, passes: int
) -> None:
    settings = SceneSettings(duration_s=duration_s, fps=fps, people_per_minute=people_per_minute)
    assert (settings.frame_count, settings.pass_count) == (frames, passes)
