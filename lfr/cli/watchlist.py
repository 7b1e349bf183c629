"""``lfr watchlist``: build, check, seal and destroy a list of people who are looked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from lfr.cli.console import JsonOption, ModelOption, ThreadsOption, emit, err, out, recogniser_for, track
from lfr.cli.governed import KeyFileOption, governed

if TYPE_CHECKING:
    from lfr.access import Principal
    from lfr.database import Store
    from lfr.models import Model
    from lfr.watchlist import ImportReport, LintReport

__all__ = ["app"]

app = typer.Typer(
    help="Build, check, seal and destroy a list of people who are looked for.\n\n"
    "A list is open until it is sealed, serves one deployment, and is destroyed after it.",
    no_args_is_help=True,
)

ListArgument = Annotated[str, typer.Argument(metavar="WATCHLIST", help="Id of the list.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="Why you look at it; it is logged.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call the list.")],
    model: ModelOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Make an open list. Its templates will be of one model version, here or by `reenrol`.

    Example: `lfr watchlist create "Chelmsford, 2 March"`
    """
    from lfr.watchlist import create_watchlist

    with governed(key_file) as (store, principal):
        watchlist_id = create_watchlist(store, principal, name=name, model=recogniser_for(model).model)
    emit({"watchlist_id": watchlist_id}, as_json=json, show=lambda: out.print(watchlist_id))


@app.command("import")
def import_(
    watchlist: ListArgument,
    entries: Annotated[
        Path,
        typer.Argument(metavar="CSV", help="One entry a row; `image` names a file beside it, or several with `;`."),
    ],
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="One bad row keeps every other off the list.")
    ] = False,
    threads: ThreadsOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Put people on an open list, each with a legal basis and images that pass the quality gate.

    Columns: subject_id, category, reason, legal_basis, image_source,
    lawfully_held, image_date, expires_at, under_18, image. Exits 1 where a row
    was refused.
    """
    from lfr.watchlist import import_entries, read_rows

    rows = read_rows(entries)
    with governed(key_file) as (store, principal):
        report = import_entries(
            store,
            principal,
            watchlist,
            rows,
            _model_of_list(store, principal, watchlist, threads),
            all_or_nothing=all_or_nothing,
            progress=partial(track, description="enrolling", total=len(rows)),
        )
    emit(report.as_dict(), as_json=json, show=partial(_show_import, report))
    if any(row.problems for row in report.rows):
        raise typer.Exit(1)


@app.command()
def add(
    watchlist: ListArgument,
    image: Annotated[list[Path], typer.Argument(help="Images of the subject.")],
    subject_id: Annotated[str, typer.Option("--subject", help="Reference of the subject, never a name.")],
    category: Annotated[str, typer.Option("--category", help="One of the force policy's categories.")],
    reason: Annotated[str, typer.Option("--reason", help="Why this person is looked for.")],
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="What allows it.")],
    image_source: Annotated[str, typer.Option("--image-source", help="Where the image is from.")],
    image_date: Annotated[str, typer.Option("--image-date", metavar="DATE", help="When it was taken.")],
    expires: Annotated[str, typer.Option("--expires", metavar="DATE", help="When the entry ends.")],
    lawfully_held: Annotated[bool, typer.Option("--lawfully-held", help="The image is lawfully held.")] = False,
    under_18: Annotated[bool, typer.Option("--under-18/--adult", help="Whether the person is under 18.")] = False,
    threads: ThreadsOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Put one person on an open list."""
    from lfr.errors import WatchlistError
    from lfr.watchlist import EntryRow, import_entries

    values = {
        "subject_id": subject_id,
        "category": category,
        "reason": reason,
        "legal_basis": legal_basis,
        "image_source": image_source,
        "lawfully_held": lawfully_held,
        "image_date": image_date,
        "expires_at": expires,
        "under_18": under_18,
    }
    row = EntryRow(subject_id, values, tuple(image))
    with governed(key_file) as (store, principal):
        model = _model_of_list(store, principal, watchlist, threads)
        report = import_entries(store, principal, watchlist, [row], model, all_or_nothing=True)
    if report.rows[0].problems:
        raise WatchlistError(f"{subject_id}: {'; '.join(report.rows[0].problems)}")
    emit(report.as_dict(), as_json=json, show=lambda: out.print(report.rows[0].entry_id))


@app.command()
def approve(
    watchlist: ListArgument,
    minor: Annotated[
        list[str] | None, typer.Option("--minor", metavar="ENTRY", help="Authorise this entry of an under-18.")
    ] = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Approve what somebody else put on the list; nobody approves their own entries."""
    from lfr.watchlist import approve as approve_entries

    with governed(key_file) as (store, principal):
        approved = approve_entries(store, principal, watchlist, minors=tuple(minor or ()))
    emit({"approved": approved}, as_json=json, show=lambda: out.print(f"{approved} entries approved"))


@app.command()
def lint(
    watchlist: ListArgument,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", metavar="FILE", help="Where threshold and largest size come from.")
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option("--cohort", metavar="CSV", help="People who are not listed.  [default: the made-up people]"),
    ] = None,
    threads: ThreadsOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Look a list over before it is sealed: quality, look-alikes, references that attract strangers, dates, minors.

    Exits 1 where something stands against sealing; warnings are for a person to weigh.
    """
    from lfr.types import Calibration
    from lfr.watchlist import demo_cohort, manifest_cohort
    from lfr.watchlist import lint as lint_list

    calibrated = Calibration.read(calibration) if calibration else None
    with governed(key_file) as (store, principal):
        model = _model_of_list(store, principal, watchlist, threads)
        progress = partial(track, description="embedding the cohort")
        people = manifest_cohort(cohort, model, progress=progress) if cohort else demo_cohort(model, progress=progress)
        report = lint_list(store, principal, watchlist, calibration=calibrated, cohort=people)
    emit(report.as_dict(), as_json=json, show=partial(_show_lint, report))
    if not report.passed:
        raise typer.Exit(1)


@app.command()
def seal(watchlist: ListArgument, key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Seal a list: nothing on it changes any more, and a deployment is authorised for its digest."""
    from lfr.watchlist import seal as seal_list

    with governed(key_file) as (store, principal):
        digest = seal_list(store, principal, watchlist)
    emit({"watchlist_id": watchlist, "digest": digest}, as_json=json, show=lambda: out.print(digest))


@app.command()
def show(
    watchlist: ListArgument, purpose: PurposeOption, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Show a list and its entries, without images."""
    from lfr.watchlist import show as show_list

    with governed(key_file) as (store, principal):
        document = show_list(store, principal, watchlist, purpose=purpose)

    def printed() -> None:
        out.print(f"[bold]{document['name']}[/]  {document['state']}  {len(document['entries'])} entries")
        if document["digest"]:
            out.print(f"digest {document['digest']}", style="dim")
        table = Table(
            "subject", "category", "expires", "approved by", "images", Column("entry", no_wrap=True, min_width=22)
        )
        for entry in document["entries"]:
            state = " (suspended)" if entry["suspended"] else ""
            table.add_row(
                entry["subject_id"] + state,
                entry["category"],
                entry["expires_at"][:10],
                entry["approved_by"] or "nobody",
                str(len(entry["references"])),
                entry["entry_id"],
            )
        out.print(table)

    emit(document, as_json=json, show=printed)


@app.command("list")
def list_(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """List the force's watchlists."""
    from lfr.watchlist import list_watchlists

    with governed(key_file) as (store, principal):
        found = list_watchlists(store, principal)

    def printed() -> None:
        table = Table(Column("watchlist", no_wrap=True), "name", "state", "entries")
        for row in found:
            table.add_row(row["watchlist_id"], row["name"], row["state"], str(row["entries"]))
        out.print(table)

    emit({"watchlists": found}, as_json=json, show=printed)


@app.command()
def suspend(
    watchlist: ListArgument,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="Id of the entry.")],
    reason: Annotated[str, typer.Option("--reason", help="Found, warrant withdrawn, wrong person …")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """End an entry's alerts within a second; works on a sealed list and needs no new authorisation."""
    from lfr.watchlist import suspend as suspend_entry

    with governed(key_file) as (store, principal):
        suspend_entry(store, principal, watchlist, entry, reason=reason)
    emit({"entry_id": entry, "suspended": True}, as_json=json, show=lambda: out.print(f"{entry} suspended"))


@app.command()
def copy(
    watchlist: ListArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the copy.")] = "",
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a list into a new open one, for review, lint and seal before the next deployment."""
    from lfr.watchlist import copy_watchlist

    with governed(key_file) as (store, principal):
        copy_id = copy_watchlist(store, principal, watchlist, name=name)
    emit({"watchlist_id": copy_id, "copied_from": watchlist}, as_json=json, show=lambda: out.print(copy_id))


@app.command()
def reenrol(
    watchlist: ListArgument,
    model: ModelOption = None,
    threads: ThreadsOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Make an open list's templates anew with another model version, from its stored images."""
    from lfr.watchlist import reenrol as reenrol_list

    loaded = recogniser_for(model, threads=threads).model
    with governed(key_file) as (store, principal):
        progress = partial(track, description="enrolling")
        count = reenrol_list(store, principal, watchlist, loaded, progress=progress)
    emit(
        {"references": count, "model": loaded.digest}, as_json=json, show=lambda: out.print(f"{count} images enrolled")
    )


@app.command()
def destroy(
    watchlist: ListArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Destroy a list for good: its key, templates and images. Whom it named stays, without images."""
    from lfr.watchlist import destroy as destroy_list

    if not yes and not json:
        typer.confirm(f"Destroy {watchlist}? Nobody can undo it.", abort=True, err=True)
    with governed(key_file) as (store, principal):
        images = destroy_list(store, principal, watchlist)
    emit(
        {"watchlist_id": watchlist, "images_destroyed": images},
        as_json=json,
        show=lambda: out.print(f"{watchlist} destroyed with {images} images"),
    )


def _model_of_list(store: Store, principal: Principal, watchlist_id: str, threads: int | None) -> Model:
    """Load the version that the list's templates are of."""
    from lfr.watchlist.lists import model_version_of

    return recogniser_for(model_version_of(store, principal, watchlist_id), threads=threads).model


def _show_import(report: ImportReport) -> None:
    table = Table("row", "subject", "", "")
    for row in report.rows:
        kept = row.accepted and report.kept
        table.add_row(
            row.where,
            row.subject_id or "-",
            "[green]accepted[/]" if kept else "[red]refused[/]" if row.problems else "[yellow]left out[/]",
            "; ".join(row.problems) or (row.entry_id or ""),
        )
    out.print(table)
    out.print(f"{report.accepted} of {len(report.rows)} rows are on the list")


def _show_lint(report: LintReport) -> None:
    table = Table("", "rule", "subjects", "found")
    for finding in report.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        table.add_row(
            f"[{colour}]{finding.severity}[/]", finding.rule, ", ".join(finding.subjects) or "-", finding.text
        )
    if report.findings:
        out.print(table)
    verdict = "[green]nothing stands against sealing[/]" if report.passed else "[red]not ready to be sealed[/]"
    out.print(f"{report.entries} entries: {verdict}")
    err.print(f"threshold {report.threshold:.2f} ({report.threshold_source})", style="dim")
