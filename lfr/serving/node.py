"""The Ray node that lfr runs on: no face in its store or on its disk, a token at its door, and nobody told.

Ray's store is not cleared when an object is freed, and past its size it falls
back to files. So what is passed between processes travels inside the calls:
that, and that nothing spills, is the node's system configuration, which only
its start can set. `check_node` reads it back.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lfr.errors import RefusedError, SettingsError
from lfr.serving.proxy import check_proxy, proxy_program, write_proxy
from lfr.settings import read_settings

__all__ = [
    "LONGEST_FOLDER",
    "SYSTEM_CONFIG",
    "NodeSettings",
    "check_node",
    "check_process",
    "forbid_core_dumps",
    "free_port",
    "node_environment",
]

SYSTEM_CONFIG: dict[str, bool | int] = {
    "automatic_object_spilling_enabled": False,
    "max_direct_call_object_size": 16 << 20,
    "task_rpc_inlined_bytes_limit": 64 << 20,
    "task_events_report_interval_ms": 0,
    "enable_metrics_collection": False,
}
"""What a node must have been started with."""

_UNWANTED = "rfc3987_syntax"
_NOT_HERE = 'raise ImportError("for JupyterLab; Ray needs no grammar of addresses")\n'
"""JupyterLab brings this module, and jsonschema imports it where it finds it, and Ray jsonschema: 1.3 seconds of a core
in each of the node's dozen processes, for a check of addresses that nobody asks for."""

_CLEARS = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "RAY_USE_UVLOOP": "0"}
"""Has glibc overwrite memory as it is freed, in every process of the node: pictures that libraries are done with, among
it. Any byte but 0 does; 165 is the usual one (mallopt(3)). What waits in a thread's own cache to be given out again
would not be, so there is none; and uvloop keeps the last 250 kB that came in."""
_STORE_BYTES = 100_000_000
_REPLICA_PORTS = 50
LONGEST_FOLDER = 23
"""Characters of a node's folder: Ray puts sockets below it, and the proxy's, below ``proxy/`` and a node's 56 digits,
may have 97 characters in all."""


@dataclass(frozen=True)
class NodeSettings:
    """Where a node keeps its files, and how it is reached.

    Attributes
    ----------
    folder
        Of the node's own: logs, sockets, token; made with mode 0700.
    host
        Its machine, as other nodes reach it.
    port
        Of the head, if it is one.
    join
        ``host:port`` of the head that it joins; None: it is the head itself.
    cpus, gpus
        What it offers; None: what Ray finds.
    token
        File of the token, which all nodes have alike; None: one below the folder.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 6380
    join: str | None = None
    cpus: int | None = None
    gpus: int | None = None
    token: Path | None = None

    @property
    def address(self) -> str:
        """``host:port`` of the head, where a client finds it."""
        return self.join or f"{self.host}:{self.port}"

    @property
    def token_file(self) -> Path:
        """The only lock of Ray's ports."""
        return self.token or self.folder / "token"

    def prepare(self) -> None:
        """Make the folder and the token.

        Raises
        ------
        SettingsError
            The folder's path is too long for the sockets below it, or it cannot be written; or there is no HAProxy; or
            it is to join a head and has not that one's token.
        """
        if self.join is not None and not self.token_file.exists():
            raise SettingsError(f"{self.token_file}: there is no token; copy the one of the node at {self.join}")
        if len(str(self.folder)) > LONGEST_FOLDER:
            raise SettingsError(
                f"{self.folder}: {len(str(self.folder))} characters, and Ray's sockets below it allow "
                f"{LONGEST_FOLDER}; give a shorter folder"
            )
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.spill_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_proxy(self.proxy_folder)
            self.python_folder.mkdir(mode=0o700, exist_ok=True)
            (self.python_folder / f"{_UNWANTED}.py").write_text(_NOT_HERE, encoding="ascii")
            if not self.token_file.exists():
                self.token_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.token_file.touch(mode=0o600)
                self.token_file.write_text(secrets.token_hex(32), encoding="ascii")
        except OSError as error:
            raise SettingsError(f"{self.folder}: cannot be prepared: {error.strerror}") from error

    @property
    def proxy_folder(self) -> Path:
        """Where the proxy keeps its program, configuration and sockets."""
        return self.folder / "proxy"

    @property
    def python_folder(self) -> Path:
        """Where the node's processes look for modules first."""
        return self.folder / "python"

    @property
    def spill_folder(self) -> Path:
        """Where Ray would spill, if it spilled: memory, not disk."""
        shared = Path("/dev/shm")  # noqa: S108 # tmpfs
        return (shared if shared.is_dir() else self.folder) / f"lfr-spill-{os.getuid()}"

    def command(self, *, block: bool = True) -> list[str]:
        """Return the command that starts the node, and with ``block`` runs until it is ended."""
        head = [
            "--head", "--no-monitor", "--port", str(self.port), "--include-dashboard", "false",
            "--system-config", json.dumps(SYSTEM_CONFIG),
        ]  # fmt: skip
        words = [
            sys.executable, "-m", "ray.scripts.scripts", "start", *(["--block"] if block else []),
            *(head if self.join is None else ["--address", self.join]), "--node-ip-address", self.host,
            "--include-log-monitor", "false", "--disable-usage-stats",
            "--object-store-memory", str(_STORE_BYTES), "--temp-dir", str(self.folder),
            "--object-spilling-directory", str(self.spill_folder),
        ]  # fmt: skip
        for option, value in (("--num-cpus", self.cpus), ("--num-gpus", self.gpus)):
            if value is not None:
                words += [option, str(value)]
        return words


def forbid_core_dumps() -> None:
    """Have this process and all that it starts leave no core dump: it would hold whatever was in memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free_ports() -> int:
    """Return the first of as many ports in a row as replicas may need, on which nobody listens now."""
    while True:
        first = 20_000 + _REPLICA_PORTS * secrets.randbelow(200)
        if all(_is_free(port) for port in range(first, first + _REPLICA_PORTS)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def node_environment(node: NodeSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a node and of everybody who talks to it."""
    proxy = node.proxy_folder
    # Ray's fixed ports would keep a second service off this machine, or have one's proxy find the other's replicas: of
    # two that listen on one port, where it looks while it has no replica, either is asked. Ray gives replicas the
    # ports before MAX only, so that one is left for it.
    first = _free_ports()
    ports = {f"RAY_SERVE_HAPROXY_{name}_PORT": free_port() for name in ("STATS", "METRICS")} | {
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": first,
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": first + _REPLICA_PORTS - 1,
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": first + _REPLICA_PORTS - 1,
    }
    # A process that started another node has that one's environment, and two nodes with the same ports for their
    # replicas would have one's proxy find the other's.
    if environment.get("RAY_ADDRESS", node.address) != node.address:
        environment = {name: value for name, value in environment.items() if name not in ports}
    return {
        # How long a replica that has a successor stays reachable, for a proxy that has not heard of it yet.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "10",
        **{name: str(port) for name, port in ports.items()},
        **environment,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(node.python_folder), environment.get("PYTHONPATH")))),
        **_CLEARS,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(node.token_file),
        "RAY_ADDRESS": node.address,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.3",  # each turn takes 5 ms of a core, also where nothing happens
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(proxy_program(proxy)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(proxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(proxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(proxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(proxy / "server-state"),
    }


def check_node() -> None:
    """Raise unless the node that this process is connected to was started as lfr starts one.

    Raises
    ------
    RefusedError
        Its system configuration is another, it takes calls without a token, or its proxy or its processes keep what
        they are done with.
    """
    import ray  # noqa: PLC0415 # a process that only starts the node must not connect
    from ray._private.state import state  # noqa: PLC0415

    if os.environ.get("RAY_AUTH_MODE") != "token":
        raise RefusedError("RAY_AUTH_MODE is not token: a node without it is open to its network; start with make ray")
    config: dict[str, object] = state.get_system_config()  # type: ignore[no-untyped-call] # Ray has no public way
    for name, wanted in SYSTEM_CONFIG.items():
        if config.get(name) != wanted:
            raise RefusedError(
                f"the Ray node was started with {name}={config.get(name)}, and faces stay out of its store only with "
                f"{wanted}; start it with make ray or lfr serve"
            )
    check_proxy(os.environ)
    check_process()
    if not _asks_for_token(ray.get_runtime_context().gcs_address):
        raise RefusedError("the Ray node takes calls without a token; start it with make ray or lfr serve")


def check_process() -> None:
    """Raise unless this process is of a node that lfr started: of several nodes each is asked, by each part on it.

    Raises
    ------
    RefusedError
        It keeps what it frees.
    """
    if any(os.environ.get(name) != value for name, value in _CLEARS.items()):
        raise RefusedError(
            "the Ray node's processes keep what they free, so pictures would stay in their memory; start every node "
            "with make ray, python -m lfr.serving.node or lfr serve"
        )


def _asks_for_token(address: str) -> bool:
    import grpc  # noqa: PLC0415

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            call(b"", timeout=5)
        except grpc.RpcError as error:
            return bool(error.code() == grpc.StatusCode.UNAUTHENTICATED)
    return False


def main() -> int:
    """Start a node in the background, for `serve run serve/dev.yaml`; `make ray` calls this.

    Of several machines one is the head, and the others join it: --host ADDRESS --join HEAD:6379 --token FILE.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lfr.serving.node",
        description=main.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=6379, help="of the head  [default: 6379]")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address of this machine that the other nodes reach  [default: 127.0.0.1]"
    )
    parser.add_argument("--join", metavar="HOST:PORT", help="join the head there  [default: be the head]")
    parser.add_argument(
        "--token",
        type=Path,
        metavar="FILE",
        default=Path.home() / ".ray" / "auth_token",  # where Ray's own clients look
        help="token of all the nodes; the head makes it, the others have a copy  [default: ~/.ray/auth_token]",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        default=Path(tempfile.gettempdir()) / "ray",
        help="of the node's logs and sockets; each node its own  [default: ray among temporary files]",
    )
    given = parser.parse_args()
    node = NodeSettings(given.folder, host=given.host, port=given.port, join=given.join, token=given.token)
    forbid_core_dumps()
    try:
        node.prepare()
        # The application is built in one of the node's processes, which knows the node's environment and no other.
        environment = {**node_environment(node, os.environ), "LFR_HOME": str(read_settings().home.absolute())}
    except SettingsError as error:
        sys.stderr.write(f"lfr: {error}\n")
        return 2
    code = subprocess.run(node.command(block=False), env=environment, check=False).returncode  # noqa: S603
    if code == 0:
        then = "next: serve run serve/dev.yaml" if node.join is None else f"it has joined {node.join}"
        sys.stdout.write(f"the node runs; {then}; `ray stop` ends every node of this machine\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
