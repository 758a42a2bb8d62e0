"""`stockyard server`: the embedded server of this machine, started, looked at, stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App as Command
from cyclopts import Parameter

from stockyard import embedded
from stockyard.cli.display import show_facts, show_json
from stockyard.cli.options import AsJson

server = Command(name="server", help="Start, look at or stop the embedded server (embedded://).")

_Data = Annotated[Path | None, Parameter(name="--data", help="Its data folder. Defaults to this user's.")]


@server.command
def start(*, data: _Data = None, json: AsJson = False) -> None:
    """Start the server and keep it running until `stockyard server stop`."""
    _show(embedded.pin(data), json)


@server.command
def status(*, data: _Data = None, json: AsJson = False) -> int:
    """Show whether the server runs; the exit status is 0 when it does, else 1."""
    found = embedded.status(data)
    _show(found, json)
    return 0 if found.running else 1


@server.command
def stop(*, data: _Data = None, json: AsJson = False) -> None:
    """Stop the server; one that is in use stops after its last user."""
    _show(embedded.unpin(data), json)


def _show(found: embedded.ServerStatus, as_json: bool) -> None:
    facts = {
        "running": found.running,
        "pinned": found.pinned,
        "url": found.url,
        "data": str(found.data),
        "pid": None if found.pid is None else str(found.pid),
        "version": found.version,
        "memory": found.memory,
        "clients": found.clients,
    }
    if as_json:
        show_json({**facts, "pid": found.pid})
    else:
        show_facts(facts)
