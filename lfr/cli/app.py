"""The command tree and its one way out: 0 yes, 1 no, 2 bad usage or bad input."""

from __future__ import annotations

import sys
from typing import Annotated, ClassVar

import typer

from lfr import __version__
from lfr.cli.late import Late, LateGroup
from lfr.errors import LfrError

__all__ = ["app", "main"]


class _Commands(LateGroup):
    late: ClassVar = {
        "demo": Late(
            "demo:demo",
            "Play the whole use of lfr on made-up people: from a model to a purge that leaves nothing.",
        ),
        "detect": Late(
            "images:detect",
            "Find faces: boxes, landmarks and quality measures (ISO/IEC 29794-5 names, 0 to 100).",
        ),
        "compare": Late("images:compare", "Score how alike two faces are: cosine similarity, higher is more alike."),
        "rehearse": Late("rehearse:rehearse", "See which alerts a recording would raise. A rehearsal, not an alert."),
        "calibrate": Late("calibrate:calibrate", "Choose the threshold for a false positive rate at a watchlist size."),
        "watch": Late("watch:watch", "Watch a camera inside a live deployment, and raise alerts for its watchlist."),
        "serve": Late("serve:serve", "Serve detector, embedder, watchlists and cameras over HTTP, until Ctrl-C."),
        "models": Late("models:app", "List, verify and export model versions."),
        "evaluate": Late("evaluate:app", "Measure a model version on labelled data."),
        "registry": Late(
            "registry:app",
            "Register versions of the recogniser, hold their evidence against a policy, promote them and go back.",
        ),
        "experiment": Late("experiment:app", "Run experiments from their files, and compare what they found."),
        "access": Late("access:app", "Who may act, with which key, in which role."),
        "store": Late("store:app", "The governed store: migrations, backup, change of the master key, health."),
        "audit": Late("audit:app", "Take the audit log away, and check it anywhere."),
        "watchlist": Late("watchlist:app", "Build, check, seal and destroy a list of people who are looked for."),
        "force": Late("oversight:app", "A force's own data: take them away, or destroy them."),
        "deployment": Late(
            "deployment:app",
            "Ask for a deployment, have it authorised by a second person, start it, end it or withdraw it.",
        ),
        "alerts": Late(
            "alerts:app",
            "Adjudicate alerts, record outcomes, hold and hand over evidence. An alert is advice; a person decides.",
        ),
        "bench": Late("bench:app", "Measure speed against other software, side by side."),
    }


app = typer.Typer(
    name="lfr",
    cls=_Commands,
    help="Live facial recognition under control: models, evaluation, rehearsal.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Live facial recognition under control: models, evaluation, rehearsal."""


def main() -> None:
    """Run the command line; errors of the error tree become one line and exit code 2."""
    try:
        app()
    except LfrError as error:
        from lfr.cli.console import err

        err.print(f"lfr: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
