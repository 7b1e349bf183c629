"""Nobody gets in, continued: guessed keys, stolen sessions, other sites, hostile ids, bombs; and no key in a log."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil
from sqlalchemy import func, select

import lfr
from lfr.access import PERMISSIONS
from lfr.database.base import Base
from lfr.serving.api.sessions import COOKIE
from tests.drills.door import OPEN, OWN, PROMISE, REFUSED, quick_key
from tests.drills.finding import Finding, Length, Problems
from tests.drills.ground import Interface
from tests.support.bombs import jpeg_of, png_of, png_with_text
from tests.support.hostile import HOSTILE
from tests.support.routes import every_route
from tests.support.served import ROLES, STRANGER, walk

__all__ = ["bombs", "guessing", "hostile_ids", "other_sites", "secrets_in_logs", "sessions", "statements", "timing"]

_GUESSES_PER_S, _MOST_GUESSES = 5.0, 1_000
_FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://testserver:8443"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://elsewhere.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver.elsewhere.example"},
)
_MOST_BOMB_S, _MOST_BOMB_MIB = 2.0, 256.0
_SETTING = re.compile(r"f['\"](PRAGMA|SET) ")  # statements that take no parameters
_RUNS_SQL = {"text", "exec_driver_sql", "execute", "executescript", "scalar", "scalars"}


def guessing(at: Interface, length: Length) -> Finding:
    """Guess at a key's secret: few guesses are looked at, the right one no sooner; an owner who was there goes on."""
    problems = Problems(PROMISE, "guesses at a key, as fast as they go")
    seconds = {"short": 1.0, "normal": 5.0, "long": 60.0}[length]
    key = quick_key(at)
    problems.expect(_models(at, key) == 200, "the owner's key is refused")
    looked_at, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        status = _models(at, _guess_at(key, problems.tries))
        problems.expect(status in REFUSED, f"a guess: {status}")
        looked_at += status == 401
    most = _GUESSES_PER_S * (time.monotonic() - began + 1) + 1
    problems.expect(looked_at <= most, f"{looked_at} guesses were looked at, over {most:.0f}")
    problems.expect(_models(at, key) == 200, "guesses locked the owner out")
    idle, found = _right_among_guesses(at)
    problems.expect(found == 429, f"the right one was looked at among the guesses: {found}")
    time.sleep(1.5 / _GUESSES_PER_S)
    problems.expect(_models(at, idle) == 200, "the owner is locked out when the guesses have ended")
    return problems.finding(f"{_GUESSES_PER_S:g} a second are looked at for each key, whoever sends them")


def timing(at: Interface, length: Length) -> Finding:
    """Time secrets that are wrong from the first character, and in the last one only."""
    problems = Problems(PROMISE, "time of secrets that are nearly right")
    rounds = {"short": 5, "normal": 25, "long": 200}[length]
    public, secret = _parts(at.made.keys["auditor"])
    near = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    far = ("A" if secret[0] != "A" else "B") + secret[1:][::-1]
    took: dict[str, list[float]] = {near: [], far: []}
    for _ in range(rounds):
        for guess in (near, far):
            at.service.memory = type(at.service.memory)()  # or guesses would soon not be looked at
            began = time.perf_counter()
            status = at.http.get("/v1/models", headers={"Authorization": f"Bearer {public}_{guess}"}).status_code
            took[guess].append(time.perf_counter() - began)
            problems.expect(status == 401, f"a wrong secret: {status}")
    ratio = median(took[near]) / median(took[far])
    problems.expect(0.5 < ratio < 2.0, f"nearly right takes {ratio:.2f} times as long")
    return problems.finding(f"nearly right takes {ratio:.2f} times as long as wrong, {median(took[far]) * 1e3:.0f} ms")


def sessions(at: Interface) -> Finding:
    """Fix, forge, keep and copy sessions."""
    problems = Problems(PROMISE, "sessions fixed beforehand, forged, kept after signing out")
    key = at.made.keys["operator"]
    planted = "Zm9v" * 40
    at.http.cookies.clear()
    began = at.http.post("/v1/session", json={"key": key}, headers={**OWN, "Cookie": f"{COOKIE}={planted}"})
    cookie = began.cookies[COOKIE]
    problems.expect(cookie != planted, "a session that was planted was taken over")
    attributes = set(began.headers["set-cookie"].split("; "))
    problems.expect({"HttpOnly", "SameSite=strict", "Path=/v1", "Secure"} <= attributes, f"cookie: {attributes}")
    problems.expect(key not in began.headers["set-cookie"] + began.text, "the key is in the cookie as it is")
    again = at.http.post("/v1/session", json={"key": key}, headers=OWN).cookies[COOKIE]
    problems.expect(again != cookie, "two sessions have one cookie")

    def status(value: str) -> int:
        at.http.cookies.clear()
        return at.http.get("/v1/session", headers={**OWN, "Cookie": f"{COOKIE}={value}"}).status_code

    problems.expect(status(cookie) == 200, "a session does not open")
    problems.expect(status(planted) == 401, "what was planted is a session")
    for place in range(0, len(cookie) - 4, 7):
        forged = cookie[:place] + ("A" if cookie[place] != "A" else "B") + cookie[place + 1 :]
        problems.expect(status(forged) == 401, f"a cookie with its character {place} changed is a session")
    at.http.delete("/v1/session", headers={**OWN, "Cookie": f"{COOKIE}={cookie}"})
    problems.expect(status(cookie) == 401, "a session goes on after signing out")
    at.http.cookies.clear()
    return problems.finding()


def other_sites(at: Interface) -> Finding:
    """Have every route that changes something called by another site with a session's cookie; and read from there."""
    problems = Problems(PROMISE, "another site uses an operator's session")
    cookie, _ = at.service.sessions.begin(at.made.keys["operator"])
    for route in every_route(at.app):
        if route.template in OPEN or route.method == "WEBSOCKET":
            continue
        if route.permission is not None and "operator" not in PERMISSIONS[route.permission]:
            continue
        for headers in _FOREIGN:
            if route.method == "GET" and headers.get("Sec-Fetch-Site") in {None, "none"} and "Origin" not in headers:
                continue  # a typed address: it shows its own page to its own user
            at.http.cookies.clear()
            sent = {**headers, "Cookie": f"{COOKIE}={cookie}"}
            status = at.http.request(route.method, route.path, headers=sent, content=b"{}").status_code
            problems.expect(status == 403, f"{route.method} {route.template} from {headers}: {status}")
    return problems.finding()


def hostile_ids(at: Interface) -> Finding:
    """Put paths, headers, statements and noise where ids stand, in every route, the console's files among them."""
    problems = Problems(PROMISE, "paths, headers and statements in place of ids")
    before = _rows(at)
    for kind, hostile in {**HOSTILE, "dots": "..%2f..%2f..%2flfr.db", "a file": "%2e%2e/%2e%2e/etc/passwd"}.items():
        for route in every_route(at.app):
            if "{" not in route.template or route.method == "WEBSOCKET":
                continue
            role = next((r for r in ROLES if route.permission and r in PERMISSIONS[route.permission]), "operator")
            headers = {**at.made.bearer(role), "Content-Type": "application/json"}
            answer = at.http.request(
                route.method, route.path.replace("none-0", hostile), headers=headers, content=b"{}"
            )
            where = f"{route.method} {route.template} with {kind}: {answer.status_code}"
            problems.expect(answer.status_code in {404, 405, 409, 422}, where)
            problems.expect("x-injected" not in answer.headers, f"{where}: a header was let in")
            problems.expect("root:" not in answer.text and "SQLite" not in answer.text, f"{where}: a file was served")
    problems.expect(_rows(at) == before, "rows of the database are others than before")
    return problems.finding()


def statements(source: Path = Path(lfr.__file__).parent) -> Finding:
    """Read every call that runs SQL in the product's source: its text is never put together; values are parameters."""
    problems = Problems(PROMISE, "SQL whose text is put together")
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in _RUNS_SQL:
                together = any(_put_together(part) for part in _choices(node.args[0]))
                problems.expect(not together, f"{path.name}, line {node.lineno}: SQL that is put together")
    return problems.finding()


def bombs(at: Interface) -> Finding:
    """Send pictures that are small and state to be huge, or unpack to much."""
    problems = Problems(PROMISE, "pixel and zip bombs")
    good = next(walk(STRANGER, frames=1))
    sides = (60_000, 20_000, 65_535)
    files = [("image/png", png_of(side, side)) for side in sides]
    files += [("image/jpeg", jpeg_of(good, side, side)) for side in sides]
    files += [("image/png", png_with_text(500))]
    url = f"/v1/deployments/{at.made.deployment_id}/cameras/north/frames"
    process, took = psutil.Process(), []
    for kind, content in files:
        before, began = process.memory_info().rss, time.perf_counter()
        answer = at.http.post(url, content=content, headers={**at.made.bearer("field_unit"), "Content-Type": kind})
        took.append(time.perf_counter() - began)
        grown = (process.memory_info().rss - before) / 2**20
        what = f"{kind} of {len(content):,} bytes: {answer.status_code}, {took[-1]:.1f} s, {grown:.0f} MiB"
        problems.expect(answer.status_code == 422 and took[-1] < _MOST_BOMB_S and grown < _MOST_BOMB_MIB, what)
    return problems.finding(f"refused within {max(took):.2f} s")


def secrets_in_logs(at: Interface) -> Finding:
    """Look for every key and every secret part of one in all that was logged so far, at lfr's most talkative level."""
    problems = Problems(PROMISE, "keys in what was logged")
    for said in at.said:
        for role, key in at.made.keys.items():
            problems.expect(_parts(key)[1] not in said, f"the key of {role}: {said[:80]}")
    return problems.finding(f"{len(at.said):,} lines were logged")


def drills(at: Interface, length: Length) -> Iterator[Finding]:
    """Return every drill of this module; the log is looked at last."""
    yield guessing(at, length)
    yield timing(at, length)
    yield sessions(at)
    yield other_sites(at)
    yield hostile_ids(at)
    yield statements()
    yield bombs(at)
    yield secrets_in_logs(at)


def _parts(key: str) -> tuple[str, str]:
    """A key's public part and its secret, in which there may be underscores too."""
    prefix, number, secret = key.split("_", 2)
    return f"{prefix}_{number}", secret


def _rows(at: Interface) -> dict[str, int]:
    with at.store.database.read() as session:
        tables = Base.metadata.sorted_tables
        return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def _right_among_guesses(at: Interface) -> tuple[str, int]:
    """Send a key that was not in use, right after the guess that was the last to be looked at; returns key and answer.

    Tried again where this machine took so long that the next one was due.
    """
    for _ in range(20):
        key, number = quick_key(at), 0
        while _models(at, _guess_at(key, number)) == 401 and number < _MOST_GUESSES:
            number += 1
        while _models(at, _guess_at(key, number)) == 429 and number < _MOST_GUESSES:
            number += 1
        began = time.monotonic()
        status = _models(at, key)
        if time.monotonic() - began < 0.5 / _GUESSES_PER_S:
            break
    return key, status


def _guess_at(key: str, number: int) -> str:
    return f"{key.rpartition('_')[0]}_{number:064x}"


def _models(at: Interface, key: str) -> int:
    return at.http.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _choices(text: ast.expr) -> list[ast.expr]:
    return [text.body, text.orelse] if isinstance(text, ast.IfExp) else [text]


def _put_together(text: ast.expr) -> bool:
    if isinstance(text, ast.BinOp):
        return any(
            isinstance(side, ast.JoinedStr) or _is_text(side) or _put_together(side) for side in (text.left, text.right)
        )
    if isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute):
        return text.func.attr in {"format", "join", "replace"} and _is_text(text.func.value)
    return isinstance(text, ast.JoinedStr) and not _SETTING.match(ast.unparse(text))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
