"""A field unit: frames of its cameras to the service, alerts back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx

from lfr.client.answers import checked
from lfr.client.streams import AsyncFrameStream, FrameStream
from lfr.errors import InputError

__all__ = ["AsyncFieldUnit", "FieldUnit"]

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_SOME = 64


def _options(url: str, key: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise InputError(f"{url}: no URL of a service; it begins with https:// or http://")
    limits = httpx.Limits(max_connections=_SOME, max_keepalive_connections=_SOME)
    headers = {"Authorization": f"Bearer {key}"}
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": _TIMEOUT, "limits": limits}


def _page(before: str | None) -> dict[str, str]:
    return {} if before is None else {"before": before}


class FieldUnit:
    """The service as a field unit sees it; a context manager.

    Parameters
    ----------
    url
        Of the service, such as ``https://lfr.example``.
    key
        With the role ``field_unit`` or ``operator``.

    Examples
    --------
    >>> with FieldUnit(url, key) as unit, unit.frames(deployment, "north") as camera:  # doctest: +SKIP
    ...     for result in camera.results(jpegs):
    ...         print(result.faces_seen, result.alerts)
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(**_options(url, key))

    def frames(
        self,
        deployment_id: str,
        camera_id: str,
        *,
        in_flight: int = 4,
        give_up_s: float = 60.0,
        on_event: Callable[[str], None] = lambda _: None,
    ) -> FrameStream:
        """Begin a stream of frames of one camera; parameters as for `FrameStream`."""
        return FrameStream(
            self._client, deployment_id, camera_id, in_flight=in_flight, give_up_s=give_up_s, on_event=on_event
        )

    def alerts(self, deployment_id: str, *, before: str | None = None) -> Mapping[str, Any]:
        """Return the alerts that this key may see, newest first, or those before one; raises as `checked`.

        ``next`` of the answer is ``before`` of the page that follows it; None where there is none.
        """
        return checked(self._client.get(f"/v1/deployments/{deployment_id}/alerts", params=_page(before)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncFieldUnit:
    """As `FieldUnit`, for asyncio."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.AsyncClient(**_options(url, key))

    def frames(
        self,
        deployment_id: str,
        camera_id: str,
        *,
        in_flight: int = 4,
        give_up_s: float = 60.0,
        on_event: Callable[[str], None] = lambda _: None,
    ) -> AsyncFrameStream:
        """Begin a stream of frames of one camera; parameters as for `FrameStream`."""
        return AsyncFrameStream(
            self._client, deployment_id, camera_id, in_flight=in_flight, give_up_s=give_up_s, on_event=on_event
        )

    async def alerts(self, deployment_id: str, *, before: str | None = None) -> Mapping[str, Any]:
        """As `FieldUnit.alerts`."""
        return checked(await self._client.get(f"/v1/deployments/{deployment_id}/alerts", params=_page(before)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
