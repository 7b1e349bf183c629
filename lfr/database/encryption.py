"""Encryption at rest: AES-256-GCM, each ciphertext bound to the row it belongs to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lfr.errors import KeyFileError

__all__ = ["KEY_BYTES", "DataKey"]

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True)
class DataKey:
    """A key of one watchlist or deployment; who has it can read what was encrypted with it.

    Nonces are random: with 96 bits a key may encrypt some 2**32 messages
    (NIST SP 800-38D, 8.3), and a list or deployment has far fewer.

    Attributes
    ----------
    name
        What the key belongs to; for messages.
    secret
        32 bytes.
    """

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, got {len(self.secret)}")

    @classmethod
    def generate(cls, name: str) -> DataKey:
        """Return a new random key."""
        return cls(name, secrets.token_bytes(KEY_BYTES))

    def encrypt(self, plain: bytes, *, row: str) -> bytes:
        """Return nonce and ciphertext, which open for the same ``row`` only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, plain, row.encode())

    def decrypt(self, sealed: bytes, *, row: str) -> bytes:
        """Return what was encrypted.

        Raises
        ------
        KeyFileError
            Another key or row encrypted it, or a byte of it changed.
        """
        try:
            return AESGCM(self.secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except InvalidTag as error:
            raise KeyFileError(f"{row}: does not open with the key of {self.name}, or was changed") from error
