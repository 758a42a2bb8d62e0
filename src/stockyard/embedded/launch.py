"""Launches the guardian of a data folder, with the commands of the servers that it is to run."""

import json
import logging
import subprocess
import sys
from pathlib import Path

from stockyard.embedded import guardian
from stockyard.embedded.allocator import ServerBuild, build_of
from stockyard.embedded.binary import find_server
from stockyard.embedded.folder import Folder
from stockyard.embedded.guardian import ServerPlan
from stockyard.embedded.layout import HOST, NODE_TIMEOUT, Layout, Member
from stockyard.embedded.set_folder import NODES
from stockyard.errors import EmbeddedServerError

_SEVEN = 7  # the major version that brought some directives; an older server refuses to start on them
_SERVER_PAUSE, _SENTINEL_PAUSE = 0.05, 1.0
_NODE_PAUSE = 8.0
"""A node of a set that was killed stays away for longer than a failover takes, and comes back as a replica."""

_log = logging.getLogger(__name__)


def launch_guardian(folder: Folder, layout: Layout | None, *, appendonly: bool, delete: bool) -> None:
    """Start a guardian, and with it the servers; return when it guards, not when they answer.

    Args:
        folder: of the data.
        layout: of a set; None for a single server.
        appendonly: whether the servers keep their append-only files.
        delete: whether the folder goes with the last user.

    Raises:
        EmbeddedServerError: no server program, or this interpreter cannot run the guardian.
    """
    program = find_server()
    build = build_of(program)
    _log.debug("starting %s for %s, allocator %s", program, folder.path, build.preload or build.allocator)
    if layout is None:
        plans = [_server_plan(folder, program, build, appendonly=appendonly)]
    else:
        nodes = folder.path / NODES
        plans = [
            _member_plan(
                member, [str(program), *member_options(layout, member, nodes, build, appendonly=appendonly)]
            )
            for member in layout.members
        ]
    launched = subprocess.run(  # noqa: S603 - this interpreter, on our own file
        [
            sys.executable,
            "-IS",
            guardian.__file__,
            str(folder.path),
            "delete" if delete else "keep",
            build.preload or "",
            json.dumps(plans),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        check=False,
    )
    if launched.returncode:
        raise EmbeddedServerError(
            f"the guardian of {folder.path} could not be started by {sys.executable}: "
            f"{launched.stderr.decode(errors='replace').strip()}"
        )


def member_options(
    layout: Layout, member: Member, nodes: Path, build: ServerBuild, *, appendonly: bool = True
) -> list[str]:
    """Return the arguments that run a member of a set in its folder.

    Args:
        layout: the set.
        member: of it.
        nodes: the folder of its own, which holds its first files.
        build: the program's.
        appendonly: whether it keeps its append-only file.
    """
    place = nodes / member.name
    options = {"dir": str(place), "bind": HOST, "port": str(member.port)}
    if member.role == "sentinel":
        return [str(place / "valkey.conf"), "--sentinel", *_arguments(options)]
    options |= _data_options(build, appendonly=appendonly)
    options["repl-diskless-sync-delay"] = "0"
    if build.major >= _SEVEN:
        # All of a set stop together: none is left that could receive what a primary would wait to send.
        options["shutdown-timeout"] = "0"
    if layout.shape.kind == "cluster":
        options |= {
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(NODE_TIMEOUT),
            # Queues on other primaries go on while one is away.
            "cluster-require-full-coverage": "no",
        }
    return [str(place / "valkey.conf"), *_arguments(options)]


def _server_plan(folder: Folder, program: Path, build: ServerBuild, *, appendonly: bool) -> ServerPlan:
    options = {"dir": str(folder.path), "port": "0", "unixsocket": str(folder.socket), "unixsocketperm": "700"}
    options |= _data_options(build, appendonly=appendonly)
    return ServerPlan(
        name="the server",
        folder=".",
        lock=guardian.SERVER_LOCK,
        log=guardian.LOG,
        pause=_SERVER_PAUSE,
        command=[str(program), *_arguments(options)],
    )


def _member_plan(member: Member, command: list[str]) -> ServerPlan:
    place = f"{NODES}/{member.name}"
    return ServerPlan(
        name=member.name,
        folder=place,
        lock=guardian.MEMBER_LOCK.format(member.name),
        log=f"{place}/{guardian.LOG}",
        pause=_SENTINEL_PAUSE if member.role == "sentinel" else _NODE_PAUSE,
        command=command,
    )


def _data_options(build: ServerBuild, *, appendonly: bool) -> dict[str, str]:
    options = {
        "save": "",
        "appendonly": "yes" if appendonly else "no",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    if build.major >= _SEVEN:
        # A histogram for each command, kept on each call and read by nobody here.
        options["latency-tracking"] = "no"
    return options


def _arguments(options: dict[str, str]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name}", value)]
