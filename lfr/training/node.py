"""A Ray node of this machine for one piece of work: behind a token, telling nobody, and ended with the work.

Nothing of a face is passed through it: workers read images and templates from
files by name, since Ray's object store is not cleared when an object is freed.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lfr.errors import RefusedError

__all__ = ["local_node"]

_SYSTEM_CONFIG = {"automatic_object_spilling_enabled": False}
_STORE_BYTES = 100_000_000


@contextmanager
def local_node(processes: int, *, gpus: int | None = None) -> Iterator[Path]:
    """Start a Ray node for this work alone, and yield a folder that only its owner may read and that ends with it.

    Parameters
    ----------
    processes
        Cores that it offers.
    gpus
        GPUs that it offers; None: those that Ray finds.

    Raises
    ------
    RefusedError
        This process is connected to a Ray cluster already, which may be open to others.
    """
    folder = Path(tempfile.mkdtemp(prefix="lfr-ray-"))  # 0700, and short enough for the sockets below it
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="ascii")
    # Ray and its workers read these when they start, Ray in this process when it is imported.
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",  # it calls Ray Data's own way of starting workers an error
        "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        import ray  # noqa: PLC0415
        from ray import _raylet  # noqa: PLC0415 # Ray has no public way to ask for its mode

        lock: Any = _raylet
        if lock.get_authentication_mode() != lock.AuthenticationMode.TOKEN:
            raise RefusedError("Ray was imported before lfr could ask for its token: a node would be open to others")
        lock.AuthenticationTokenLoader.instance().reset_cache()  # this process may have had another node
        if ray.is_initialized():
            raise RefusedError("this process is connected to a Ray cluster already; end that with ray.shutdown()")
        ray.init(
            address="local",
            num_cpus=processes,
            num_gpus=gpus,
            object_store_memory=_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=str(folder / "ray"),
            _system_config=_SYSTEM_CONFIG,
        )
        try:
            yield folder
        finally:
            ray.shutdown()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)
