"""An operator at the interface: what the console does, without the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import httpx

from lfr.client.answers import checked

__all__ = ["Desk"]

_FACTORS = {
    "subject_factors": "made up: decided by who walked",
    "system_factors": "made up",
    "environmental_factors": "made up",
}


class Desk:
    """Somebody's key at the service; a context manager.

    Parameters
    ----------
    url
        Of the service.
    key
        Of a person.
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return the answer's document; raises as `lfr.client.answers.checked`."""
        return checked(self._client.request(method, path, json=body))

    def page(self, path: str) -> str:
        """Return a page's text; empty where there is none."""
        answer = self._client.get(path, follow_redirects=True)
        return answer.text if answer.is_success else ""

    def image(self, alert_id: str, which: str, *, purpose: str) -> bytes:
        """Return an image of an alert; the look is logged with its purpose."""
        answer = self._client.get(f"/v1/alerts/{alert_id}/images/{which}", params={"purpose": purpose})
        if not answer.is_success:
            checked(answer)
        return answer.content

    def decide(self, alert_id: str, *, right: bool) -> str:
        """Adjudicate, and where it is the right person record what came of it; return the state it led to."""
        alert = f"/v1/alerts/{alert_id}"
        made = self.call("POST", f"{alert}/adjudication", {"decision": "viable" if right else "not_viable", **_FACTORS})
        if right:
            self.call("POST", f"{alert}/outcome", {"state": "engaged"})
            made = self.call(
                "POST", f"{alert}/outcome", {"state": "confirmed_true", "kind": "other", "note": "made up"}
            )
        return str(made["state"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
