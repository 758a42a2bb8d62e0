"""Keeps the layout of an embedded set in its data folder, and makes the files of its members."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from stockyard.embedded import guardian
from stockyard.embedded.folder import Folder
from stockyard.embedded.layout import BUS, HOST, Layout, SetShape
from stockyard.errors import EmbeddedServerError

_LAYOUT, _FORMED, _READY, NODES = "set.json", "formed", "ready", "nodes"
# Below the ports that systems give to outgoing connections, and so are those of the bus.
_PORTS = range(11_000, 22_000)
_PORT_TIMEOUT = 5.0
_POLL = 0.05


def read_layout(folder: Folder) -> Layout | None:
    """Return the layout of a folder's set; None where there is none.

    Raises:
        EmbeddedServerError: its file was changed by hand.
    """
    try:
        return Layout.from_json((folder.path / _LAYOUT).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddedServerError(
            f"{folder.path / _LAYOUT} cannot be read ({type(error).__name__}): remove the folder with its data, "
            "or name another one"
        ) from error


def layout_for(folder: Folder, shape: SetShape | None) -> Layout | None:
    """Return the layout to run for this shape, made when the folder is new; None for a single server.

    The caller holds the folder's start lock. While no guardian runs, a set that was never ready is made from
    nothing: its starter was killed, and nobody has used it.

    Raises:
        EmbeddedServerError: the folder holds something else, or another program uses one of the ports.
    """
    layout, is_guarded = read_layout(folder), folder.is_guarded
    if layout is not None and not is_guarded and not (folder.path / _FORMED).exists():
        layout = None
        shutil.rmtree(folder.path / NODES, ignore_errors=True)
        for name in (guardian.LOG, _LAYOUT):
            (folder.path / name).unlink(missing_ok=True)
    found = layout.shape if layout is not None else None
    if found != shape and (found is not None or _holds_server(folder)):
        raise EmbeddedServerError(
            f"{folder.path} holds {found or 'a single server'}, not {shape or 'a single server'}: give "
            f"{(shape.url if shape else 'embedded://')} another folder, or name this one by "
            f"{found.url if found else 'embedded://'}"
        )
    if shape is None or is_guarded:
        return layout
    if layout is not None:
        _await_ports(folder, layout)
        return layout
    layout = Layout.new(shape, free_ports(shape))
    try:
        make_files(layout, folder.path / NODES)
        _write(folder.path / _LAYOUT, layout.to_json())
    except OSError as error:
        raise folder.unusable(error) from error
    return layout


def mark_ready(folder: Folder) -> None:
    """Note that the set was ready: its data and its addresses stay, and those who join it now need not wait."""
    for name in (_FORMED, _READY):
        (folder.path / name).touch(mode=0o600)


def was_ready(folder: Folder) -> bool:
    """Say whether the set was ready since its guardian was launched, whatever has happened to members since."""
    return (folder.path / _READY).exists()


def forget_ready(folder: Folder) -> None:
    """Note that the set is about to be launched."""
    (folder.path / _READY).unlink(missing_ok=True)


def make_files(layout: Layout, nodes: Path) -> None:
    """Make the first files of all members, each in its folder below ``nodes``."""
    for member in layout.members:
        place = nodes / member.name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in layout.first_files(member).items():
            _write(place / name, text)


def free_ports(shape: SetShape) -> list[int]:
    """Choose a port for each member that is free, with that of the cluster's bus."""
    wanted = len(shape.roles())
    candidates = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    free = (port for port in candidates if all(_is_free(each) for each in _ports_of(port, shape)))
    chosen = [port for port, _ in zip(free, range(wanted), strict=False)]
    if len(chosen) < wanted:
        raise EmbeddedServerError(
            f"there are no {wanted} free ports from {_PORTS.start} to {_PORTS.stop - 1} for {shape}"
        )
    return chosen


def _holds_server(folder: Folder) -> bool:
    return bool({path.name for path in folder.path.iterdir()} - {"locks", guardian.PIN_MARK, NODES})


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(guardian.open_own(beside, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _await_ports(folder: Folder, layout: Layout) -> None:
    """Wait until the ports of a set that is to be started again are free, as they are soon after its end."""
    deadline = time.monotonic() + _PORT_TIMEOUT
    for member in layout.members:
        # Its own process, which outlived its guardian: the next guardian stops it.
        if guardian.is_locked(folder.path / guardian.MEMBER_LOCK.format(member.name)):
            continue
        for port in _ports_of(member.port, layout.shape):
            while not _is_free(port):
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"another program uses port {port}, which belongs to {member.name} of the set in "
                        f"{folder.path}: stop that program, or give {layout.shape.url} another folder"
                    )
                time.sleep(_POLL)


def _ports_of(port: int, shape: SetShape) -> tuple[int, ...]:
    return (port, port + BUS) if shape.kind == "cluster" else (port,)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        return True
    return False
