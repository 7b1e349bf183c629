"""``lfr alerts``: look, decide, record what came of it, keep or hand over what is needed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from lfr.cli import evidence
from lfr.cli.console import JsonOption, emit, out
from lfr.cli.governed import KeyFileOption, governed

__all__ = ["app"]

app = typer.Typer(
    help="Adjudicate alerts, record outcomes, hold and hand over evidence. An alert is advice; a person decides.",
    no_args_is_help=True,
)
NOT_APPROVED = "not approved for field use"

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT", help="Its id, as `lfr alerts list` shows it.", show_default=False)
]


@app.command("list")
def list_(
    deployment: Annotated[
        str | None, typer.Option("--deployment", metavar="ID", help="Only of this deployment.")
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only in this state: new, viable, engaged, …")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="ALERT", help="Only those that follow this one in the list.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")] = 100,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """List alerts, newest first, and how long each image is still there.

    What waits for a decision: `lfr alerts list --state new`.
    """
    from lfr.alerts import list_alerts

    with governed(key_file) as (store, principal):
        found = list_alerts(store, principal, deployment_id=deployment, state=state, before=before, limit=limit)

    def show() -> None:
        table = Table(
            Column("alert", no_wrap=True, min_width=22), "time", "camera", "subject", "score", "state", "image"
        )
        for alert in found:
            image = "held" if alert.held else f"until {_minute(alert.image_until)}" if alert.image_until else "deleted"
            said = (
                alert.id,
                _minute(alert.created_at),
                alert.camera_id,
                alert.subject_id,
                f"{alert.score:.3f}",
                alert.state,
                image,
            )
            table.add_row(*map(escape, said))
        out.print(table)
        if len(found) == limit:
            out.print(f"There may be more: --before {found[-1].id}", style="dim", markup=False)
        if any(alert.demo for alert in found):
            out.print(f"Some are of a demo: {NOT_APPROVED}.", style="yellow")

    emit({"alerts": [alert.as_dict() for alert in found]}, as_json=json, show=show)


@app.command("show")
def show_(alert: AlertArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Show one alert and everything that was decided about it, and by whom."""
    from lfr.alerts import show_alert

    with governed(key_file) as (store, principal):
        summary, history = show_alert(store, principal, alert)
    document = {"summary": summary.as_dict(), **history.as_dict()}

    def show() -> None:
        out.print(f"{summary.id}: {summary.state}" + (f", {NOT_APPROVED}" if summary.demo else ""))
        for name, value in summary.as_dict().items():
            if name not in ("id", "state", "demo"):
                out.print(f"  {name.replace('_', ' ')}: {value}", markup=False)
        for title in ("adjudications", "outcomes", "holds", "hand_overs"):
            for row in document[title]:
                said = ", ".join(
                    f"{k.replace('_', ' ')} {v}" for k, v in row.items() if k != "id" and v not in ("", None)
                )
                out.print(f"  {title.removesuffix('s').replace('_', '-')}: {said}", markup=False)

    emit(document, as_json=json, show=show)


@app.command()
def image(
    alert: AlertArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="New file for the image; only you can read it.")],
    purpose: Annotated[str, typer.Option("--purpose", help="Why you look; the audit log keeps it. No names.")],
    reference: Annotated[
        bool, typer.Option("--reference", help="The watchlist's image instead of the camera's.")
    ] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Write an alert's image to a file; who looked, when and why is logged.

    For example: `lfr alerts image alert-1 --to probe.jpg --purpose adjudication`. Delete the file when
    you have decided: lfr cannot do it for you.
    """
    from lfr.alerts import read_probe, read_reference_image

    evidence.check_new(to)
    with governed(key_file) as (store, principal):
        content = (read_reference_image if reference else read_probe)(store, principal, alert, purpose=purpose)
    evidence.write_private(to, content)
    document = {"alert": alert, "image": "reference" if reference else "probe", "file": to, "bytes": len(content)}
    emit(document, as_json=json, show=lambda: out.print(f"{to}: {len(content)} bytes", markup=False))


@app.command()
def adjudicate(
    alert: AlertArgument,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="viable or not_viable.", show_default=False)],
    subject: Annotated[str, typer.Option("--subject", help="Factors of the person: likeness, age, injury, disguise.")],
    system: Annotated[str, typer.Option("--system", help="Factors of the system: image quality, score, threshold.")],
    environment: Annotated[
        str, typer.Option("--environment", help="Factors of the place: light, weather, crowd, angle.")
    ],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Decide whether an alert is viable, having regard to subject, system and environment.

    Look at both images first. For example:

    `lfr alerts adjudicate alert-1 viable --subject "same scar" --system "sharp, 0.61" --environment daylight`

    Under the two-person rule a second officer must call it viable too; one `not_viable` decides.
    `lfr alerts retract` takes it back within ten seconds.
    """
    from lfr.alerts import adjudicate as decide

    with governed(key_file) as (store, principal):
        state = decide(
            store,
            principal,
            alert,
            decision=decision,  # type: ignore[arg-type]  # checked by the function, for every caller
            subject_factors=subject,
            system_factors=system,
            environmental_factors=environment,
        )
    waits = " until a second officer calls it viable too" if state == "new" else ""
    _tell(alert, state, json=json, more=waits)


@app.command()
def retract(alert: AlertArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Take back your own adjudication within ten seconds; both stay in the log."""
    from lfr.alerts import retract as take_back

    with governed(key_file) as (store, principal):
        state = take_back(store, principal, alert)
    _tell(alert, state, json=json)


@app.command()
def outcome(
    alert: AlertArgument,
    state: Annotated[
        str,
        typer.Argument(
            metavar="STATE",
            help="engaged or not_engaged; after engaged, confirmed_true or confirmed_false.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="What it led to: arrest, voluntary-attendance, safeguarded, no-further-action, …"),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Anything else worth keeping.")] = "",
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Record what came of an alert on the street.

    For example: `lfr alerts outcome alert-1 engaged`, then
    `lfr alerts outcome alert-1 confirmed_true --kind arrest`.
    """
    from lfr.alerts import record_outcome

    with governed(key_file) as (store, principal):
        after = record_outcome(store, principal, alert, state=state, kind=kind, note=note)  # type: ignore[arg-type]
    _tell(alert, after, json=json, kind=kind)


@app.command()
def hold(
    alert: AlertArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; the audit log keeps it. References, no names.")],
    review: Annotated[
        datetime, typer.Option("--review", formats=["%Y-%m-%d"], help="The day on which it must be looked at again.")
    ],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Keep an alert's images beyond their clock, in your name.

    For example: `lfr alerts hold alert-1 --reason "investigation 42/26" --review 2026-12-01`. A purge
    lists what is held, by whom and why, and leaves it until it is released.
    """
    from lfr.alerts import hold as keep

    with governed(key_file) as (store, principal):
        hold_id = keep(store, principal, alert, reason=reason, review_on=review.date())
    document = {"alert": alert, "hold": hold_id, "review_on": review.date().isoformat()}
    emit(document, as_json=json, show=lambda: out.print(f"{alert}: held until {review.date()} is reviewed"))


@app.command()
def release(
    alert: AlertArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why it is needed no longer.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """End a hold; the image's own clock counts again, and the next sweep deletes what is overdue."""
    from lfr.alerts import release_hold

    with governed(key_file) as (store, principal):
        release_hold(store, principal, alert, reason=reason)
    emit({"alert": alert, "held": False}, as_json=json, show=lambda: out.print(f"{alert}: released"))


app.command("hand-over")(evidence.hand_over)
app.command("open-evidence")(evidence.open_evidence)


def _tell(alert: str, state: str, *, json: bool, more: str = "", kind: str | None = None) -> None:
    document = {"alert": alert, "state": state} | ({"kind": kind} if kind else {})
    emit(document, as_json=json, show=lambda: out.print(f"{alert}: {state}{more}"))


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
