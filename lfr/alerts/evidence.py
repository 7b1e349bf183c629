"""The evidence file: signed and encrypted, and verified offline by whoever receives it (R15).

::

    lfr-evidence-1                      one line
    {"ciphertext_sha256": …}            header: hand-over, encryption, signing key, digest of the rest
    9f2c…                               signature of the two lines above, Ed25519
    <ciphertext>                        a ZIP archive: manifest.json, manifest.sig, and the files it names

The header can be checked without any secret. The manifest inside is signed
too, so that what was taken out stays verifiable on its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lfr.alerts.envelope import Envelope, opened_envelope
from lfr.audit.chain import canonical
from lfr.database import SigningKey
from lfr.database.keys import verify_signature
from lfr.errors import EvidenceError

__all__ = ["FORMAT", "OpenedEvidence", "open_evidence", "sealed_evidence"]

FORMAT = "lfr-evidence-1"
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z]{1,5}")
_MAX_HEADER = 16_384


@dataclass(frozen=True)
class OpenedEvidence:
    """What was in an evidence file, every byte of it verified against its signature.

    Attributes
    ----------
    manifest
        Who handed what over to whom, when and why, and the digest of each file.
    raw_manifest, signature
        The manifest as it was signed, and the signature.
    files
        By name.
    signed_by
        Public key that signed it, 64 hexadecimal digits.
    trusted
        Whether that key was compared with one that the reader has from elsewhere.
    """

    manifest: Mapping[str, Any]
    raw_manifest: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    signed_by: str
    trusted: bool


def sealed_evidence(
    files: Mapping[str, bytes], *, details: Mapping[str, Any], envelope: Envelope, signing: SigningKey
) -> bytes:
    """Return the content of an evidence file.

    Parameters
    ----------
    files
        By name: lower-case letters, digits and hyphens, with a suffix.
    details
        Of the manifest, JSON; ``hand_over`` among them.
    envelope
        For whom.
    signing
        By whom.
    """
    listed = [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    manifest = canonical({**details, "format": FORMAT, "signing_key": signing.public_hex, "files": listed})
    packed = _packed({_MANIFEST: manifest, _SIGNATURE: signing.sign(_signed(manifest)).encode(), **files})
    hand_over = str(details["hand_over"])
    ciphertext = envelope.encrypt(packed, bound_to=_signed(hand_over.encode()))
    header = canonical(
        {
            "format": FORMAT,
            "hand_over": hand_over,
            "encryption": dict(envelope.parameters),
            "signing_key": signing.public_hex,
            "ciphertext_sha256": hashlib.sha256(ciphertext).hexdigest(),
        }
    )
    return b"\n".join((FORMAT.encode(), header, signing.sign(_signed(header)).encode(), ciphertext))


def open_evidence(
    content: bytes,
    *,
    private_key: bytes | None = None,
    passphrase: str | None = None,
    signed_by: str | None = None,
) -> OpenedEvidence:
    """Verify and decrypt an evidence file; needs no store and no network.

    Parameters
    ----------
    content
        Of the file.
    private_key
        The recipient's, 64 hexadecimal digits or PEM, where it was encrypted for a key.
    passphrase
        Where it was encrypted with one.
    signed_by
        Public key of the installation that must have signed it, from a source other than this file.

    Raises
    ------
    EvidenceError
        It is no evidence file, a byte of it changed, or somebody else signed it.
    InputError
        The key or passphrase does not open it.
    """
    header, ciphertext = _checked_header(content, signed_by)
    key, hand_over = header["signing_key"], header["hand_over"]
    envelope = opened_envelope(header["encryption"], private_key=private_key, passphrase=passphrase)
    files = _unpacked(envelope.decrypt(ciphertext, bound_to=_signed(hand_over.encode())))
    raw, signature = files.pop(_MANIFEST, b""), files.pop(_SIGNATURE, b"")
    if not verify_signature(key, signature.decode("ascii", "replace"), _signed(raw)):
        raise EvidenceError("the manifest is not signed by the key that signed the file")
    manifest, listed = _manifest(raw)
    if manifest.get("hand_over") != hand_over or listed.keys() != files.keys():
        raise EvidenceError("the manifest is of another file")
    for name, file in files.items():
        if hashlib.sha256(file).hexdigest() != listed[name]:
            raise EvidenceError(f"{name}: is not what the manifest says")
    return OpenedEvidence(manifest, raw, signature, files, key, trusted=signed_by is not None)


def _checked_header(content: bytes, signed_by: str | None) -> tuple[dict[str, Any], bytes]:
    parts = content.split(b"\n", 3)
    if len(parts) != 4 or parts[0] != FORMAT.encode() or len(parts[1]) > _MAX_HEADER:
        raise EvidenceError(f"not an evidence file of the format {FORMAT}")
    _, line, signature, ciphertext = parts
    try:
        header = json.loads(line)
        key, digest = str(header["signing_key"]), header["ciphertext_sha256"]
        header["hand_over"], header["encryption"] = str(header["hand_over"]), dict(header["encryption"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError(f"the evidence's header is malformed: {error}") from error
    if not verify_signature(key, signature.decode("ascii", "replace"), _signed(line)):
        raise EvidenceError("the evidence's header was changed: its signature does not verify")
    if hashlib.sha256(ciphertext).hexdigest() != digest:
        raise EvidenceError("the evidence's content was changed: its digest is not the one that was signed")
    if signed_by is not None and signed_by.strip().lower() != key:
        raise EvidenceError(f"the evidence is signed by {key}, not by {signed_by.strip().lower()}")
    return header, ciphertext


def _manifest(raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        manifest: dict[str, Any] = json.loads(raw)
        return manifest, {one["name"]: one["sha256"] for one in manifest["files"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError(f"the manifest is malformed: {error}") from error


def _signed(content: bytes) -> bytes:
    # With the format before it, no signature of an evidence file is one of an audit checkpoint.
    return FORMAT.encode() + b"\n" + content


def _packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            if not _NAME.fullmatch(name):
                raise ValueError(f"no name of a file of evidence: {name!r}")
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _unpacked(packed: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            if len(names) != len(members) or not stored or not all(map(_NAME.fullmatch, names)):
                raise EvidenceError("the evidence's archive is not one that lfr writes")
            return {name: archive.read(name) for name in names}
    except zipfile.BadZipFile as error:
        raise EvidenceError(f"the evidence's archive is malformed: {error}") from error
