"""``lfr deployment``: ask for a deployment, authorise it, start, end or withdraw it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lfr.cli import oversight
from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed

if TYPE_CHECKING:
    from lfr.deployments import DeploymentView

__all__ = ["app"]

app = typer.Typer(
    help="Ask for a deployment, have it authorised by a second person, start it, end it or withdraw it.",
    no_args_is_help=True,
)

DeploymentArgument = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="Its id, as `lfr deployment list` shows it.", show_default=False)
]


@app.command()
def create(
    request: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The request, TOML or JSON; --template prints one.", show_default=False),
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print a request to fill in, and do no more.")] = False,
    watchlist: Annotated[
        str | None, typer.Option("--watchlist", metavar="ID", help="Sealed watchlist, instead of the file's.")
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option("--calibration", metavar="FILE", help="Calibration, or `shipped`, instead of the file's."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--for", min=1, metavar="MINUTES", help="From now for so long, instead of a window.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="A demonstration: never approved for field use, one hour at most.")
    ] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for a deployment: a draft, which another officer must authorise.

    Print a request with `lfr deployment create --template > request.toml`,
    fill it in, then `lfr deployment create request.toml`. Threshold and model
    come from the calibration; nothing of a draft can be changed later.
    """
    from lfr.deployments import REQUEST_TEMPLATE, create_deployment, read_request, show_deployment

    if template:
        emit({"template": REQUEST_TEMPLATE}, as_json=json, show=lambda: typer.echo(REQUEST_TEMPLATE, nl=False))
        return
    if request is None:
        raise typer.BadParameter("name a request file, or print one to fill in with --template")
    changes: dict[str, Any] = {}
    if watchlist is not None:
        changes["watchlist"] = watchlist
    if calibration is not None:
        # As typed, it is relative to where the command runs, and not to the file's folder.
        changes["calibration"] = calibration if calibration == "shipped" else str(Path(calibration).absolute())
    if minutes is not None:
        now = datetime.now(UTC).replace(microsecond=0)
        changes |= {"starts_at": now, "ends_at": now + timedelta(minutes=minutes)}
    if demo:
        changes["demo"] = True
    asked = read_request(request, changes=changes)
    with governed(key_file) as (store, principal):
        made = create_deployment(store, principal, asked)
        view = show_deployment(store, principal, made)

    def show() -> None:
        _show(view)
        out.print(f"next, by another officer: [bold]lfr deployment authorise {made} --reasons TEXT[/]")

    emit(view.as_dict(), as_json=json, show=show)


@app.command()
def authorise(
    deployment: DeploymentArgument,
    reasons: Annotated[
        str, typer.Option("--reasons", metavar="TEXT", help="Your own, on necessity and proportionality.")
    ],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Authorise a draft, as an officer of the policy's rank who did not write it.

    Read it first with `lfr deployment show ID`. Your name, rank and reasons
    stand in the authorisation. Unless it is a demonstration, its model must be
    the one that was promoted to the field (`lfr registry list`).
    """
    from lfr.cli.registry import open_registry
    from lfr.registry.authorising import authorise_deployment

    with governed(key_file) as (store, principal):
        authorise_deployment(store, open_registry, principal, deployment, reasons=reasons)
    _said({"deployment": deployment, "state": "authorised"}, as_json=json)


@app.command()
def start(deployment: DeploymentArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Make an authorised deployment live, inside its window.

    From then on `lfr watch SOURCE --deployment ID --camera NAME` may alert.
    """
    from lfr.deployments import start as start_

    with governed(key_file) as (store, principal), err.status("opening the watchlist"):
        start_(store, principal, deployment)
    _said({"deployment": deployment, "state": "live"}, as_json=json)


@app.command()
def end(deployment: DeploymentArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """End a live deployment; its watchlist is destroyed when the policy's clock has run out."""
    from lfr.deployments import end as end_

    with governed(key_file) as (store, principal):
        end_(store, principal, deployment)
    _said({"deployment": deployment, "state": "ended"}, as_json=json)


@app.command()
def withdraw(
    deployment: DeploymentArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why the authorisation is withdrawn.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Withdraw an authorisation: cameras stop within a second, everything is purged, and the proof is printed.

    What a person holds as evidence stays, and the proof names it. Exits with 1
    where the withdrawal stands but its purge broke off; a sweep finishes it.
    """
    from lfr.cli.oversight import show_proof
    from lfr.oversight import withdraw_and_purge

    with governed(key_file) as (store, principal):
        done = withdraw_and_purge(store, principal, deployment, reason=reason)

    def show() -> None:
        out.print(f"{deployment}: {done.state}")
        if done.proof is not None:
            show_proof(done.proof)

    emit(done.as_dict(), as_json=json, show=show)
    if done.problem is not None:
        err.print(f"the purge broke off, a sweep will finish it: {done.problem}", markup=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only those: draft, authorised, live, ended, …")
    ] = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """List your force's deployments, newest window first. What is live now: `lfr deployment list --state live`."""
    from lfr.deployments import list_deployments

    with governed(key_file) as (store, principal):
        found = [view.as_dict() for view in list_deployments(store, principal, state=state)]

    def show() -> None:
        table = Table("deployment", "name", "place", "from", "until", "watchlist", "cameras", "state")
        for row in found:
            table.add_row(
                row["deployment"],
                escape(row["name"]),
                escape(row["request"].get("place", "")),
                row["starts_at"],
                row["ends_at"],
                f"{row['watchlist']['size']} entries",
                escape(", ".join(camera["camera"] for camera in row["cameras"])),
                row["state"] + (" (demo)" if row["demo"] else ""),
            )
        out.print(table)

    emit({"deployments": found}, as_json=json, show=show)


@app.command("show")
def show_(deployment: DeploymentArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Show one deployment with everything that was asked for and decided."""
    from lfr.deployments import show_deployment

    with governed(key_file) as (store, principal):
        view = show_deployment(store, principal, deployment)
    emit(view.as_dict(), as_json=json, show=lambda: _show(view))


def _said(document: dict[str, Any], *, as_json: bool) -> None:
    emit(document, as_json=as_json, show=lambda: out.print(f"{document['deployment']}: {document['state']}"))


def _show(view: DeploymentView) -> None:
    document = view.as_dict()
    out.print(f"[bold]{view.id}[/]: {view.state}")
    if document["notice"]:
        out.print(document["notice"].upper(), style="bold yellow")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    request = document["request"]
    for name in _REQUEST_ROWS:
        value = request.get(name, "")
        table.add_row(name.replace("_", " "), escape(", ".join(value) if isinstance(value, list) else str(value)))
    table.add_row("window", f"{document['starts_at']} to {document['ends_at']}")
    listed = document["watchlist"]
    table.add_row("watchlist", f"{listed['id']}, {listed['size']} entries, digest {listed['digest']}")
    table.add_row("model", f"{document['model']['version']}, digest {document['model']['digest']}")
    used = document["calibration"]
    table.add_row("calibration", f"{used['id']}, verdict {used['verdict']}")
    answered = f"answers for FPIR {request['served_fpir']:.3g}" if "served_fpir" in request else ""
    table.add_row("rule", f"threshold {used['threshold']:.4f}, {_rule(request)}; {answered}")
    table.add_row("written", f"by {document['created']['by']} at {document['created']['at']}")
    if granted := document["authorisation"]:
        table.add_row("authorised", escape(f"by {granted['name']}, {granted['rank']}, at {granted['at']}"))
        table.add_row("reasons", escape(granted["reasons"]))
    for event in ("started", "ended", "withdrawn", "purged"):
        if happened := document[event]:
            table.add_row(event, escape(", ".join(f"{key} {value}" for key, value in happened.items() if value)))
    for camera in document["cameras"]:
        seen = f"{camera['faces_seen']} faces in {camera['frames']} frames"
        table.add_row("camera", f"{escape(camera['camera'])}: {seen}")
    out.print(table)


_REQUEST_ROWS = (
    "name",
    "purpose",
    "necessity",
    "proportionality",
    "place",
    "why_there",
    "signage",
    "controller_force",
    "dpia",
    "appropriate_policy_document",
    "equality_impact_assessment",
    "categories",
)


def _rule(request: dict[str, Any]) -> str:
    return f"{request.get('fusion', 'max')} of at most {request.get('shots', 1)} shots a track"


for _command in (oversight.sweep, oversight.purge, oversight.record, oversight.shadow):
    app.command()(_command)
app.command("pass")(oversight.pass_)
