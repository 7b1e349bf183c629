"""Encrypt for one recipient: their X25519 public key, or a passphrase told to them another way."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from lfr.errors import EvidenceError, InputError

__all__ = ["MIN_PASSPHRASE", "Envelope", "envelope_for_key", "envelope_for_passphrase", "opened_envelope"]

MIN_PASSPHRASE = 12
_INFO = b"lfr evidence envelope 1"
# 128 MiB and about half a second a guess: OWASP, "Password Storage Cheat Sheet", the first of its scrypt settings.
_SCRYPT = {"n": 1 << 17, "r": 8, "p": 1}


@dataclass(frozen=True)
class Envelope:
    """A fresh key for one file, and what its recipient needs to find the same key.

    Attributes
    ----------
    parameters
        JSON that travels with the file in the clear.
    key
        32 bytes, used for one file.
    """

    parameters: Mapping[str, Any]
    key: bytes = field(repr=False)

    def encrypt(self, plain: bytes, *, bound_to: bytes) -> bytes:
        """Return the ciphertext (AES-256-GCM), which opens with the same ``bound_to`` only."""
        # The key is fresh for each envelope, so that a fixed nonce meets it once.
        return AESGCM(self.key).encrypt(bytes(12), plain, bound_to)

    def decrypt(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Return what was encrypted; raises InputError where the key is another."""
        try:
            return AESGCM(self.key).decrypt(bytes(12), sealed, bound_to)
        except InvalidTag as error:
            raise InputError("the evidence does not open: it was encrypted for another key or passphrase") from error


def envelope_for_key(public_key: bytes) -> Envelope:
    """Return an envelope that only the owner of a key opens.

    An ephemeral X25519 agreement (RFC 7748) through HKDF-SHA256 (RFC 5869).

    Parameters
    ----------
    public_key
        64 hexadecimal digits, or PEM as ``openssl pkey -pubout`` writes it.

    Raises
    ------
    InputError
        It is no X25519 public key.
    """
    recipient = _public(public_key)
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key()
    try:
        shared = ephemeral.exchange(recipient)
    except ValueError as error:
        raise InputError("the recipient's key is a weak point of the curve, and no key of anybody") from error
    parameters = {
        "method": "x25519-hkdf-sha256",
        "ephemeral": public.public_bytes_raw().hex(),
        "recipient": recipient.public_bytes_raw().hex(),
    }
    return Envelope(parameters, _derived(shared, public, recipient))


def envelope_for_passphrase(passphrase: str) -> Envelope:
    """Return an envelope that a passphrase opens (scrypt, RFC 7914); raises InputError where it is too short."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise InputError(f"the passphrase has {len(passphrase)} characters; {MIN_PASSPHRASE} are the fewest")
    salt = secrets.token_bytes(16)
    return Envelope({"method": "scrypt", "salt": salt.hex(), **_SCRYPT}, _stretched(passphrase, salt))


def opened_envelope(
    parameters: Mapping[str, Any], *, private_key: bytes | None = None, passphrase: str | None = None
) -> Envelope:
    """Return the envelope that a file's parameters describe.

    Raises
    ------
    InputError
        What was given is not what the file asks for, or no key at all.
    EvidenceError
        The parameters are not ones that lfr writes.
    """
    method = parameters.get("method")
    try:
        if method == "x25519-hkdf-sha256":
            if private_key is None:
                raise InputError("the evidence was encrypted for a key: give the private key")
            own = _private(private_key)
            ephemeral = X25519PublicKey.from_public_bytes(bytes.fromhex(parameters["ephemeral"]))
            return Envelope(parameters, _derived(own.exchange(ephemeral), ephemeral, own.public_key()))
        if method == "scrypt" and {name: parameters.get(name) for name in _SCRYPT} == _SCRYPT:
            if passphrase is None:
                raise InputError("the evidence was encrypted with a passphrase: give it")
            return Envelope(parameters, _stretched(passphrase, bytes.fromhex(parameters["salt"])))
    except (KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"the evidence's encryption is malformed: {error}") from error
    raise EvidenceError(f"the evidence's encryption {method!r} is none that lfr writes")


def _derived(shared: bytes, ephemeral: X25519PublicKey, recipient: X25519PublicKey) -> bytes:
    salt = ephemeral.public_bytes_raw() + recipient.public_bytes_raw()
    return HKDF(SHA256(), length=32, salt=salt, info=_INFO).derive(shared)


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase.encode())


def _public(content: bytes) -> X25519PublicKey:
    try:
        if b"-----BEGIN" in content:
            key = load_pem_public_key(content)
        else:
            key = X25519PublicKey.from_public_bytes(bytes.fromhex(content.decode("ascii").strip()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("the recipient's key is none: 64 hexadecimal digits or PEM, of an X25519 key") from error
    if not isinstance(key, X25519PublicKey):
        raise InputError("the recipient's key is of another kind; `openssl genpkey -algorithm X25519` makes one")
    return key


def _private(content: bytes) -> X25519PrivateKey:
    try:
        if b"-----BEGIN" in content:
            key = load_pem_private_key(content, password=None)
        else:
            key = X25519PrivateKey.from_private_bytes(bytes.fromhex(content.decode("ascii").strip()))
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError("the private key is none: 64 hexadecimal digits or PEM without a password, X25519") from error
    if not isinstance(key, X25519PrivateKey):
        raise InputError("the private key is of another kind; X25519 is needed")
    return key
