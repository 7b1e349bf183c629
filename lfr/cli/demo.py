"""``lfr demo``: the whole of lfr on made-up people, as a checklist that says of each step whether it held."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.status import Status
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out

if TYPE_CHECKING:
    from lfr.demonstration import Outcome, Step
    from lfr.demonstration.stage import Stage

__all__ = ["demo"]

_SCENE_S, _LONGEST_S = 32.0, 3_000.0
_EXTRA = ("ipykernel", "nbconvert", "papermill")
# A demonstration keeps to its own folder, whatever an installation on this machine is set to.
_NOT_MINE = ("LFR_HOME", "LFR_DATABASE_URL", "LFR_MASTER_KEY_FILE", "LFR_KEY", "LFR_MODEL", "MLFLOW_TRACKING_URI")


def demo(
    auto: Annotated[
        bool, typer.Option("--auto", help="Play the operator as well, and ask nobody anything.  [two minutes]")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the console in a web browser.")] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="What stays: record, report, log, proof.")
    ] = Path("lfr-demo"),
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration",
            min=10,
            max=_LONGEST_S,
            help="Seconds of street.  [default: 32 with --auto, else until you end it, 50 minutes at most]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another street.")] = 0,
    difficulty: Annotated[
        float, typer.Option("--difficulty", min=0, max=1, help="Turn, blur, light and noise: 0 to 1.")
    ] = 0.5,
    json: JsonOption = False,
) -> None:
    """Play the whole use of lfr on made-up people: from a model to a purge that leaves nothing.

    Registers and evaluates the default model, promotes it for demonstrations,
    seals a watchlist, has a deployment authorised, starts the service, and
    streams a drawn street to it. You decide about the alerts in the console
    (or --auto does, who knows who walked). Then: the record with the truth
    beside it, the audit log verified, everything purged and stopped.

    Every step is checked. Exits 1 where one did not hold, and names it.
    """
    from lfr.errors import SettingsError

    _need_extra()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--output {output}: cannot be made: {error.strerror}") from error
    console = err if json else out
    if not auto and not (sys.stdin.isatty() and console.is_terminal):
        console.print("There is no terminal to wait at, so the operator is played: as with --auto.", style="yellow")
        auto = True
    from lfr.demonstration import STEPS, Stage, go_through, verdict_of
    from lfr.sources import SceneSettings

    settings = SceneSettings(
        duration_s=duration or (_SCENE_S if auto else _LONGEST_S), seed=seed, difficulty=difficulty
    )
    watcher = _Watcher(console, steps=STEPS, auto=auto, browser=open_)
    outcomes: list[Outcome] = []
    with (
        _own_environment(),
        watcher.signals(),
        Stage(
            output, settings, auto=auto, enough=watcher.enough, say=watcher.say, tell=watcher.tell,
            ready=watcher.ready,
        ) as stage,
    ):  # fmt: skip
        for outcome in go_through(STEPS, stage, begun=watcher.begun):
            outcomes.append(outcome)
            watcher.done(outcome, stage)
    verdict = verdict_of(STEPS, outcomes)
    emit({**verdict, "auto": auto, "output": str(output)}, as_json=json, show=lambda: _show_end(verdict, output))
    if not verdict["held"]:
        raise typer.Exit(1)


class _Watcher:
    """Shows the checklist, and knows when whoever watches has had enough."""

    def __init__(self, console: Console, *, steps: Sequence[Step], auto: bool, browser: bool) -> None:
        self._console, self._auto, self._browser = console, auto, browser
        self._numbers = {step.name: number for number, step in enumerate(steps, start=1)}
        self._mark, self._cross = ("ok", "NO") if console.options.ascii_only else ("✓", "✗")
        self._status: Status | None = None
        self._waiting, self._enough = False, False
        self._url, self._keys = "", {}  # type: tuple[str, Mapping[str, str]]

    def begun(self, step: Step) -> None:
        """Say which step is tried."""
        self._status = self._console.status(f"{self._numbers[step.name]:2d} {step.title}", spinner="dots")
        self._status.start()
        self._title = f"{self._numbers[step.name]:2d} {step.title}"
        if step.name == "stream" and not self._auto:
            self._invite()
            self._waiting = True

    def say(self, what: str) -> None:
        """Say what is done just now, where a terminal can take it back."""
        if self._status is not None:
            self._status.update(f"{self._title} [dim]· {escape(what)}[/]")

    def tell(self, alert: Mapping[str, Any]) -> None:
        """Show an alert."""
        self._console.print(
            f"       alert at {alert['time_s']:5.1f} s: looks like {alert['subject_id']}, score {alert['score']:.3f}",
            style="yellow",
        )

    def ready(self, url: str, keys: Mapping[str, str]) -> None:
        """Take where the console is; it is shown with the step that uses it."""
        self._url, self._keys = url, keys
        if self._browser:
            import webbrowser

            webbrowser.open(f"{url}/console")

    def done(self, outcome: Outcome, stage: Stage) -> None:
        """Show what became of a step."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        self._waiting = False
        number, step = self._numbers[outcome.step.name], outcome.step
        mark = f"[green]{self._mark}[/]" if outcome.held else f"[bold red]{self._cross}[/]"
        self._console.print(f" {mark} {number:2d} [bold]{step.title}[/] [dim]{outcome.seconds:.1f} s[/]")
        for line in outcome.finding.said if outcome.finding else ():
            self._console.print(f"      {escape(line)}", soft_wrap=True, style="dim" if outcome.held else "")
        if not outcome.held:
            self._console.print(f"      {escape(outcome.why)}", soft_wrap=True, style="red")
        elif step.name == "serve" and self._auto:
            self._console.print(f"      console: {self._url}/console", soft_wrap=True)
            if self._console.is_terminal:  # a key is for who sits there, never for a log
                self._console.print(f"      operator's key: {self._keys['operator']}", soft_wrap=True)
        elif step.name == "end":
            self._console.print(_beside(stage))

    def enough(self) -> bool:
        """Whether Enter or Ctrl-C was pressed while a person was waited for."""
        if self._waiting and not self._enough and select.select([sys.stdin], [], [], 0)[0]:
            sys.stdin.readline()
            self._enough = True
        return self._enough

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let Ctrl-C end the street while a person is waited for, and everything at any other time."""

        def interrupted(kind: int, _: FrameType | None) -> None:
            if kind == signal.SIGINT and self._waiting and not self._enough:
                self._enough = True
                return
            raise KeyboardInterrupt

        before = {kind: signal.signal(kind, interrupted) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except KeyboardInterrupt:
            if self._status is not None:
                self._status.stop()
            err.print("interrupted: everything was stopped and removed", style="yellow")
            raise typer.Exit(1) from None
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _invite(self) -> None:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        table.add_row("open", f"[bold]{self._url}/console[/]")
        table.add_row("sign in as the operator", f"[bold]{self._keys['operator']}[/]")
        table.add_row("or the authorising officer", self._keys["authorising_officer"])
        table.add_row("or the auditor", self._keys["auditor"])
        self._console.print(
            Panel(
                table,
                title="Your turn",
                title_align="left",
                subtitle="People walk past; decide about the alerts. Enter here ends it.",
                subtitle_align="left",
                expand=False,
            )
        )


def _beside(stage: Stage) -> Table:
    """Return the record's figures with the scene's truth beside them."""
    table = Table("", "the record says", "the truth", box=None, padding=(0, 2, 0, 6), header_style="dim")
    made, truth = stage.record, stage.truth
    if made is None or truth is None:
        return table
    total = made.total.counts
    right = sum(alert.subject_id == one.subject_id for one in truth.passes for alert in one.alerts)
    table.add_row("faces seen", str(total.faces_seen), f"{len(truth.passes)} people walked")
    table.add_row("alerts", str(total.alerts), f"{right} right, {len(truth.alerts) - right} wrong")
    table.add_row("called viable, not viable", f"{total.true_alerts}, {total.false_alerts}", "")
    table.add_row("decided by nobody", str(total.unadjudicated), "")
    table.add_row("false alerts per face", _rate(total.false_alerts_per_face.as_dict()), "")
    table.add_row(
        "recognised (TPIR)", _rate(made.total.tpir.as_dict() if made.total.tpir else {}), _rate(truth.tpir.as_dict())
    )
    table.add_row("others alerted (FPIR)", "knows of alerts only", _rate(truth.fpir.as_dict()))
    return table


def _rate(rate: Mapping[str, Any]) -> str:
    if rate.get("value") is None:
        return "none"
    return f"{rate['count']} of {rate['of']}: {rate['value']:.0%} ({rate['low']:.0%} to {rate['high']:.0%})"


def _show_end(verdict: Mapping[str, Any], output: Path) -> None:
    if verdict["held"]:
        out.print(f"\n[bold green]Every step held[/], in {verdict['seconds']:.0f} s. What stays is in {output}:")
        out.print(
            "  record.html  the deployment record        report.html  who walked, and who was recognised\n"
            "  audit.jsonl  the log; check it with [bold]lfr audit verify audit.jsonl --key audit-signing-key.pub[/]",
            soft_wrap=True,
        )
        out.print("Everybody in it is made up: its figures say nothing about a real street.", style="dim")
    else:
        out.print(f"\n[bold red]{verdict['failed']} did not hold[/]: {escape(str(verdict['why']))}", soft_wrap=True)


def _need_extra() -> None:
    """Raise unless what runs the evaluation's notebooks is installed."""
    from importlib.util import find_spec

    from lfr.errors import RuntimeUnavailableError

    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise RuntimeUnavailableError(
            f"the demonstration evaluates a model, which runs notebooks, and {', '.join(missing)} is not installed: "
            "pip install 'lfr[evaluation]'"
        )


@contextmanager
def _own_environment() -> Iterator[None]:
    """Keep the settings of an installation on this machine out of the demonstration's processes."""
    kept = {name: os.environ.pop(name) for name in _NOT_MINE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
