"""How commands reach the governed store: opened from the settings, as the owner of a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lfr.access import Principal
    from lfr.database import Store

__all__ = ["KeyFileOption", "acting_key", "governed", "opened_store"]

KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="File with the API key to act with.  [default: LFR_KEY]"),
]


@contextmanager
def opened_store() -> Iterator[Store]:
    """Give the store that the settings name."""
    from lfr.database import open_store
    from lfr.settings import read_settings

    settings = read_settings()
    store = open_store(
        settings.home.absolute(),
        url=settings.database_url.get_secret_value() if settings.database_url else None,
        master_key_file=settings.master_key_file,
    )
    try:
        yield store
    finally:
        store.close()


@contextmanager
def governed(key_file: Path | None) -> Iterator[tuple[Store, Principal]]:
    """Give the store, and who acts: the owner of the key in ``--key-file`` or ``LFR_KEY``.

    Raises
    ------
    AccessDeniedError
        There is no key, or it is not valid.
    """
    from lfr.access import authenticate

    key = acting_key(key_file)
    with opened_store() as store:
        yield store, authenticate(store, key)


def acting_key(key_file: Path | None) -> str:
    """Return the key in ``--key-file`` or ``LFR_KEY``.

    Raises
    ------
    AccessDeniedError
        There is none.
    InputError
        The file cannot be read.
    """
    from lfr.errors import AccessDeniedError, InputError
    from lfr.settings import read_settings

    if key_file is not None:
        try:
            key = key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{key_file}: cannot read the key: {error}") from error
    else:
        configured = read_settings().key
        key = configured.get_secret_value() if configured else ""
    if not key:
        raise AccessDeniedError("this command acts for a person: give --key-file, or the key in LFR_KEY")
    return key
