"""`stockyard server`: the embedded server or set of this machine, started, looked at, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard import embedded
from stockyard._store.inspecting import read_server
from stockyard._store.net.server import Server
from stockyard.cli.display import show_facts, show_json, show_table
from stockyard.cli.options import AsJson, RedisUrl
from stockyard.config import Address, Settings, read_environment
from stockyard.embedded import SetShape
from stockyard.embedded.project import default_data
from stockyard.errors import InvalidOption, ServerError

server = Command(
    name="server", help="Start, look at or stop the embedded server, Sentinel set or cluster (embedded://)."
)

_DATA_HELP = (
    "Its data folder. Defaults to that of $REDIS_URL where this is embedded:///path (or embedded+…:///path), else "
    "to this project's."
)
_Data = Annotated[Path | None, Parameter(name="--data", help=_DATA_HELP)]


_Sentinel = Annotated[
    bool, Parameter(name="--sentinel", negative="", help="Start a primary, its replica and three Sentinels.")
]
_Cluster = Annotated[
    int | None, Parameter(name="--cluster", help="Start a cluster of so many primaries, three or more.")
]
_Replicas = Annotated[
    int | None, Parameter(name="--replicas", help="Replicas of each primary of the cluster. Defaults to 1.")
]


@server.command
def start(
    *,
    data: _Data = None,
    sentinel: _Sentinel = False,
    cluster: _Cluster = None,
    replicas: _Replicas = None,
    json: AsJson = False,
) -> None:
    """Start a server, a Sentinel set or a cluster and keep it running until `stockyard server stop`.

    Without --sentinel and --cluster, what $REDIS_URL names, else a single server.
    """
    if sentinel and cluster is not None:
        raise InvalidOption("--sentinel and --cluster start different sets: give one of them")
    if replicas is not None and cluster is None:
        raise InvalidOption("--replicas belongs to --cluster")
    address = _embedded_address()
    shape = SetShape.of(address) if address and data is None else None
    if sentinel:
        shape = SetShape("sentinel")
    elif cluster is not None:
        shape = SetShape("cluster", cluster, 1 if replicas is None else replicas)
    if data is None and address and address.path and address.kind == (shape.kind if shape else "server"):
        data = Path(address.path)
    _show(embedded.pin(data, shape=shape), json)


@server.command
async def status(*, data: _Data = None, redis_url: RedisUrl = None, json: AsJson = False) -> int:
    """Show whether a server runs: that of --redis-url or $REDIS_URL, else the embedded one; the exit status is 0
    when it does, else 1."""
    if data is not None and redis_url is not None:
        raise InvalidOption(
            "--data is the folder of an embedded server, --redis-url names another: give one of them"
        )
    if data is None:
        url = redis_url or read_environment().get("REDIS_URL")
        address = Settings.load(url).address if url else None
        if address is not None and not address.is_embedded:
            return await _show_other(address, json)
    found = embedded.status(data or _existing_data(redis_url))
    _show(found, json)
    return 0 if found.running else 1


async def _show_other(address: Address, as_json: bool) -> int:
    asked = Server(address)
    try:
        seen = await read_server(asked)
    except ServerError as error:
        facts: dict[str, object] = {"running": False, "url": str(address), "problem": str(error)}
    else:
        facts = {
            "running": True,
            "url": str(address),
            "version": " ".join(filter(None, (seen.product, seen.version))) or None,
            "role": seen.role,
            "memory": seen.used_memory,
            "clients": seen.clients,
        }
    finally:
        await asked.aclose()
    if as_json:
        show_json(facts)
    else:
        show_facts(facts)
    return 0 if facts["running"] else 1


@server.command
def stop(*, data: _Data = None, json: AsJson = False) -> None:
    """Stop the server or set; one that is in use stops after its last user."""
    _show(embedded.unpin(data or _existing_data()), json)


def _embedded_address(url: str | None = None) -> Address | None:
    """Return the embedded address that a URL or REDIS_URL names.

    A REDIS_URL of another server names no folder, and does not keep a project from having a server of its own.
    """
    given = url or read_environment().get("REDIS_URL") or ""
    return Settings.load(given).address if given.startswith("embedded") else None


def _existing_data(url: str | None = None) -> Path:
    """Return the folder that a URL or REDIS_URL names, else the project's folder whose server or set runs.

    Raises:
        InvalidOption: more than one of them runs.
    """
    address = _embedded_address(url)
    if address is not None:
        kind = "" if address.kind == "server" else address.kind
        return Path(address.path) if address.path else default_data(kind)
    folders = [default_data(kind) for kind in ("", "sentinel", "cluster")]
    running = [folder for folder in folders if (found := embedded.status(folder)).running or found.pinned]
    if len(running) > 1:
        raise InvalidOption(f"several run: choose one by --data: {', '.join(map(str, running))}")
    return running[0] if running else folders[0]


def _show(found: embedded.ServerStatus, as_json: bool) -> None:
    facts: dict[str, object] = {
        "running": found.running,
        "pinned": found.pinned,
        "url": found.url,
        "data": str(found.data),
        "pid": None if found.pid is None else str(found.pid),
        "version": found.version,
        "allocator": found.allocator,
        "memory": found.memory,
        "clients": found.clients,
    }
    if found.members:
        facts["problem"] = found.problem or None
    if as_json:
        members = {"members": found.members} if found.members else {}
        show_json({**facts, "pid": found.pid, **members})
        return
    show_facts(facts)
    if found.members:
        rows = [
            [each.name, each.role or "does not run", f"{each.host}:{each.port}", str(each.pid or "")]
            for each in found.members
        ]
        show_table(["member", "role", "address", "pid"], rows, right=["pid"])
