"""``lfr access``: who may act, with which key, in which role."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Column, Table

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed

if TYPE_CHECKING:
    from lfr.access import NewKey, Role

__all__ = ["app"]

app = typer.Typer(
    help="Who may act, with which key, in which role.\n\n"
    "A key is shown once. Keep it in a file of your own (--write-key) and name that file with --key-file, so that it "
    "does not stand in the shell's history.",
    no_args_is_help=True,
)

WriteKeyOption = Annotated[
    Path | None, typer.Option("--write-key", metavar="FILE", help="Write the key to a new file, mode 0600.")
]
DaysOption = Annotated[int, typer.Option("--days", min=1, max=3660, help="Days the key is valid.")]


@app.command()
def init(
    force: Annotated[str, typer.Option("--force", metavar="ID", help="Id of the first force, such as essex.")],
    force_name: Annotated[str, typer.Option("--force-name", help="Its name.")],
    name: Annotated[str, typer.Option("--name", help="Name of its first admin.")],
    days: DaysOption = 365,
    write_key: WriteKeyOption = None,
    json: JsonOption = False,
) -> None:
    """Make the store in LFR_HOME, with one force and its first admin. Once.

    Example: `lfr access init --force essex --force-name "Essex Police" --name "A. Admin" --write-key admin.key`
    """
    from lfr.access import init_access
    from lfr.database import create_store
    from lfr.settings import read_settings

    _refuse_existing(write_key)
    settings = read_settings()
    store = create_store(
        settings.home.absolute(),
        url=settings.database_url.get_secret_value() if settings.database_url else None,
        master_key_file=settings.master_key_file,
    )
    try:
        made = init_access(store, force_id=force, force_name=force_name, name=name, days=days)
    finally:
        store.close()
    _show_key(made, write_key, as_json=json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the person.")],
    rank: Annotated[str, typer.Option("--rank", help="Rank, such as constable or superintendent.")],
    role: Annotated[list[str], typer.Option("--role", help="operator, watchlist_manager, authorising_officer, …")],
    days: DaysOption = 365,
    write_key: WriteKeyOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Add a person of your force, with a key."""
    from lfr.access import add_person

    _refuse_existing(write_key)
    with governed(key_file) as (store, principal):
        made = add_person(store, principal, name=name, rank=rank, roles=cast("list[Role]", role), days=days)
    _show_key(made, write_key, as_json=json)


@app.command("add-device")
def add_device_(
    device: Annotated[str, typer.Argument(help="Name of the device, such as van-2.")],
    days: DaysOption = 365,
    write_key: WriteKeyOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Add a key of a device: it sends frames and reads its own alerts, and decides nothing."""
    from lfr.access import add_device

    _refuse_existing(write_key)
    with governed(key_file) as (store, principal):
        made = add_device(store, principal, device=device, days=days)
    _show_key(made, write_key, as_json=json)


@app.command("add-force")
def add_force_(
    force: Annotated[str, typer.Argument(metavar="ID", help="Id, such as kent.")],
    force_name: Annotated[str, typer.Option("--force-name", help="Its name.")],
    name: Annotated[str, typer.Option("--name", help="Name of its first admin.")],
    days: DaysOption = 365,
    write_key: WriteKeyOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Add a force with an admin of its own. You will see its counts and nothing else of it."""
    from lfr.access import add_force

    _refuse_existing(write_key)
    with governed(key_file) as (store, principal):
        made = add_force(store, principal, force_id=force, force_name=force_name, admin_name=name, days=days)
    _show_key(made, write_key, as_json=json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of the key, from `lfr access list`.")],
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke a key, from now on."""
    from lfr.access import revoke as revoke_key

    with governed(key_file) as (store, principal):
        revoke_key(store, principal, key_id)
    emit({"key_id": key_id, "revoked": True}, as_json=json, show=lambda: out.print(f"{key_id} revoked"))


@app.command("list")
def list_(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """List your force's keys, their owners and roles."""
    from lfr.access import list_keys

    with governed(key_file) as (store, principal):
        keys = list_keys(store, principal)

    def show() -> None:
        table = Table(Column("key", no_wrap=True, min_width=20), "owner", "rank", "roles", "expires", "")
        for key in keys:
            table.add_row(
                key["key_id"],
                key["name"],
                key["rank"] or "device",
                ", ".join(key["roles"]),
                key["expires_at"][:10],
                key["state"],
            )
        out.print(table)

    emit({"keys": keys}, as_json=json, show=show)


@app.command()
def policy(
    file: Annotated[
        Path | None, typer.Option("--set", metavar="JSON", help="Set the force's policy from a file of its fields.")
    ] = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show your force's policy, or set it: categories, ranks, sizes, clocks, the two-person rule."""
    from pydantic import ValidationError

    from lfr.access import ForcePolicy, policy_of, set_policy
    from lfr.errors import InputError
    from lfr.types import problems_of

    with governed(key_file) as (store, principal):
        if file is not None:
            try:
                wanted = ForcePolicy.model_validate_json(file.read_text(encoding="utf-8"))
            except ValidationError as error:
                raise InputError(f"{file}: no policy: {problems_of(error)}") from error
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{file}: cannot read the policy") from error
            set_policy(store, principal, wanted)
        with store.database.read() as session:
            document = policy_of(session, principal.force_id).model_dump(mode="json")

    def show() -> None:
        for name, value in document.items():
            text = ", ".join(value) if isinstance(value, list) else value
            out.print(f"{name:20} {text}")

    emit(document, as_json=json, show=show)


def _refuse_existing(path: Path | None) -> None:
    """Refuse before a key is made that could then not be kept."""
    from lfr.errors import InputError

    if path is not None and (path.exists() or not path.absolute().parent.is_dir()):
        raise InputError(f"{path}: there is such a file already, or no folder to put it in")


def _show_key(made: NewKey, path: Path | None, *, as_json: bool) -> None:
    document = {"key_id": made.key_id, "owner": made.owner_id}
    if path is None:
        document["key"] = made.key
    else:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(made.key + "\n")
        document["key_file"] = str(path)

    def show() -> None:
        out.print(f"{made.owner_id} with {made.key_id}")
        out.print(made.key if path is None else f"key written to {path}", soft_wrap=True)
        if path is None:
            err.print("The key is not kept and not shown again.", style="dim")

    emit(document, as_json=as_json, show=show)
