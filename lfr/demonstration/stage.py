"""What the steps of a demonstration share: a folder that goes, who acts, and what is there by now."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lfr.access import Principal
from lfr.database import Store
from lfr.demonstration.street import Street
from lfr.errors import ServiceError
from lfr.evaluation.made_up import MadeUpForce, found_force
from lfr.evaluation.rehearsal_scene import SceneSetup, demo_setup
from lfr.evaluation.scene import SceneScore
from lfr.evaluation.scene_report import AlertPicture
from lfr.models import Model
from lfr.oversight import DeploymentRecord
from lfr.serving.node import LONGEST_FOLDER
from lfr.sources import SceneSettings

if TYPE_CHECKING:
    from lfr.registry import Evidence, RegisteredVersion, Tracking
    from lfr.serving.supervisor import Supervisor

__all__ = ["CAMERA", "Stage"]

CAMERA = "north"


def _new_folder() -> Path:
    """Make a folder whose path is short enough for the sockets of a node below it."""
    usual = tempfile.gettempdir()
    fits = len(usual) + len("/lfr-12345678/r") <= LONGEST_FOLDER
    return Path(tempfile.mkdtemp(prefix="lfr-", dir=usual if fits else "/tmp"))  # noqa: S108 # made with mode 0700


@dataclass(eq=False)
class Stage:
    """A demonstration under way; a context manager that leaves no process and no file but those in `output`.

    Parameters
    ----------
    output
        Folder for what may stay: record, report, the audit log and its key.
    settings
        The scene.
    auto
        Whether the demonstration plays the operator, and hurries; else a person is waited for.
    enough
        Whether whoever watches wants the scene to end.
    say
        Told what is done just now.
    tell
        Told each alert.
    ready
        Told once, with the service's URL and the keys by role, when the console can be opened.
    """

    output: Path
    settings: SceneSettings
    auto: bool = True
    enough: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda _: None
    tell: Callable[[Mapping[str, Any]], None] = lambda _: None
    ready: Callable[[str, Mapping[str, str]], None] = lambda *_: None

    folder: Path = field(default_factory=_new_folder)
    tracking: Tracking | None = None
    version: RegisteredVersion | None = None
    evidence: Evidence | None = None
    model: Model | None = None
    watchlist_id: str = ""
    deployment_id: str = ""
    supervisor: Supervisor | None = None
    street: Street | None = None
    faces_seen: int = 0
    alerts: dict[str, int | None] = field(default_factory=dict)
    pictures: list[AlertPicture] = field(default_factory=list)
    record: DeploymentRecord | None = None
    truth: SceneScore | None = None
    proof: dict[str, Any] | None = None
    _force: MadeUpForce | None = None
    _store: Store | None = None
    _setup: SceneSetup | None = None

    @property
    def home(self) -> Path:
        """Folder of the governed store and the registry."""
        return self.folder / "home"

    @property
    def node_folder(self) -> Path:
        """Folder of the Ray node."""
        return self.folder / "r"

    @property
    def setup(self) -> SceneSetup:
        """Who is listed, and who walks."""
        if self._setup is None:
            self._setup = demo_setup(self.settings)
        return self._setup

    @property
    def force(self) -> MadeUpForce:
        """The made-up force; its store is made when it is asked for first."""
        if self._force is None:
            self._force = found_force(self.home, dict(self.setup.references))
        return self._force

    @property
    def store(self) -> Store:
        """The governed store."""
        if self._store is None:
            self._store = self.force.open()
        return self._store

    def who(self, role: str) -> Principal:
        """Whoever has a role."""
        return self.force.principal(self.store, role)

    @property
    def node_session(self) -> int | None:
        """Session of the node's processes; None where it does not run."""
        try:
            return None if self.supervisor is None else self.supervisor.node_pid
        except ServiceError:
            return None

    def close(self) -> None:
        """Stop the service, close the store, and remove the folder; again if need be."""
        supervisor, self.supervisor = self.supervisor, None
        if supervisor is not None:
            supervisor.stop()
        store, self._store = self._store, None
        if store is not None:
            store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
