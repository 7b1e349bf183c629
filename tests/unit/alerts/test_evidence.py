"""Evidence: opens for its recipient only, and shows every changed byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lfr.alerts import envelope_for_key, envelope_for_passphrase, open_evidence
from lfr.alerts.evidence import FORMAT, sealed_evidence
from lfr.audit.chain import canonical
from lfr.database import SigningKey
from lfr.errors import EvidenceError, InputError

FILES = {"probe.jpg": b"\xff\xd8\xff probe", "alert.json": b"{}"}
DETAILS = {"hand_over": "hand-over-1", "alert": "alert-1"}
PASSPHRASE = "a dozen words would be better"


@pytest.fixture
def signing(tmp_path: Path) -> SigningKey:
    return SigningKey.create(tmp_path / "signing")


@pytest.fixture
def recipient() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public_pem(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_hex(key: X25519PrivateKey) -> bytes:
    return key.private_bytes_raw().hex().encode() + b"\n"


def sealed_for(recipient: X25519PrivateKey, signing: SigningKey) -> bytes:
    envelope = envelope_for_key(public_pem(recipient))
    return sealed_evidence(FILES, details=DETAILS, envelope=envelope, signing=signing)


def test_the_recipients_key_opens_it(recipient: X25519PrivateKey, signing: SigningKey) -> None:
    content = sealed_for(recipient, signing)
    assert b"probe" not in content
    pem = recipient.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for own in (pem, private_hex(recipient)):
        opened = open_evidence(content, private_key=own, signed_by=signing.public_hex)
        assert opened.files == FILES
        assert opened.manifest["alert"] == "alert-1"
        assert opened.trusted


def test_a_passphrase_opens_it_and_another_does_not(signing: SigningKey) -> None:
    envelope = envelope_for_passphrase(PASSPHRASE)
    content = sealed_evidence(FILES, details=DETAILS, envelope=envelope, signing=signing)
    opened = open_evidence(content, passphrase=PASSPHRASE)
    assert opened.files == FILES
    assert not opened.trusted
    with pytest.raises(InputError, match="another key or passphrase"):
        open_evidence(content, passphrase=PASSPHRASE + "!")
    with pytest.raises(InputError, match="with a passphrase"):
        open_evidence(content, private_key=b"00")


def test_another_key_or_none_does_not_open_it(recipient: X25519PrivateKey, signing: SigningKey) -> None:
    content = sealed_for(recipient, signing)
    with pytest.raises(InputError, match="another key"):
        open_evidence(content, private_key=private_hex(X25519PrivateKey.generate()))
    with pytest.raises(InputError, match="give the private key"):
        open_evidence(content)


def test_any_changed_byte_is_refused(recipient: X25519PrivateKey, signing: SigningKey) -> None:
    content = sealed_for(recipient, signing)
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        with pytest.raises(EvidenceError):
            open_evidence(bytes(changed), private_key=private_hex(recipient))
    for cut in (0, 10, len(content) - 1):
        with pytest.raises(EvidenceError):
            open_evidence(content[:cut], private_key=private_hex(recipient))


def test_somebody_elses_signature_is_refused(recipient: X25519PrivateKey, signing: SigningKey, tmp_path: Path) -> None:
    forged = sealed_for(recipient, SigningKey.create(tmp_path / "other"))
    assert not open_evidence(forged, private_key=private_hex(recipient)).trusted
    with pytest.raises(EvidenceError, match=f"not by {signing.public_hex}"):
        open_evidence(forged, private_key=private_hex(recipient), signed_by=signing.public_hex)


@pytest.mark.parametrize("header", [b"[]", b"1", b"{}", b'{"signing_key":"x"}', b"\xff"])
def test_a_made_up_header_is_refused(header: bytes, signing: SigningKey) -> None:
    content = b"\n".join((FORMAT.encode(), header, signing.sign(FORMAT.encode() + b"\n" + header).encode(), b""))
    with pytest.raises(EvidenceError):
        open_evidence(content, passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "encryption",
    [
        {},
        {"method": "none"},
        {"method": "scrypt", "n": 1 << 30, "r": 8, "p": 1, "salt": "00"},  # would take all memory
        {"method": "scrypt", "n": 1 << 17, "r": 8, "p": 1, "salt": "no"},
        {"method": "x25519-hkdf-sha256"},
        {"method": "x25519-hkdf-sha256", "ephemeral": "00" * 32},  # a weak point
    ],
)
def test_made_up_encryption_is_refused_even_when_signed(
    encryption: dict[str, object], recipient: X25519PrivateKey, signing: SigningKey
) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    header = canonical(
        {
            "hand_over": "h",
            "encryption": encryption,
            "signing_key": signing.public_hex,
            "ciphertext_sha256": empty,
        }
    )
    content = b"\n".join((FORMAT.encode(), header, signing.sign(FORMAT.encode() + b"\n" + header).encode(), b""))
    with pytest.raises(EvidenceError, match="encryption"):
        open_evidence(content, private_key=private_hex(recipient), passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"zz",
        "é".encode(),
        b"00" * 31,
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        b"00" * 32,
        Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
)
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(InputError, match="recipient's key"):
        envelope_for_key(key)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(InputError, match="12 are the fewest"):
        envelope_for_passphrase("eleven char")
