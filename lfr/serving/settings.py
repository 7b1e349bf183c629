"""How the service runs: typed arguments of the app, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from lfr.errors import SettingsError, SourceError
from lfr.settings import read_settings
from lfr.sources import check_source

__all__ = ["AppArgs", "Limits", "Replicas", "SourceSpec", "SourceUse"]


class SourceUse(BaseModel):
    """For whom a source may be read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    force: str | None = Field(default=None, description="The one force that may have it read; unset: any.")
    cameras: tuple[str, ...] | None = Field(
        default=None, description="Cameras of authorisations that it may be read for; unset: any."
    )

    def allows(self, force_id: str, camera_id: str | None = None) -> bool:
        """Whether a force may have it read, for a camera if one is given."""
        of_camera = camera_id is None or self.cameras is None or camera_id in self.cameras
        return of_camera and self.force in (None, force_id)


class SourceSpec(SourceUse):
    """A stream, device or file, and for whom it may be read; a text alone is an address."""

    address: SecretStr = Field(description="`rtsp://` or `rtsps://` URL, device, or file.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: object) -> object:
        return {"address": given} if isinstance(given, str | SecretStr) else given

    @field_validator("address")
    @classmethod
    def _can_be_opened(cls, address: SecretStr) -> SecretStr:
        try:
            check_source(address.get_secret_value())
        except SourceError as error:
            raise ValueError(str(error)) from error
        return address

    @property
    def use(self) -> SourceUse:
        """For whom, without the address."""
        return SourceUse(force=self.force, cameras=self.cameras)


SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)  # it may hold a password


class Limits(_Model):
    """What the interface takes; more is refused with the limit's name."""

    frame_bytes: int = Field(default=8 << 20, ge=1 << 10, le=8 << 20, description="Largest encoded frame in bytes.")
    frame_pixels: int = Field(default=16_000_000, ge=1 << 10, le=50_000_000, description="Largest frame in pixels.")
    body_bytes: int = Field(default=1 << 20, ge=1 << 10, le=16 << 20, description="Largest other body in bytes.")
    frames_per_second: float = Field(default=60.0, gt=0, le=1_000, description="Frames a second of one camera.")
    requests_per_second: float = Field(default=120.0, gt=0, le=10_000, description="Requests a second of one key.")
    frames_waiting: int = Field(default=8, ge=1, le=64, description="Frames of one camera on their way at once.")
    silent_s: float = Field(
        default=30.0,
        gt=0,
        le=3_600,
        description="Seconds in which no frame comes, or no answer goes: a WebSocket ends.",
    )
    events_open: int = Field(default=200, ge=1, le=900, description="Streams of events open at once, per replica.")


class Replicas(_Model):
    """Processes of one part, and what each may use. Fractions, or nothing starts on a small machine."""

    replicas: int = Field(default=1, ge=1, le=256, description="Processes.")
    max_replicas: int | None = Field(default=None, ge=1, le=256, description="Most processes, if they are scaled.")
    cpus: float = Field(default=0.1, ge=0.01, le=64, description="Share of processors that Ray reserves for each.")
    gpus: float = Field(default=0.0, ge=0, le=8, description="Share of GPUs that Ray reserves for each.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas {self.max_replicas} is under replicas {self.replicas}")
        return self


class AppArgs(_Model):
    """Arguments of ``lfr.serving.app:build``.

    What is not given comes from the environment of the process that builds the app (`lfr.settings`), once.
    """

    home: Path | None = Field(default=None, description="Folder of everything that lfr keeps; unset: LFR_HOME.")
    database_url: SecretStr | None = Field(default=None, description="Database; unset: LFR_DATABASE_URL, else SQLite.")
    master_key_file: Path | None = Field(default=None, description="Master key; unset: LFR_MASTER_KEY_FILE.")
    weights: Path | None = Field(default=None, description="Folder of the weight pack; unset: LFR_WEIGHTS.")
    tracking_uri: str = Field(default="", description="MLflow tracking server; unset: MLFLOW_TRACKING_URI, else home.")
    model: str | None = Field(default=None, description="Model version or registry alias; unset: LFR_MODEL.")
    shadow: str | None = Field(
        default=None, description="Model version or registry alias that looks on and alerts nobody."
    )
    shadow_calibration: Path | None = Field(
        default=None, description="Calibration of the shadow; unset: the registry's evidence on it."
    )
    threads: int = Field(default=1, ge=1, le=256, description="Threads of the networks in each process.")
    limits: Limits = Field(default_factory=Limits, description="What the interface takes.")
    api: Replicas = Field(default_factory=Replicas, description="The HTTP interface.")
    detector: Replicas = Field(default_factory=Replicas, description="Finds faces.")
    embedder: Replicas = Field(default_factory=Replicas, description="Makes templates.")
    batch_frames: int = Field(default=4, ge=1, le=64, description="Most frames that are searched for faces at once.")
    batch_crops: int = Field(default=32, ge=1, le=512, description="Most faces that are embedded at once.")
    batch_wait_s: float = Field(default=0.0, ge=0, le=0.1, description="Wait for a fuller batch, in seconds.")
    min_face_px: int | None = Field(default=None, ge=10, description="Smallest face to find; larger is faster.")
    detect_every: int = Field(
        default=1,
        ge=1,
        le=10,
        description="Frames per detection of a camera that the service reads itself; tracks are predicted in between. "
        "`lfr evaluate scene --detect-every` shows what that loses.",
    )
    matcher_entries: int = Field(
        default=50_000, ge=1, description="Most entries for one matcher; a larger list is spread over several."
    )
    sources: dict[SourceName, SourceSpec] = Field(
        default_factory=dict,
        description="Streams, devices and files that the service may read for a camera, by the names that requests "
        "give; no other is ever opened. Each an address, or `address` with `force` and `cameras`. "
        "Unset: LFR_SOURCES, a JSON object.",
    )
    sweep_every_s: float = Field(default=60.0, gt=0, description="Seconds between sweeps of what is due.")

    @property
    def addresses(self) -> dict[str, str]:
        """Address of each source by its name."""
        return {name: spec.address.get_secret_value() for name, spec in self.sources.items()}

    def told(self) -> dict[str, Any]:
        """Return the arguments as JSON with their secrets as they are, for the standard input of another process."""
        url = self.database_url.get_secret_value() if self.database_url is not None else None
        sources = {
            name: {**spec.use.model_dump(), "address": spec.address.get_secret_value()}
            for name, spec in self.sources.items()
        }
        return {**self.model_dump(mode="json"), "database_url": url, "sources": sources}

    def matchers(self, watchlist_size: int) -> int:
        """Return over how many matchers a list of so many entries is spread."""
        return max(1, -(-watchlist_size // self.matcher_entries))

    def resolved(self) -> AppArgs:
        """Return the arguments with what the environment says filled in, every path absolute.

        Raises
        ------
        SettingsError
            A variable has a value that its field does not allow.
        """
        settings = read_settings()
        try:
            sources = self.sources or AppArgs.model_validate({"sources": settings.sources}).sources
        except ValidationError as error:
            raise SettingsError(f"LFR_SOURCES: {error.errors()[0]['msg']}") from error
        master, weights = self.master_key_file or settings.master_key_file, self.weights or settings.weights
        calibration = self.shadow_calibration
        return self.model_copy(
            update={
                "home": (self.home or settings.home).absolute(),
                "database_url": self.database_url or settings.database_url,
                "master_key_file": master.absolute() if master else None,
                "weights": weights.absolute() if weights else None,
                "tracking_uri": self.tracking_uri or settings.tracking_uri,
                "model": self.model or settings.model,
                "sources": sources,
                "shadow_calibration": calibration.absolute() if calibration else None,
            }
        )
