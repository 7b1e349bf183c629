"""Commands of `lfr deployment` and `lfr force` that retention, record and field trial take."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed

__all__ = ["app", "pass_", "purge", "record", "sweep"]

app = typer.Typer(help="A force's own data: take them away, or destroy them.", no_args_is_help=True)

DeploymentArgument = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Id of the deployment.")]


def sweep(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Do what the clocks say is due: end, lapse, delete images, destroy lists, purge, remove stray keys.

    It may run at any time and any number of times.
    """
    from lfr.oversight import sweep as sweep_force

    with governed(key_file) as (store, principal):
        report = sweep_force(store, principal)

    def show() -> None:
        if report.idle:
            out.print("nothing was due")
        for name, ids in report.as_dict().items():
            if ids:
                out.print(f"{name.replace('_', ' ')}: {', '.join(ids)}", soft_wrap=True)

    emit(report.as_dict(), as_json=json, show=show)


def purge(
    deployment: DeploymentArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy every template, image and key of a deployment that ended or was withdrawn, and print the proof.

    The list of whom it named, the decisions and the record stay; evidence that
    a person holds stays under a key of its own, and the proof lists it.
    """
    from lfr.oversight import purge as purge_deployment

    if not yes and not json:
        typer.confirm(f"Purge {deployment}? Nobody can undo it.", abort=True, err=True)
    with governed(key_file) as (store, principal):
        proof = purge_deployment(store, principal, deployment)

    def show() -> None:
        table = Table("", "before", "after")
        for name, before in proof["before"].items():
            after = proof["after"][name]
            table.add_row(
                name.replace("_", " "),
                *(", ".join(v) or "none" if isinstance(v, list) else str(v) for v in (before, after)),
            )
        out.print(table)
        out.print(f"nominal references kept: {proof['nominal_references']}")
        for held in proof["held"]:
            out.print(f"held: {held['alert_id']} by {held['by']}, review on {held['review_on']}: {held['reason']}")
        out.print(f"signed {proof['signature'][:32]}…", style="dim")

    emit(proof, as_json=json, show=show)


def record(
    deployment: DeploymentArgument,
    file_format: Annotated[str, typer.Option("--format", help="csv, json or html.")] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where it goes.  [default: printed]")
    ] = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Make the deployment record that is published: faces, alerts, true and false, with intervals.

    Example: `lfr deployment record deployment-… --format html -o record.html`
    """
    from lfr.errors import InputError
    from lfr.oversight import deployment_record, write_record
    from lfr.oversight.record_files import Format, record_text

    if file_format not in {"csv", "json", "html"}:
        raise InputError(f"--format {file_format}: csv, json or html")
    chosen = cast("Format", file_format)
    with governed(key_file) as (store, principal):
        found = deployment_record(store, principal, deployment)
    if output is not None:
        write_record(found, output, file_format=chosen)
        err.print(f"record written to {output}")
    if json:
        emit(found.as_dict(), as_json=True, show=lambda: None)
    elif output is None:
        out.print(record_text(found, chosen), markup=False, soft_wrap=True, end="")


def pass_(
    deployment: DeploymentArgument,
    camera: Annotated[str, typer.Option("--camera", help="Which camera was passed.")],
    subject: Annotated[str, typer.Option("--subject", help="Reference of the consenting walker, who is on the list.")],
    began: Annotated[str, typer.Option("--began", metavar="TIME", help="RFC 3339, such as 2026-03-02T10:15:00Z.")],
    ended: Annotated[str, typer.Option("--ended", metavar="TIME", help="RFC 3339.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Field trial: log that a consenting walker passed a camera; the record then shows TPIR in place."""
    from lfr.oversight import record_pass

    with governed(key_file) as (store, principal):
        pass_id = record_pass(
            store,
            principal,
            deployment,
            camera,
            subject_id=subject,
            began_at=_time("--began", began),
            ended_at=_time("--ended", ended),
        )
    emit({"pass_id": pass_id}, as_json=json, show=lambda: out.print(pass_id))


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="FILE.zip", help="A new file.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Take away all that is your force's own: every row, without templates and images, and its audit log."""
    from lfr.oversight import export_force

    with governed(key_file) as (store, principal):
        rows = export_force(store, principal, output)
    emit(
        {"file": str(output), "rows": rows},
        as_json=json,
        show=lambda: out.print(f"{sum(rows.values())} rows in {output}"),
    )


@app.command()
def destroy(
    officer_key: Annotated[
        Path, typer.Option("--officer-key", metavar="FILE", help="Key of an authorising officer, besides the admin's.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy all that is your force's own but its audit log, which is sealed. Takes two persons."""
    from lfr.access import authenticate
    from lfr.errors import InputError
    from lfr.oversight import destroy_force

    if not yes and not json:
        typer.confirm("Destroy everything of this force? Nobody can undo it.", abort=True, err=True)
    try:
        second = officer_key.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{officer_key}: cannot read the key") from error
    with governed(key_file) as (store, principal):
        counted = destroy_force(store, principal, authenticate(store, second))
    emit(counted, as_json=json, show=lambda: out.print(f"destroyed, with {counted['keys']} keys of deployments"))


def _time(option: str, text: str) -> datetime:
    from lfr.errors import InputError

    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text}: no time (RFC 3339, such as 2026-03-02T10:15:00Z)") from error
