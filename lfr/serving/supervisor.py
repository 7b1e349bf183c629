"""Runs the node and the application on this machine, and starts them again where they end.

A raylet or GCS that is killed never comes back by itself on a node of one, so
this process, which does not talk to Ray itself, watches the node and the
interface and begins anew.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import psutil

from lfr.errors import ServiceError, SettingsError
from lfr.serving.node import NodeSettings, forbid_core_dumps, node_environment
from lfr.serving.settings import AppArgs
from lfr.serving.starting import DeployTimes, StartTimes

__all__ = ["Supervisor"]

_LOOK_S, _NODE_LOOK_S = 1.0, 0.2
_SILENT_S = 15.0
_NODE_S, _STOP_S = 60.0, 4.0
_NODE_PARTS = ("gcs_server", "raylet")


@dataclass(eq=False)
class Supervisor:
    """One node with the application on it.

    Parameters
    ----------
    args
        Of the app, resolved.
    node
        Where it runs.
    host, port
        Where the interface listens.
    say
        Told what happens.
    deploy_within_s
        Seconds that the application may take to start once the node is up.

    Attributes
    ----------
    starts
        How often all of it was started.
    runs
        ``model`` and ``shadow`` that it was resolved to run: alias, version and digest; empty where that is not known.
    started
        Where the time of the last start went; None before the first.
    """

    args: AppArgs
    node: NodeSettings
    host: str = "127.0.0.1"
    port: int = 8000
    say: Callable[[str], None] = lambda _: None
    deploy_within_s: float = 240.0
    starts: int = 0
    runs: Mapping[str, Any] = field(default_factory=dict)
    started: StartTimes | None = None
    _process: subprocess.Popen[str] | None = None
    _deploying: subprocess.Popen[str] | None = None
    _done: threading.Event = field(default_factory=threading.Event)
    _roll: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Of the interface."""
        return f"http://{self.host}:{self.port}"

    @property
    def node_pid(self) -> int:
        """Process of the node, whose session all its processes share."""
        if self._process is None:
            raise ServiceError("the node is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.node.prepare()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start node and application, and return once it answers.

        Raises
        ------
        ServiceError
            The node or the application did not start; the message says why.
        SettingsError
            The application refused; the message is its own.
        """
        self.starts += 1
        forbid_core_dumps()
        environment = node_environment(self.node, os.environ)
        began = time.time()
        try:
            self.say("starting the Ray node")
            self._begin_to_deploy(environment)
            self._start_node(environment, tries=3)
            node = time.time()
            self.say("starting detector, embedder and interface")
            deployed = self._deploy()
            self._wait_for_answer()
            self.started = StartTimes(began, node, time.time(), deployed)
        except BaseException as error:
            self.stop()
            if isinstance(error, subprocess.TimeoutExpired):
                within = f"{self.deploy_within_s:.0f} seconds"
                raise ServiceError(f"the application did not start within {within}") from error
            raise

    def watch(self) -> None:
        """Watch until `close` is called, and start again where node or interface end.

        What ran once is tried again whatever refuses it now, such as a database that is away.
        """
        silent_since: float | None = None
        while not self._done.wait(_LOOK_S):
            try:
                silent_since = self._look(silent_since)
            except (ServiceError, SettingsError) as error:
                self.say(f"{error}; trying again")
                silent_since = None
            except Exception as error:  # noqa: BLE001 - were this to end, nobody would start the service again
                path = self.node.folder / "watch.log"
                with suppress(OSError):
                    path.write_text(traceback.format_exc(), encoding="utf-8")
                self.say(f"{type(error).__name__} ({path}); trying again")

    def _look(self, silent_since: float | None) -> float | None:
        """Roll where that was asked for, start again what ended; returns since when there has been no answer."""
        if self._roll.is_set():
            self._roll.clear()
            self.roll()
        ended = self._process is None or self._process.poll() is not None
        if not ended and self.answers():
            return None
        silent_since = silent_since or time.monotonic()
        if ended or time.monotonic() - silent_since > _SILENT_S:
            self.say("the Ray node ended" if ended else f"no answer for {_SILENT_S:.0f} seconds")
            self.stop()
            self.start()
            return None
        return silent_since

    def ask_to_roll(self) -> None:
        """Have `watch` roll; fit for a signal handler."""
        self._roll.set()

    def roll(self) -> bool:
        """Resolve aliases anew and deploy again, new replicas before the old ones end; whether that was done.

        Where it is refused or fails, what runs goes on, and the reason is said. Where it takes too long, nobody knows
        whether it was done or will be, and that is said.
        """
        self.say("rolling: resolving the model anew")
        before = self.runs
        try:
            self._begin_to_deploy(node_environment(self.node, os.environ))
            self._deploy()
        except subprocess.TimeoutExpired:
            self.runs = {}
            within = f"{self.deploy_within_s:.0f} seconds"
            self.say(
                f"not known whether it was rolled from {_named(before)}: no answer within {within}; ask /v1/models"
            )
            return False
        except (ServiceError, SettingsError) as error:
            self.say(f"not rolled, {_named(before)} goes on: {error}")
            return False
        self.say(f"rolled from {_named(before)} to {_named(self.runs)}")
        return True

    def close(self) -> None:
        """Have `watch` return."""
        self._done.set()

    def answers(self) -> bool:
        """Whether the interface answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/v1/healthz", timeout=2) as answer:  # noqa: S310 # our own URL
                return bool(answer.status == 200)
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> None:
        """End every process of the node: they share a session of their own."""
        deploying, self._deploying = self._deploying, None
        if deploying is not None:
            deploying.kill()
            deploying.communicate()
        self._stop_node()

    def _stop_node(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for kind, wait_s in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
            left = [found for found in psutil.process_iter() if _session_of(found.pid) == process.pid]
            for found in left:
                with suppress(psutil.Error):
                    found.send_signal(kind)
            alive = psutil.wait_procs(left, timeout=wait_s)[1]
            if not alive:
                break
        process.wait()

    def _start_node(self, environment: dict[str, str], *, tries: int) -> None:
        """Start the node; Ray gives up after 30 seconds, which a busy machine may need, so several times."""
        path = self.node.folder / "node.log"
        with path.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(  # noqa: S603 # our own command
                self.node.command(), env=environment, stdout=log, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip
        until, parts = time.monotonic() + _NODE_S, set[psutil.Process]()
        while time.monotonic() < until:
            if "Ray runtime started" in path.read_text(encoding="utf-8", errors="replace"):
                return
            # What starts the node would look for a part that has ended for as long as it may take.
            if self._process.poll() is not None or not all(map(_runs, parts)):
                break
            parts |= _parts_of(self._process.pid)
            time.sleep(0.1)
        if tries > 1:
            self._stop_node()
            self._start_node(environment, tries=tries - 1)
            return
        last = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise ServiceError(f"the Ray node did not start: {''.join(last) or 'no reason given'} ({path})")

    def _begin_to_deploy(self, environment: dict[str, str]) -> None:
        """Start the deploying process, whose imports and model need no node, so that they are there when it is."""
        asked = {"args": self.args.told(), "address": self.node.address, "host": self.host, "port": self.port}
        self._deploying = subprocess.Popen(
            [sys.executable, "-m", "lfr.serving.deploy"], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._deploying.stdin is not None, "it was asked for a pipe"
        with suppress(BrokenPipeError):  # it ended at once; `_deploy` says why
            self._deploying.stdin.write(json.dumps(asked) + "\n")
            self._deploying.stdin.flush()

    def _deploy(self) -> DeployTimes:
        """Let the deploying process go on, now that the node is up; what runs then is in `runs`.

        Raises
        ------
        subprocess.TimeoutExpired
            It did not say in time, and was ended; what it asked of the node may be done all the same.
        SettingsError, ServiceError
            As `start`.
        """
        deploying, self._deploying = self._deploying, None
        assert deploying is not None, "it was begun"
        try:
            printed, said = self._answer_of(deploying)
        except BaseException:
            deploying.kill()
            with deploying:  # waits, and closes its pipes, whatever was passed on so far
                raise
        if deploying.returncode == 0 and printed:
            document = json.loads(printed)
            self.runs = document["runs"]
            return DeployTimes.from_document(document["times"])
        lines = said.strip().splitlines()
        own = next((line.removeprefix("lfr: ") for line in reversed(lines) if line.startswith("lfr: ")), None)
        if own is not None:
            raise SettingsError(own)
        (self.node.folder / "deploy.log").write_text(said, encoding="utf-8")
        reason = lines[-1] if lines else "no reason given"
        raise ServiceError(f"the application did not start: {reason} ({self.node.folder / 'deploy.log'})")

    def _answer_of(self, deploying: subprocess.Popen[str]) -> tuple[str, str]:
        """What the deploying process printed and said; unless the node ends, for which Ray would look a minute."""
        until = time.monotonic() + self.deploy_within_s
        told: str | None = "the node is up\n"
        while True:
            try:
                return deploying.communicate(told, timeout=min(_NODE_LOOK_S, max(0.0, until - time.monotonic())))
            except subprocess.TimeoutExpired:
                told = None  # it was passed on
                if time.monotonic() >= until:
                    raise
            self._check_node("while the application was started on it")

    def _check_node(self, when: str) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise ServiceError(f"the Ray node ended {when}")

    def _wait_for_answer(self) -> None:
        until = time.monotonic() + _NODE_S
        while not self.answers():
            self._check_node("before the application answered")
            if time.monotonic() > until:
                raise ServiceError(f"{self.url}: no answer {_NODE_S:.0f} seconds after the start")
            time.sleep(0.1)


def _named(runs: Mapping[str, Any]) -> str:
    """Return which versions run, as people read it."""
    parts = [("", runs.get("model")), ("shadow ", runs.get("shadow"))]
    return ", ".join(f"{kind}{one['version']} ({one['digest'][:12]})" for kind, one in parts if one) or "what runs"


def _parts_of(pid: int) -> set[psutil.Process]:
    """Return the parts of a node that it cannot go on without, of those that there are by now."""
    try:
        return {child for child in psutil.Process(pid).children() if child.name() in _NODE_PARTS}
    except psutil.Error:
        return set()


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
