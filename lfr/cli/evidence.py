"""``lfr alerts hand-over`` and ``lfr alerts open-evidence``: evidence out of the store, and read elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed
from lfr.errors import EvidenceError, InputError

__all__ = ["check_new", "hand_over", "open_evidence", "write_private"]

PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="File with a passphrase, 12 characters or more."),
]


def hand_over(
    alert: Annotated[
        str, typer.Argument(metavar="ALERT", help="Its id, as `lfr alerts list` shows it.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option("--to", metavar="RECIPIENT", help="To whom: an office and its reference. No names of persons."),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; the audit log keeps it.")],
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="New file for the evidence.")],
    recipient_key: Annotated[
        Path | None,
        typer.Option("--recipient-key", metavar="FILE", help="The recipient's X25519 public key, PEM or hexadecimal."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Write an alert as a signed file that only its recipient can open, and log it.

    It holds both images, the alert, who decided what, and the log's entries about it. For example:

    `lfr alerts hand-over alert-1 --to "CPS, case 42/26" --reason disclosure --file a.evidence --recipient-key cps.pem`

    The recipient makes the key with `openssl genpkey -algorithm X25519 -out own.pem` and gives out what
    `openssl pkey -in own.pem -pubout` prints. Where they have none, use `--passphrase-file` and tell them
    the passphrase another way. They read it with `lfr alerts open-evidence`.
    """
    from lfr.alerts import envelope_for_key, envelope_for_passphrase
    from lfr.alerts import hand_over as give

    if (recipient_key is None) == (passphrase_file is None):
        raise InputError("give one of --recipient-key and --passphrase-file: the evidence is encrypted for somebody")
    check_new(file)
    with governed(key_file) as (store, principal):
        if recipient_key is not None:
            envelope = envelope_for_key(_read(recipient_key))
        else:
            envelope = envelope_for_passphrase(_passphrase(passphrase_file))
        given = give(store, principal, alert, recipient=to, reason=reason, envelope=envelope)
        signed_by = store.signing.public_hex
    # Logged first: a file nobody logged would be worse than an entry whose file could not be written.
    write_private(file, given.content)
    document = {
        "alert": alert,
        "hand_over": given.id,
        "file": file,
        "sha256": given.digest,
        "bytes": len(given.content),
        "signed_by": signed_by,
    }

    def show() -> None:
        out.print(f"{file}: {len(given.content)} bytes, SHA-256 {given.digest}", soft_wrap=True, markup=False)
        out.print(f"signed by {signed_by}; give the recipient this key another way", soft_wrap=True, style="dim")

    emit(document, as_json=json, show=show)


def open_evidence(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The evidence file.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="New folder for what is in it; left out: only verify.")
    ] = None,
    private_key: Annotated[
        Path | None, typer.Option("--private-key", metavar="FILE", help="Your X25519 private key, PEM or hexadecimal.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    signed_by: Annotated[
        str | None,
        typer.Option(
            "--signed-by", metavar="KEY", help="Public key of who must have signed it, or a file that holds it."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify and decrypt an evidence file. Needs no store, no key of lfr and no network.

    Exits 0 when every byte is as it was signed, and 1 when it is not or somebody else signed it. Without
    `--signed-by` the signature shows that nothing changed since it was made, and not by whom it was made.
    """
    from lfr.alerts import open_evidence as opened

    if to is not None and to.exists():
        raise InputError(f"{to}: is there already")
    key = _read(Path(signed_by)).decode("ascii", "replace") if signed_by and Path(signed_by).is_file() else signed_by
    try:
        evidence = opened(
            _read(file),
            private_key=_read(private_key) if private_key else None,
            passphrase=_passphrase(passphrase_file) if passphrase_file else None,
            signed_by=key,
        )
    except EvidenceError as error:
        reason = f"{file}: {error}"
        emit(
            {"verified": False, "reason": reason},
            as_json=json,
            show=lambda: err.print(f"lfr: {reason}", markup=False, soft_wrap=True),
        )
        raise typer.Exit(1) from error
    if to is not None:
        _write_folder(
            to, {**evidence.files, "manifest.json": evidence.raw_manifest, "manifest.sig": evidence.signature}
        )
    found = {
        "verified": True,
        "signed_by": evidence.signed_by,
        "trusted": evidence.trusted,
        "manifest": dict(evidence.manifest),
        "folder": to,
    }

    def show() -> None:
        said = [evidence.manifest.get(name) for name in ("alert", "recipient", "made_at")]
        out.print("{}, handed to {} at {}".format(*said), markup=False)
        for name, content in evidence.files.items():
            out.print(f"  {name}: {len(content)} bytes", markup=False)
        whom = "the key you gave" if evidence.trusted else f"{evidence.signed_by}, which was not checked (--signed-by)"
        out.print(f"every byte as it was signed, by {whom}", soft_wrap=True)

    emit(found, as_json=json, show=show)


def check_new(file: Path) -> None:
    """Raise InputError where a file cannot be made new."""
    if file.exists():
        raise InputError(f"{file}: is there already")
    if not file.absolute().parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}")


def write_private(file: Path, content: bytes) -> None:
    """Write a new file that only its owner can read; raises InputError where that fails."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise InputError(f"{file}: cannot be written: {error.strerror}; the audit log has the reading") from error


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error
    for name, content in files.items():
        write_private(folder / name, content)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error


def _passphrase(file: Path | None) -> str:
    content = _read(file) if file is not None else b""
    try:
        return content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: holds no passphrase in UTF-8") from error
