"""What a force takes away: its rows and images, encrypted for its recipient, and its audit log.

::

    essex.zip
      rows/alert.0000 …     rows as JSON lines, sealed
      images/reference-…    reference images, and alert images that are still there, sealed
      audit.jsonl           the chain as `lfr audit verify` reads it; it holds no names and no biometrics
      export.json           for whom, with what, and the digest of every member
      export.sig            signature of export.json, Ed25519

What is sealed is encrypted with a key made for this export (AES-256-GCM, bound
to the member's name), which export.json holds in the recipient's envelope.
Templates are left out, because images give them again under any model; so are
the hashes of access keys. Nothing sealed is written to disk in the clear.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from lfr.access import Principal, record
from lfr.alerts import Envelope
from lfr.alerts.images import open_with_any
from lfr.audit import export_chain, force_chain
from lfr.audit.chain import canonical, time_text
from lfr.database import DataKey, Store
from lfr.database.tables import Alert, Base, Hold, Reference, Watchlist
from lfr.errors import InputError, KeyFileError
from lfr.oversight.force_rows import rows_of_force

__all__ = ["AUDIT", "FORMAT", "MANIFEST", "SIGNATURE", "export_force", "signed_message"]

FORMAT = "lfr-force-1"
MANIFEST, SIGNATURE, AUDIT = "export.json", "export.sig", "audit.jsonl"
_SECRET_COLUMNS = {"secret_hash", "image", "template", "reference_image"}
_PART_BYTES = 4 << 20
_ROWS_AT_ONCE = 500


@dataclass
class _Writer:
    """Seals members into the archive and keeps their digests."""

    archive: zipfile.ZipFile
    key: DataKey
    members: list[dict[str, str]] = field(default_factory=list)

    def seal(self, name: str, plain: bytes) -> None:
        sealed = self.key.encrypt(plain, row=name)
        self.archive.writestr(zipfile.ZipInfo(name), sealed)
        self.members.append({"name": name, "sha256": hashlib.sha256(sealed).hexdigest()})

    def rows(self, table: str, lines: Iterable[bytes]) -> int:
        """Seal lines in parts of a few MiB; return how many there were."""
        part, waiting, counted = 0, bytearray(), 0
        for line in lines:
            waiting += line
            counted += 1
            if len(waiting) >= _PART_BYTES:
                self.seal(f"rows/{table}.{part:04d}", bytes(waiting))
                part, waiting = part + 1, bytearray()
        if waiting or not part:
            self.seal(f"rows/{table}.{part:04d}", bytes(waiting))
        return counted


def export_force(store: Store, principal: Principal, path: Path, *, envelope: Envelope) -> dict[str, Any]:
    """Write all that is the principal's force's own to a new file that only its recipient opens.

    Parameters
    ----------
    store, principal
        Where, and who takes it.
    path
        The file, mode 0600; nothing is left of it if writing breaks off.
    envelope
        From `lfr.alerts.envelope_for_key` or `lfr.alerts.envelope_for_passphrase`.

    Returns
    -------
    ``rows`` of each table, ``images``, ``images_closed`` (whose key is gone), and the file's ``sha256``.

    Raises
    ------
    InputError
        The file is there already or cannot be written.
    ConflictError
        The force's data were destroyed.
    """
    principal.require("force.export")
    if path.exists():
        raise InputError(f"{path}: there is such a file already")
    with store.database.write() as session:
        details = {"encryption": envelope.parameters["method"], "purpose": "export of all of the force's data"}
        record(store, session, principal, "force.export", principal.force_id, details=details)
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                counted = _write(store, principal.force_id, archive, path.absolute().parent, envelope)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    with store.database.write() as session:
        record(store, session, principal, "force.export", principal.force_id, after=digest, details=counted)
    return {**counted, "sha256": digest}


def signed_message(manifest: bytes) -> bytes:
    """Return what the signature of an export is over; with the format before it, it is none of anything else."""
    return FORMAT.encode() + b"\n" + manifest


def _write(store: Store, force_id: str, archive: zipfile.ZipFile, folder: Path, envelope: Envelope) -> dict[str, Any]:
    writer = _Writer(archive, DataKey.generate("export"))
    with store.database.read() as session:
        rows = {table.__tablename__: writer.rows(table.__tablename__, _lines(session, table, own))
                for table, own in rows_of_force(force_id)}  # fmt: skip
        images, closed = 0, 0
        for name, plain in _images(store, session, force_id):
            if plain is None:
                closed += 1
            else:
                writer.seal(f"images/{name}", plain)
                images += 1
    with tempfile.TemporaryDirectory(dir=folder) as place:
        chain = Path(place) / AUDIT
        export_chain(store, force_chain(force_id), chain)
        with chain.open("rb") as file:
            writer.members.append({"name": AUDIT, "sha256": hashlib.file_digest(file, "sha256").hexdigest()})
        archive.write(chain, AUDIT)
    counted = {"rows": rows, "images": images, "images_closed": closed}
    manifest = canonical(
        {
            "format": FORMAT,
            "force": force_id,
            "made_at": time_text(store.now()),
            "encryption": dict(envelope.parameters),
            "key": envelope.encrypt(writer.key.secret, bound_to=signed_message(force_id.encode())).hex(),
            "signing_key": store.signing.public_hex,
            "members": writer.members,
            **counted,
        }
    )
    archive.writestr(zipfile.ZipInfo(MANIFEST), manifest)
    archive.writestr(zipfile.ZipInfo(SIGNATURE), store.signing.sign(signed_message(manifest)))
    return counted


def _lines(session: Session, table: type[Base], own: ColumnElement[bool]) -> Iterator[bytes]:
    columns = [column for column in table.__table__.columns if column.name not in _SECRET_COLUMNS]
    find = select(*columns).where(own).order_by(*table.__table__.primary_key)
    for row in session.execute(find.execution_options(yield_per=_ROWS_AT_ONCE)).mappings():
        values = {name: _plain(value) for name, value in row.items()}
        yield json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime | date) else value


def _images(store: Store, session: Session, force_id: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield each image with what it is of; None for its content where no key opens it."""
    references = (
        select(Reference.id, Reference.watchlist_id, Reference.image)
        .join(Watchlist, Watchlist.id == Reference.watchlist_id)
        .where(Watchlist.force_id == force_id)
        .order_by(Reference.watchlist_id, Reference.id)
    )
    keys: dict[str, DataKey | None] = {}
    for name, watchlist_id, sealed in session.execute(references.execution_options(yield_per=_ROWS_AT_ONCE)):
        if watchlist_id not in keys:
            keys[watchlist_id] = None
            with suppress(KeyFileError):
                keys[watchlist_id] = store.keys.load(watchlist_id)
        key = keys[watchlist_id]
        yield name, key.decrypt(sealed, row=f"{name}:image") if key is not None else None
    probes = select(Alert.id, Alert.deployment_id, Alert.image).where(
        Alert.force_id == force_id, Alert.image.is_not(None)
    )
    held = (
        select(Hold.id, Alert.deployment_id, Hold.reference_image)
        .join(Alert, Alert.id == Hold.alert_id)
        .where(Alert.force_id == force_id, Hold.reference_image.is_not(None))
    )
    for find in (probes, held):
        for name, deployment_id, kept in session.execute(find.execution_options(yield_per=_ROWS_AT_ONCE)):
            plain: bytes | None = None
            with suppress(KeyFileError):
                plain = open_with_any(store, deployment_id, kept or b"", row=name)
            yield name, plain
