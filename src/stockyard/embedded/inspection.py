"""Reads the status of an embedded server or set, without starting it."""

from dataclasses import dataclass
from pathlib import Path

from stockyard.embedded import probe, readiness
from stockyard.embedded.allocator import running_allocator
from stockyard.embedded.folder import Folder
from stockyard.embedded.layout import HOST, Layout, Member
from stockyard.embedded.set_folder import read_layout

_ROLES = {"master": "primary", "slave": "replica"}


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One look at a server process of a set; `role` and `pid` are `None` unless it answers."""

    name: str
    host: str
    port: int
    role: str | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One look at the embedded server of a data folder.

    `pid`, `version`, `allocator`, `memory` (bytes in use) and `clients` (open connections) are `None` unless it is
    running. Of a set, `members` are its processes, `memory` is that of all that hold data, `pid` and `clients` are
    `None`, and `problem` says what a running one lacks to be whole; it is empty when nothing is missing.
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
    members: tuple[MemberStatus, ...] = ()
    problem: str = ""


def status(data: Path | None = None) -> ServerStatus:
    """Look at the embedded server or set of a data folder without starting it.

    Args:
        data: The folder. Defaults to that of this user's project, for a single server.
    """
    folder = Folder.at(data)
    folder.check()
    pinned = folder.pin_mark.exists()
    layout = read_layout(folder)
    if layout is not None:
        return _set_status(folder, layout, pinned=pinned)
    info = probe.info(folder.socket, within=1.0)
    if not info:
        return ServerStatus(data=folder.path, url=folder.url, running=False, pinned=pinned)
    return ServerStatus(
        data=folder.path,
        url=folder.url,
        running=True,
        pinned=pinned,
        pid=int(info["process_id"]),
        version=_version(info),
        allocator=_allocator(info),
        memory=int(info["used_memory"]),
        clients=int(info["connected_clients"]) - 1,  # this look is one of them
    )


def _set_status(folder: Folder, layout: Layout, *, pinned: bool) -> ServerStatus:
    answers = [(member, probe.info((HOST, member.port), within=1.0)) for member in layout.members]
    # A port of a set that does not run may be another program's by now.
    running = folder.is_guarded and any(info for _, info in answers)
    if not running:
        members = tuple(_member(member, {}) for member in layout.members)
        return ServerStatus(folder.path, layout.url, running=False, pinned=pinned, members=members)
    holding = [info for member, info in answers if info and member.role != "sentinel"]
    return ServerStatus(
        data=folder.path,
        url=layout.url,
        running=True,
        pinned=pinned,
        version=_version(holding[0]) if holding else None,
        allocator=_allocator(holding[0]) if holding else None,
        memory=sum(int(info["used_memory"]) for info in holding),
        members=tuple(_member(member, info) for member, info in answers),
        problem=readiness.missing(layout, within=1.0),
    )


def _member(member: Member, info: dict[str, str]) -> MemberStatus:
    if not info:
        return MemberStatus(member.name, HOST, member.port)
    role = "sentinel" if member.role == "sentinel" else _ROLES[info["role"]]
    return MemberStatus(member.name, HOST, member.port, role, int(info["process_id"]))


def _version(info: dict[str, str]) -> str:
    return info.get("valkey_version") or info["redis_version"]


def _allocator(info: dict[str, str]) -> str:
    return running_allocator(int(info["process_id"]), info.get("mem_allocator", "unknown"))
