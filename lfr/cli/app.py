"""The command tree and its one way out: 0 yes, 1 no, 2 bad usage or bad input."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lfr import __version__
from lfr.cli import (
    access,
    alerts,
    audit,
    bench,
    bench_all,
    bench_serve,
    bench_size,
    bench_store,
    bench_train,
    calibrate,
    demo,
    deployment,
    evaluate,
    experiment,
    images,
    models,
    oversight,
    registry,
    rehearse,
    scene,
    serve,
    store,
    watch,
    watchlist,
)
from lfr.cli.console import err
from lfr.errors import LfrError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lfr",
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


app.command()(demo.demo)
app.command()(images.detect)
app.command()(images.compare)
app.command()(rehearse.rehearse)
app.add_typer(models.app, name="models")
evaluate.app.command()(scene.scene)
app.add_typer(evaluate.app, name="evaluate")
app.command()(calibrate.calibrate)
app.add_typer(registry.app, name="registry")
app.add_typer(experiment.app, name="experiment")
app.add_typer(access.app, name="access")
app.add_typer(store.app, name="store")
app.add_typer(audit.app, name="audit")
app.add_typer(watchlist.app, name="watchlist")
for command in (oversight.sweep, oversight.purge, oversight.record, oversight.shadow):
    deployment.app.command()(command)
deployment.app.command("pass")(oversight.pass_)
app.add_typer(oversight.app, name="force")
app.add_typer(deployment.app, name="deployment")
app.command()(watch.watch)
app.command()(serve.serve)
app.add_typer(alerts.app, name="alerts")
bench.app.command("all")(bench_all.every)
bench.app.command()(bench_all.table)
bench.app.command()(bench_serve.serve)
bench.app.command()(bench_size.size)
bench.app.command()(bench_store.store)
bench.app.command()(bench_train.train)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; errors of the error tree become one line and exit code 2."""
    try:
        app()
    except LfrError as error:
        err.print(f"lfr: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
