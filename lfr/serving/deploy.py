"""Put the application on a node: run as a process of its own, because one that talks to Ray ends when Ray does."""

from __future__ import annotations

import logging
import sys

import ray
from ray import serve

from lfr.errors import LfrError
from lfr.serving.app import Built, made
from lfr.serving.fleet import APP_NAME, NAMESPACE
from lfr.serving.settings import AppArgs

__all__ = ["deploy", "main"]


def deploy(args: AppArgs, *, address: str, host: str, port: int) -> Built:
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

    Returns
    -------
    What runs now.

    Raises
    ------
    LfrError
        As `lfr.serving.app.build`.
    """
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    serve.start(http_options={"host": host, "port": port}, proxy_location="HeadOnly")
    built = made(args)
    serve.run(built.application, name=APP_NAME, route_prefix="/")
    return built


def main() -> None:
    """Deploy with the arguments in one JSON document on standard input: ``args``, ``address``, ``host``, ``port``.

    What runs then is one JSON line on standard output: ``model`` and ``shadow``.
    """
    import json  # noqa: PLC0415

    asked = json.loads(sys.stdin.read())
    try:
        built = deploy(
            AppArgs.model_validate(asked["args"]), address=asked["address"], host=asked["host"], port=asked["port"]
        )
    except LfrError as error:
        sys.stderr.write(f"lfr: {error}\n")
        sys.exit(2)
    shadow = built.shadow.as_dict() if built.shadow is not None else None
    sys.stdout.write(json.dumps({"model": built.model.as_dict(), "shadow": shadow}) + "\n")


if __name__ == "__main__":
    main()
