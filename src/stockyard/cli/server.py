"""`stockyard server`: the embedded server of this machine, started, looked at, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard import embedded
from stockyard._store.inspecting import read_server
from stockyard._store.net.server import Server
from stockyard.cli.display import show_facts, show_json
from stockyard.cli.options import AsJson, RedisUrl
from stockyard.config import Address, Settings, read_environment
from stockyard.errors import InvalidOption, ServerError

server = Command(name="server", help="Start, look at or stop the embedded server (embedded://).")

_DATA_HELP = (
    "Its data folder. Defaults to that of $REDIS_URL where this is embedded:///path, else to this project's."
)
_Data = Annotated[Path | None, Parameter(name="--data", help=_DATA_HELP)]


@server.command
def start(*, data: _Data = None, json: AsJson = False) -> None:
    """Start the server and keep it running until `stockyard server stop`."""
    _show(embedded.pin(data or _data_of_environment()), json)


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
        if address is not None and address.scheme != "embedded":
            return await _show_other(address, json)
        if address is not None and address.path:
            data = Path(address.path)
    found = embedded.status(data)
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
    """Stop the server; one that is in use stops after its last user."""
    _show(embedded.unpin(data or _data_of_environment()), json)


def _data_of_environment() -> Path | None:
    """Return the folder that REDIS_URL names; None is the project's.

    A REDIS_URL of another server names no folder, and does not keep a project from having a server of its own.
    """
    url = read_environment().get("REDIS_URL") or ""
    if not url.startswith("embedded:"):
        return None
    path = Settings.load(url).address.path
    return Path(path) if path else None


def _show(found: embedded.ServerStatus, as_json: bool) -> None:
    facts = {
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
    if as_json:
        show_json({**facts, "pid": found.pid})
    else:
        show_facts(facts)
