"""``lfr audit``: take the log away, and check it anywhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lfr.cli.console import JsonOption, emit, out, track
from lfr.cli.governed import KeyFileOption, governed

__all__ = ["app"]

app = typer.Typer(help="Take the audit log away, and check it anywhere.", no_args_is_help=True)


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where the export goes, as JSON lines.")],
    installation: Annotated[
        bool, typer.Option("--installation", help="The installation's chain (keys, forces, models).")
    ] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Write your force's chain with its checkpoints and a signed trailer."""
    from lfr.access import record
    from lfr.audit import INSTALLATION_CHAIN, export_chain, force_chain

    with governed(key_file) as (store, principal):
        chain = INSTALLATION_CHAIN if installation else force_chain(principal.force_id)
        with store.database.write() as session:
            record(store, session, principal, "audit.export", chain)
        entries = export_chain(store, chain, output, progress=partial(track, description="exporting"))
    document = {"chain": chain, "entries": entries, "file": str(output)}
    emit(document, as_json=json, show=lambda: out.print(f"{entries} entries of {chain} in {output}"))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="PUB", help="The installation's public key, from somebody you trust."),
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option("--anchor", metavar="FILE", help="A checkpoint, trailer or earlier export that you kept."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check an export, offline: exits 1 at the first entry that was changed, removed or reordered.

    Without --key or --anchor it cannot show that nothing was cut off the end,
    and says so.
    """
    from lfr.audit import read_anchor, verify_export
    from lfr.audit.verify import read_public_key

    verdict = verify_export(
        file,
        public_key=read_public_key(key) if key else None,
        anchor=read_anchor(anchor) if anchor else None,
        progress=partial(track, description="verifying"),
    )
    colour = "green" if verdict.intact else "red"
    emit(verdict.as_dict(), as_json=json, show=lambda: out.print(f"[{colour}]{verdict.text}[/]", soft_wrap=True))
    if not verdict.intact:
        raise typer.Exit(1)


@app.command()
def checkpoint(key_file: KeyFileOption = None, json: JsonOption = False) -> None:
    """Sign the head of your force's chain now; keep the printed document elsewhere as an anchor."""
    from lfr.access import record
    from lfr.audit import checkpoint as sign
    from lfr.audit import force_chain

    with governed(key_file) as (store, principal), store.database.write() as session:
        chain = force_chain(principal.force_id)
        record(store, session, principal, "audit.checkpoint", chain)
        signed = sign(store, session, chain=chain, reason="asked for")
        document = {
            "chain": signed.chain,
            "sequence": signed.sequence,
            "head": signed.head,
            "signing_key": signed.signing_key,
            "signature": signed.signature,
        }
    emit(document, as_json=json, show=lambda: out.print_json(data=document))
