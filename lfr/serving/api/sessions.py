"""Sessions of browsers: a key sealed into a cookie, and no use of it by other sites."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from lfr.database import Store
from lfr.database.encryption import DataKey
from lfr.errors import AccessDeniedError, KeyFileError
from lfr.serving.api.problems import UnauthenticatedError

__all__ = ["COOKIE", "LASTS", "Sessions", "check_same_site"]

COOKIE = "lfr_session"
LASTS = timedelta(hours=12)
"""A long shift; then somebody signs in again."""
_MOST_ENDED = 100_000
_READS = ("GET", "HEAD")


@dataclass(frozen=True)
class _Sealed:
    key: str
    id: str
    expires_at: datetime


class Sessions:
    """Seals keys into cookies and opens them, in every process of the service alike.

    A session lasts over a restart of the process that began it, because nothing of it is kept here: the cookie is
    the key under AES-GCM, which only the holder of this store's signing key can open. What is opened is checked as
    any key is, every time, so a revoked or expired one ends its sessions at once.

    Parameters
    ----------
    store
        Whose signing key the sealing key is derived from, and whose clock sessions run on.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # Ed25519 signatures are deterministic, so this is a secret that every process derives alike (RFC 8032, 8.2).
        signed = store.signing.sign(b"lfr: the key that seals the console's sessions, 1")
        self._key = DataKey("sessions", hashlib.sha256(signed.encode()).digest())
        self._ended: dict[str, datetime] = {}

    def begin(self, key: str) -> tuple[str, datetime]:
        """Return the cookie of a new session of a key that was checked, and when it ends."""
        expires_at = self._store.now() + LASTS
        content = {"key": key, "id": secrets.token_hex(8), "expires_at": expires_at.isoformat()}
        sealed = self._key.encrypt(json.dumps(content).encode(), row=COOKIE)
        return base64.urlsafe_b64encode(sealed).decode(), expires_at

    def key_of(self, cookie: str) -> str:
        """Return the key in a cookie; raises UnauthenticatedError where it is none, or has ended."""
        return self._open(cookie).key

    def expires_at(self, cookie: str) -> datetime:
        """Return when a session ends; raises as `key_of`."""
        return self._open(cookie).expires_at

    def end(self, cookie: str) -> None:
        """Take a cookie no more, in this process; the browser is told to drop it."""
        session = self._open(cookie)
        if len(self._ended) >= _MOST_ENDED:
            now = self._store.now()
            self._ended = {id_: until for id_, until in self._ended.items() if until > now}
        self._ended[session.id] = session.expires_at

    def _open(self, cookie: str) -> _Sealed:
        try:
            content: dict[str, Any] = json.loads(
                self._key.decrypt(base64.urlsafe_b64decode(cookie.encode()), row=COOKIE)
            )
        except (KeyFileError, ValueError) as error:
            raise UnauthenticatedError("the session is not known here; sign in") from error
        session = _Sealed(content["key"], content["id"], datetime.fromisoformat(content["expires_at"]))
        if session.id in self._ended or session.expires_at <= self._store.now():
            raise UnauthenticatedError("the session has ended; sign in again")
        return session


def check_same_site(connection: HTTPConnection) -> None:
    """Refuse what another site makes a browser send with a session's cookie.

    The cookie is SameSite=Strict, so browsers do not send it; this stands where one does not honour that, and
    against other origins of the same site. Browsers set both headers themselves: no script of a page can.

    Raises
    ------
    AccessDeniedError
        Fetch metadata or Origin name another origin, or something would be changed and neither is there.
    """
    headers, reads = connection.headers, connection.scope.get("method") in _READS
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin" and not (reads and site == "none"):
        raise AccessDeniedError(f"the request comes from another site (Sec-Fetch-Site: {site[:20]})")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise AccessDeniedError("the request comes from another origin")
    if not reads and site is None and origin is None:
        raise AccessDeniedError("a session's request says where it comes from: send Origin, or the key as a bearer")
