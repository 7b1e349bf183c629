"""What every command shares: documents on standard output, progress and errors on standard error."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from lfr.pipeline import Recogniser

__all__ = [
    "DetectEveryOption",
    "JsonOption",
    "ModelOption",
    "ThreadsOption",
    "as_interrupt",
    "emit",
    "err",
    "out",
    "recogniser_for",
    "track",
]

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="VERSION", help="Model version; `lfr models list` shows them.  [default: openvino-f32]"
    ),
]
DetectEveryOption = Annotated[int, typer.Option("--detect-every", min=1, max=10, help="Frames per detection.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads for the networks.")]


def emit(document: Mapping[str, Any], *, as_json: bool, show: Callable[[], None]) -> None:
    """Print the document as JSON, or call ``show`` to print it for people."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, default=_plain, allow_nan=False) + "\n")
    else:
        show()


def track(items: Iterable[T], description: str, *, total: int | None = None) -> Iterator[T]:
    """Yield the items, with a progress bar on standard error once two seconds have passed."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,  # a log file gets no bars, and no empty line in their place
    ) as progress:
        task = progress.add_task(description, total=total, visible=False)
        started = progress.get_time()
        for item in items:
            yield item
            progress.update(task, advance=1, visible=progress.get_time() - started > 2.0)


def recogniser_for(
    model: str | None,
    *,
    threads: int | None = None,
    min_face_px: int | None = None,
    detector_streams: int = 1,
) -> Recogniser:
    """Load the model version a command was asked for, else the one the environment names."""
    from lfr.models import load_model
    from lfr.pipeline import Recogniser
    from lfr.settings import read_settings

    settings = read_settings()
    with err.status("loading the model"):
        loaded = load_model(
            model or settings.model,
            threads=threads or settings.threads,
            weights=settings.weights,
            detector_streams=detector_streams,
        )
    return Recogniser(loaded, min_face_px=min_face_px)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    raise TypeError(f"not a JSON value: {type(value).__name__}")


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Take a request to terminate like Ctrl-C: count, log and end in order."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
