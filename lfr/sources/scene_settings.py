"""What a simulated scene is asked to be."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["SceneSettings"]


class SceneSettings(BaseModel):
    """Settings of one simulated scene; the same settings give the same frames, bit for bit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resolution_wh: tuple[int, int] = Field(
        default=(1280, 720),
        description="Width and height of a frame in pixels, both even, 1.2 to 2.4 times as wide as high. "
        "Faces grow from about 0.028 to 0.22 of the height: 20 to 160 px of 720.",
    )
    fps: float = Field(default=12.5, ge=1.0, le=60.0, description="Frames per second.")
    duration_s: float = Field(default=60.0, ge=2.0, le=3600.0, description="Length of the scene in seconds.")
    people_per_minute: float = Field(
        default=22.0,
        gt=0.0,
        le=90.0,
        description="Passes per minute: each is one person walking the whole street up to the camera. "
        "A pass takes about 17 s, so 22 a minute keeps about six people in view.",
    )
    difficulty: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="How hard the scene is to recognise in, 0 to 1: scales head turn, tilt and nod, motion blur, "
        "changing light, caps, scarves and umbrellas, lens softness, sensor noise and compression together.",
    )
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of everything that is random in the scene.")

    @model_validator(mode="after")
    def _frame_can_be_rendered(self) -> Self:
        width, height = self.resolution_wh
        if not (320 <= width <= 3840 and 240 <= height <= 2160):
            raise ValueError(f"resolution_wh: {width}x{height} is outside 320x240 to 3840x2160")
        if width % 2 or height % 2 or not 1.2 <= width / height <= 2.4:
            raise ValueError(f"resolution_wh: {width}x{height} must be even, and 1.2 to 2.4 times as wide as high")
        return self

    @property
    def frame_count(self) -> int:
        """Number of frames, at least one."""
        return max(1, round(self.duration_s * self.fps))

    @property
    def pass_count(self) -> int:
        """Number of passes, at least one."""
        return max(1, round(self.duration_s * self.people_per_minute / 60.0))
