"""Asks a server whether it answers and what it is, without a Redis client."""

import socket
from pathlib import Path

Place = Path | tuple[str, int]
"""A unix socket, or a host and a port."""


def answers(place: Place, *, within: float) -> bool:
    """Say whether the server there is ready to serve: it may be absent, loading its data or paused."""
    return _ask(place, "PING", within).startswith(b"+PONG")


def info(place: Place, *, within: float) -> dict[str, str]:
    """Read the fields of the server's `INFO`; empty when it does not answer."""
    return _fields(_ask(place, "INFO", within))


def cluster_info(place: Place, *, within: float) -> dict[str, str]:
    """Read the fields of the server's `CLUSTER INFO`; empty when it does not answer, or is in no cluster."""
    return _fields(_ask(place, "CLUSTER INFO", within))


def _fields(reply: bytes) -> dict[str, str]:
    header, _, body = reply.partition(b"\r\n")
    if not header.startswith(b"$"):
        return {}
    lines = body.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _ask(place: Place, command: str, within: float) -> bytes:
    """Send one inline command and return the whole reply: one line, or a text with its length before it."""
    family, where = (socket.AF_UNIX, str(place)) if isinstance(place, Path) else (socket.AF_INET, place)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(within)
            connection.connect(where)
            connection.sendall(command.encode() + b"\r\n")
            with connection.makefile("rb") as replies:
                header: bytes = replies.readline()
                return header + (replies.read(int(header[1:])) if header.startswith(b"$") else b"")
    except OSError:
        return b""
