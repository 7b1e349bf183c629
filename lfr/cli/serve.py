"""``lfr serve``: the service on this machine, until Ctrl-C."""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out

if TYPE_CHECKING:
    from pydantic import ValidationError

    from lfr.serving.node import NodeSettings
    from lfr.serving.settings import AppArgs
    from lfr.serving.starting import StartTimes

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option("--host", help="Where the interface listens; loopback unless given.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=1024, max=65535, help="Its port.")] = 8000,
    model: ModelOption = None,
    shadow: Annotated[
        str | None,
        typer.Option("--shadow", metavar="VERSION", help="Version or alias that looks on and alerts nobody."),
    ] = None,
    shadow_calibration: Annotated[
        Path | None,
        typer.Option("--shadow-calibration", metavar="FILE", help="Its own.  [default: the registry's evidence on it]"),
    ] = None,
    threads: ThreadsOption = None,
    detect_every: Annotated[
        int,
        typer.Option("--detect-every", min=1, max=10, help="Frames per detection of cameras that the service reads."),
    ] = 1,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="NAME=ADDRESS",
            help="A stream, device or file that the service may read for a camera, more than once for several. An "
            "address with a password belongs in LFR_SOURCES, a JSON object, because others see this line.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Serve detector, embedder, watchlists and cameras over HTTP, until Ctrl-C.

    Starts a Ray node of its own, which keeps faces out of Ray's store, asks
    for a token and reports to nobody; watches it, and starts it again where
    it ends. `lfr access init` makes the store it needs. SIGHUP resolves the
    aliases anew and puts new processes in the place of the old ones, which no
    request notices; between deployments only, if the model is another one.
    Under nohup it is ignored.
    """
    from pydantic import ValidationError

    from lfr.errors import SettingsError
    from lfr.serving.settings import AppArgs
    from lfr.serving.supervisor import Supervisor

    given = {
        "model": model,
        "shadow": shadow,
        "shadow_calibration": shadow_calibration,
        "threads": threads or 1,
        "detect_every": detect_every,
        "sources": _sources(source),
    }
    try:
        args = AppArgs.model_validate(given).resolved()
    except ValidationError as error:
        raise SettingsError(_refused(error)) from error
    node = _node(args)
    began = time.monotonic()
    supervisor = Supervisor(args, node, host=host, port=port, say=lambda what: err.print(f"{what} …", style="dim"))

    def end(_: int, __: FrameType | None) -> None:
        supervisor.close()

    terminal = sys.stdin.isatty()

    def hang_up(_: int, __: FrameType | None) -> None:
        if terminal and not sys.stdin.isatty():  # the terminal is gone, and nobody is left to end it with Ctrl-C
            supervisor.close()
        else:
            supervisor.ask_to_roll()

    def interrupted(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {kind: signal.signal(kind, interrupted) for kind in (signal.SIGINT, signal.SIGTERM)}
    ends = tuple(before)
    if (was := on_hang_up(hang_up)) is not None:
        before[signal.SIGHUP] = was
    try:
        with supervisor:
            started = supervisor.started
            assert started is not None, "it has started"
            document = {
                "url": supervisor.url,
                "docs": f"{supervisor.url}/docs",
                "console": f"{supervisor.url}/console",
                "started_in_s": round(time.monotonic() - began, 1),
                "start": started.as_dict(),
                "ray": {"address": node.address, "folder": str(node.folder)},
                **supervisor.runs,
            }
            emit(document, as_json=json, show=lambda: _show(document, started))
            for kind in ends:
                signal.signal(kind, end)
            supervisor.watch()
            err.print("stopping …", style="dim")
    except KeyboardInterrupt:
        err.print("stopped before it was ready", style="dim")
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def on_hang_up(handler: Callable[[int, FrameType | None], None]) -> Any:  # noqa: ANN401 - as `signal.signal`
    """Handle SIGHUP, and return what did before; None where whoever started this process has it ignored (nohup)."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return None
    return signal.signal(signal.SIGHUP, handler)


def _refused(error: ValidationError) -> str:
    """Say which option was refused, and why."""
    first = error.errors()[0]
    name = str(first["loc"][0]).replace("_", "-") if first["loc"] else ""
    option = {"sources": "--source", "": "options"}.get(name, f"--{name}")
    if name == "sources" and len(first["loc"]) > 1:
        option += f": source {first['loc'][1]}"
    return f"{option}: {first['msg'].removeprefix('Value error, ')}"


def _sources(given: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given or []:
        name, is_there, address = one.partition("=")
        if not is_there or not name or not address:
            raise typer.BadParameter("give NAME=ADDRESS, such as gate=rtsp://camera.local/gate", param_hint="--source")
        found[name] = _absolute(name, address)
    return found


def _absolute(name: str, address: str) -> str:
    """A file's address as the service's processes find it, which work elsewhere; any other as it is."""
    from lfr.sources import is_recorded

    if not is_recorded(address):
        return address
    if not Path(address).exists():
        raise typer.BadParameter(f"{name}: {address}: there is no such file or folder", param_hint="--source")
    return str(Path(address).absolute())


def _show(document: dict[str, Any], started: StartTimes) -> None:
    url = document["url"]
    out.print(f"serving at [bold]{url}[/], ready after {document['started_in_s']} s")
    out.print(started.said(), style="dim", soft_wrap=True)
    for kind in ("model", "shadow"):
        if runs := document[kind]:
            out.print(f"{kind:<30}{runs['alias']}: {runs['version']}, digest {runs['digest']}", soft_wrap=True)
    out.print(f"""\
decide about alerts           {url}/console
every route, with examples    {url}/docs
is it well                    curl {url}/v1/readyz
send a frame                  curl -H "Authorization: Bearer $LFR_KEY" -H "Content-Type: image/jpeg" \\
                                --data-binary @frame.jpg {url}/v1/deployments/ID/cameras/NAME/frames
watch a camera through it     lfr watch SOURCE --remote {url} --deployment ID --camera NAME
Ctrl-C ends all of it""", markup=False, soft_wrap=True)  # fmt: skip


def _node(args: AppArgs) -> NodeSettings:
    """Where the node keeps its files: below the home folder, or where its path is too long for sockets, beside it."""
    import tempfile

    from lfr.serving.node import LONGEST_FOLDER, NodeSettings, free_port

    home = args.home or Path()
    folder = home / "ray"
    if len(str(folder)) > LONGEST_FOLDER:
        name = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"lfr-{name}"
    return NodeSettings(folder, port=free_port())
