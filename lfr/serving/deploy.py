"""Put the application on a node: run as a process of its own, because one that talks to Ray ends when Ray does.

It begins while the node starts: its imports and the model's digest need no node.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

import ray
from ray import serve

from lfr.errors import LfrError
from lfr.serving.actors import APP_NAME, NAMESPACE
from lfr.serving.app import PARTS, Prepared, application, check_may_run, prepared
from lfr.serving.node import check_node
from lfr.serving.settings import AppArgs
from lfr.serving.starting import DeployTimes, Opened

__all__ = ["answer_alone", "deploy", "main"]


def deploy(
    args: AppArgs, *, address: str, host: str, port: int, wait_for_node: Callable[[], object]
) -> tuple[Prepared, DeployTimes]:
    """Connect to a node, start Serve's proxy, and run the application; it stays when this process ends.

    Where it runs already, new replicas take the place of the old ones, which end once the new ones are up.

    Parameters
    ----------
    args
        Of the app.
    address
        Of the node's head.
    host, port
        Where the interface listens.
    wait_for_node
        Returns once the node is up.

    Returns
    -------
    What runs now, and what was done when.

    Raises
    ------
    LfrError
        As `lfr.serving.app.build`.
    """
    found = prepared(args)
    ready = time.time()
    wait_for_node()
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    check_node()
    serve.start(http_options={"host": host, "port": port}, proxy_location="HeadOnly")
    proxied = time.time()
    check_may_run(found)
    serve.run(application(found), name=APP_NAME, route_prefix="/")
    ran = time.time()
    return found, DeployTimes(ready, proxied, ran, {name: _opened(name) for name in PARTS})


def _opened(part: str) -> Opened:
    opened = serve.get_deployment_handle(part, APP_NAME).opened.remote().result()
    assert isinstance(opened, Opened), "every part that is asked says when it had opened what it needs"
    return opened


def main() -> None:
    """Deploy with a line of JSON on standard input: ``args``, ``address``, ``host``, ``port``.

    The next line, whatever it holds, says that the node is up. Prints what runs and what was done when, in a line of
    JSON, and nothing else.
    """
    answer = answer_alone()
    asked = json.loads(sys.stdin.readline())
    args = AppArgs.model_validate(asked.pop("args"))
    try:
        runs, times = deploy(args, **asked, wait_for_node=sys.stdin.readline)
    except LfrError as error:
        sys.stderr.write(f"lfr: {error}\n")
        sys.exit(2)
    answer.write(json.dumps({"runs": runs.as_dict(), "times": asdict(times)}) + "\n")
    answer.flush()


def answer_alone() -> TextIO:
    """Return standard output, and let whatever else this process prints, as Ray does of a node that ended, be error."""
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answer


if __name__ == "__main__":
    main()
