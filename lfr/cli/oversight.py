"""Commands of `lfr deployment` and `lfr force` that retention, record and field trial take."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.evidence import PassphraseOption, check_new
from lfr.cli.governed import KeyFileOption, governed

__all__ = ["app", "pass_", "purge", "record", "shadow", "show_proof", "sweep"]

app = typer.Typer(help="A force's own data: take them away, or destroy them.", no_args_is_help=True)

DeploymentArgument = Annotated[str, typer.Argument(metavar="DEPLOYMENT", help="Id of the deployment.")]


def sweep(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Do what the clocks say is due: end, lapse, delete images, destroy lists, purge, remove stray keys.

    It may run at any time and any number of times. Exits with 1 where something could not be done;
    the next sweep tries again.
    """
    from lfr.oversight import sweep as sweep_force

    with governed(key_file) as (store, principal):
        report = sweep_force(store, principal)

    def show() -> None:
        if report.idle:
            out.print("nothing was due")
        for name, ids in report.as_dict().items():
            if ids:
                out.print(f"{name.replace('_', ' ')}: {', '.join(ids)}", soft_wrap=True, markup=False)

    emit(report.as_dict(), as_json=json, show=show)
    if report.failed:
        raise typer.Exit(1)


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
    emit(proof, as_json=json, show=lambda: show_proof(proof))


def show_proof(proof: dict[str, Any]) -> None:
    """Print what a purge destroyed, what it kept and who holds it."""
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


def shadow(deployment: DeploymentArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Show what versions that looked on came to: counts of how far they would have alerted as the field version did."""
    from lfr.alerts.shadow_counts import shadow_records

    with governed(key_file) as (store, principal):
        found = shadow_records(store, principal, deployment)

    def show() -> None:
        if not found:
            out.print("no version looked on in this deployment")
            return
        table = Table("version", "camera", "frames", "skipped", "failed", "passes", "both", "only field", "only shadow")
        for one in found:
            counts = one.counts
            figures = (counts.frames, counts.skipped, counts.failed, counts.passes)
            decisions = (counts.both, counts.only_field, counts.only_shadow)
            table.add_row(
                f"{one.shadow.version} {one.shadow.digest[:12]}", one.camera, *map(str, (*figures, *decisions))
            )
        out.print(table)

    emit({"deployment": deployment, "shadows": [one.as_dict() for one in found]}, as_json=json, show=show)


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
    recipient_key: Annotated[
        Path | None,
        typer.Option("--recipient-key", metavar="FILE", help="The recipient's X25519 public key, PEM or hexadecimal."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Take away all that is your force's own, encrypted: every row, every image, and the audit log.

    Templates are left out, because the images give them again under any model. For example:

    `lfr force export essex.zip --recipient-key own.pub --key-file admin.key`

    Who has the private key, or the passphrase, reads it with `lfr force open-export`.
    """
    from lfr.alerts import envelope_for_key, envelope_for_passphrase
    from lfr.errors import InputError
    from lfr.oversight import export_force

    if (recipient_key is None) == (passphrase_file is None):
        raise InputError("give one of --recipient-key and --passphrase-file: the export is encrypted for somebody")
    if recipient_key is not None:
        envelope = envelope_for_key(_content(recipient_key))
    else:
        envelope = envelope_for_passphrase(_passphrase(passphrase_file))
    check_new(output)
    with governed(key_file) as (store, principal), err.status("writing the export"):
        found = export_force(store, principal, output, envelope=envelope)

    def show() -> None:
        out.print(f"{output}: {sum(found['rows'].values())} rows, {found['images']} images", markup=False)
        if found["images_closed"]:
            err.print(f"left out: {found['images_closed']} images whose key is gone", style="yellow")

    emit({"file": str(output), **found}, as_json=json, show=show)


@app.command("open-export")
def open_export(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="What `lfr force export` wrote.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="New folder for what is in it, in the clear.")],
    private_key: Annotated[
        Path | None, typer.Option("--private-key", metavar="FILE", help="Your X25519 private key, PEM or hexadecimal.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    signed_by: Annotated[
        str | None, typer.Option("--signed-by", metavar="KEY", help="Public key of the installation that made it.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify and decrypt an export of a force. Needs no store, no key of lfr and no network.

    Exits with 1 where a byte of it is not as it was signed, or somebody else signed it.
    """
    from lfr.errors import EvidenceError
    from lfr.oversight import open_force_export

    try:
        manifest = open_force_export(
            file,
            to,
            private_key=_content(private_key) if private_key else None,
            passphrase=_passphrase(passphrase_file) if passphrase_file else None,
            signed_by=signed_by,
        )
    except EvidenceError as error:
        reason = str(error)
        shown = partial(err.print, f"lfr: {reason}", markup=False, soft_wrap=True)
        emit({"verified": False, "reason": reason}, as_json=json, show=shown)
        raise typer.Exit(1) from error
    document = {name: manifest[name] for name in ("force", "made_at", "rows", "images", "signing_key")}
    emit(
        {"verified": True, "folder": str(to), **document},
        as_json=json,
        show=lambda: out.print(f"{to}: force {manifest['force']}, as of {manifest['made_at']}", markup=False),
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
    from lfr.oversight import destroy_force

    if not yes and not json:
        typer.confirm("Destroy everything of this force? Nobody can undo it.", abort=True, err=True)
    second = _content(officer_key).decode("utf-8", "replace").strip()
    with governed(key_file) as (store, principal):
        counted = destroy_force(store, principal, authenticate(store, second))
    emit(counted, as_json=json, show=lambda: out.print(f"destroyed, with {counted['keys']} keys of deployments"))


def _content(file: Path) -> bytes:
    from lfr.errors import InputError

    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error


def _passphrase(file: Path | None) -> str:
    return _content(file).decode("utf-8", "replace").rstrip("\r\n") if file is not None else ""


def _time(option: str, text: str) -> datetime:
    from lfr.errors import InputError

    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text}: no time (RFC 3339, such as 2026-03-02T10:15:00Z)") from error
