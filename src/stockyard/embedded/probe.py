"""Asks a server on a unix socket whether it answers and what it is, without a Redis client."""

import socket
from pathlib import Path


def answers(path: Path, *, within: float) -> bool:
    """Say whether the server there is ready to serve: it may be absent, loading its data or paused."""
    return _ask(path, b"PING\r\n", within).startswith(b"+PONG")


def info(path: Path, *, within: float) -> dict[str, str]:
    """Read the fields of the server's `INFO`; empty when it does not answer."""
    header, _, body = _ask(path, b"INFO\r\n", within).partition(b"\r\n")
    if not header.startswith(b"$"):
        return {}
    lines = body.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _ask(path: Path, command: bytes, within: float) -> bytes:
    """Send one inline command and return the whole answer, which ends when the server hangs up."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(within)
            connection.connect(str(path))
            connection.sendall(command + b"QUIT\r\n")
            return b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return b""
