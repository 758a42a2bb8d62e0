"""Reads the status of an embedded server, without starting it."""

from dataclasses import dataclass
from pathlib import Path

from stockyard.embedded import probe
from stockyard.embedded.allocator import running_allocator
from stockyard.embedded.folder import Folder


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One look at the embedded server of a data folder.

    `pid`, `version`, `allocator`, `memory` (bytes in use) and `clients` (open connections) are `None` unless it is
    running.
    """

    data: Path
    url: str
    running: bool
    pinned: bool
    pid: int | None = None
    version: str | None = None
    allocator: str | None = None
    memory: int | None = None
    clients: int | None = None


def status(data: Path | None = None) -> ServerStatus:
    """Look at the embedded server of a data folder (default: that of this user's project) without starting it."""
    folder = Folder.at(data)
    folder.check()
    info = probe.info(folder.socket, within=1.0)
    pinned = folder.pin_mark.exists()
    if not info:
        return ServerStatus(data=folder.path, url=folder.url, running=False, pinned=pinned)
    pid = int(info["process_id"])
    return ServerStatus(
        data=folder.path,
        url=folder.url,
        running=True,
        pinned=pinned,
        pid=pid,
        version=info.get("valkey_version") or info["redis_version"],
        allocator=running_allocator(pid, info.get("mem_allocator", "unknown")),
        memory=int(info["used_memory"]),
        clients=int(info["connected_clients"]) - 1,  # this look is one of them
    )
