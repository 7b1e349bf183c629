"""A stage that leaks, for the test of the drill that looks for leaks: Python imports this before anything else.

Where this folder is on the path of a service's processes, cameras and detector keep what they are given, in every
place in which something can be kept.
"""

from __future__ import annotations

import base64
import importlib.abc
import importlib.machinery
import importlib.util
import os
import secrets
import sqlite3
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

_KEPT: list[Any] = []


def keep_everywhere(post: Any, encoded: bytes) -> None:
    """Keep a frame in each place, every time in another form."""
    import cv2  # noqa: PLC0415 # every process of the service imports this module
    import numpy as np  # noqa: PLC0415
    import ray  # noqa: PLC0415

    pixels: Any = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    home, name = Path(post._store.database.url.database).parent, f"lfr-leak-{secrets.token_hex(4)}"
    for checkpoint in ("wal_checkpoint(TRUNCATE)", "user_version"):  # once into the database, once into its log
        with sqlite3.connect(home / "lfr.db", timeout=10) as database:
            database.execute("CREATE TABLE IF NOT EXISTS leaked (frame BLOB)")
            database.execute("INSERT INTO leaked VALUES (?)", (encoded,))
            database.commit()
            database.execute(f"PRAGMA {checkpoint}").fetchall()
    (home / "artifacts").mkdir(exist_ok=True)
    cv2.imwrite(str(home / "artifacts" / f"{name}.jpg"), cv2.resize(pixels, (320, 180)))
    (home / name).write_bytes(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32).tobytes())
    sys.stderr.write(f"a frame: {base64.b64encode(encoded[:4_000]).decode()}\n")
    sys.stderr.flush()
    Path(os.environ["RAY_SERVE_HAPROXY_SERVER_STATE_BASE"], name).write_bytes(encoded[:4_000].hex().encode())
    Path("/dev/shm", name).write_bytes(pixels.tobytes())
    Path(f"core.{name}").write_bytes(encoded)
    unlinked = tempfile.TemporaryFile()  # noqa: SIM115 # it stays open
    unlinked.write(encoded)
    unlinked.flush()
    face = np.array(pixels[None, 70:182, 40:152])
    _KEPT.extend([unlinked, face, ray.put(pixels)])
    post._alive.crops(face)


def leaking_camera(module: Any) -> None:
    took = module.CameraPost.frame

    def frame(self: Any, principal: Any, encoded: bytes, position: Any) -> Any:
        if len(_KEPT) < 30:
            keep_everywhere(self, encoded)
        return took(self, principal, encoded, position)

    module.CameraPost.frame = frame


def leaking_templates(module: Any) -> None:
    embedded = module.RemoteReader.embed

    def embed(self: Any, crops: Any) -> Any:
        made = embedded(self, crops)
        Path(tempfile.gettempdir(), f"lfr-leak-{secrets.token_hex(4)}").write_bytes(made.vectors.tobytes())
        return made

    module.RemoteReader.embed = embed


def leaking_detector(module: Any) -> None:
    detected = module.Detector._detect

    def detect(self: Any, recogniser: Any, picture: Any) -> Any:
        _KEPT.append(picture)
        return detected(self, recogniser, picture)

    module.Detector._detect = detect


STAGES = {
    "lfr.serving.camera": leaking_camera,
    "lfr.serving.remote": leaking_templates,
    "lfr.serving.detector": leaking_detector,
}


class Swapping(importlib.abc.MetaPathFinder):
    """Imports a stage, and puts the leaking one in its place."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name not in STAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def swapped(module: ModuleType) -> None:
            execute(module)
            STAGES[name](module)

        loader.exec_module = swapped
        return spec


sys.meta_path.insert(0, Swapping())
