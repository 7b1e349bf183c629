"""The console as people meet it: the app on a port of its own, with real cameras, and Chromium in front of it."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import httpx
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from lfr.models import Model
from lfr.serving.api import Service, create_app
from lfr.serving.opening import ServedModel
from lfr.serving.settings import Limits, SourceUse
from tests.support.local_cameras import LocalCameras, LocalReader
from tests.support.served import LISTED, Served, walk

__all__ = ["ServedConsole", "chromium", "served_console", "violations"]

_STREAMS = itertools.count()


@dataclass
class ServedConsole:
    """The console on a port of this machine.

    Attributes
    ----------
    url
        Of the service.
    made
        Its store, people and keys.
    model
        That its lists are enrolled with.
    requested
        Every address that a page asked for.
    said
        What pages wrote to their console, and errors of their scripts.
    """

    url: str
    made: Served
    model: Model
    requested: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def call(self, role_or_key: str, method: str, path: str, body: object = None) -> Any:
        """Do something by the interface, as somebody else does beside the page."""
        key = self.made.keys.get(role_or_key, role_or_key)
        answer = httpx.request(
            method, f"{self.url}/v1{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        assert answer.is_success, answer.text
        return answer.json()

    def deployment(self) -> str:
        """Make a live deployment with a list of its own."""
        return self.made.another(self.model).deployment_id

    def walk_past(self, deployment_id: str, *, subject: str = LISTED, camera: str = "north") -> list[dict[str, Any]]:
        """Let somebody walk past a camera, and return the alerts."""
        url = f"{self.url}/v1/deployments/{deployment_id}/cameras/{camera}/frames"
        headers = {**self.made.bearer("field_unit"), "Content-Type": "image/jpeg", "X-Stream": f"walk-{next(_STREAMS)}"}
        began, alerts = datetime.now(UTC), []
        with httpx.Client(timeout=30) as client:
            for index, jpeg in enumerate(walk(subject)):
                at = (began + timedelta(seconds=index / 10)).isoformat()
                answer = client.post(url, content=jpeg, headers={**headers, "X-Index": str(index), "X-Captured-At": at})
                assert answer.is_success, answer.text
                alerts += answer.json()["alerts"]
        return alerts

    @contextmanager
    def page(self, browser: Browser, key: str, where: str, **context: Any) -> Iterator[Page]:
        """Sign somebody in, in a browser of their own, on a page of the console."""
        with self.context(browser, **context) as made:
            page = made.new_page()
            self.watch(page)
            page.goto(f"{self.url}/console#{where}")
            page.get_by_label("Your key").fill(self.made.keys.get(key, key))
            page.get_by_role("button", name="Sign in").click()
            page.locator("header.top").wait_for()
            yield page

    @contextmanager
    def context(self, browser: Browser, **given: Any) -> Iterator[BrowserContext]:
        """Open a window that shares nothing with others."""
        made = browser.new_context(viewport={"width": 1280, "height": 800}, **given)
        made.set_default_timeout(10_000)
        try:
            yield made
        finally:
            made.close()

    def watch(self, page: Page) -> None:
        """Keep what a page asks for and what goes wrong in it."""
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))


@contextmanager
def served_console(made: Served, model: Model, *, sources: Mapping[str, str] | None = None) -> Iterator[ServedConsole]:
    """Serve the app until this ends, with these addresses of sources by their names."""
    store = made.open()
    limits = Limits(requests_per_second=10_000)
    model_served = ServedModel("openvino-f32", "openvino-f32", model.digest)
    cameras = LocalCameras(store, LocalReader(model), limits=limits, sources=sources)
    app = create_app(Service(store, cameras, model_served, limits, sources=dict.fromkeys(sources or {}, SourceUse())))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the app did not start"
            time.sleep(0.02)
        try:
            yield ServedConsole(f"http://127.0.0.1:{listening.getsockname()[1]}", made, model)
        finally:
            cameras.close()
            server.should_exit = True
            thread.join(10)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium, without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path is not None, "chromium is not installed; .ci/run installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical on a page as it stands, by the rules of WCAG 2.2 A and AA."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
