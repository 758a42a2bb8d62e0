"""Whether bytes of a connection still go out: a slow link must not pass for a dead server."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import NamedTuple

_BYTES_ACKED = slice(120, 128)
"""Where Linux writes ``tcpi_bytes_acked`` in ``struct tcp_info``."""


class Unsent(NamedTuple):
    """What is still to go out; two that differ show that bytes left meanwhile.

    Attributes:
        buffered: bytes that the process holds.
        queued: bytes that the kernel holds, unacknowledged ones included.
        acknowledged: bytes that the other side has confirmed since the connection was made; 0 where nobody counts.
    """

    buffered: int
    queued: int
    acknowledged: int


def unsent(plain: socket.socket | None, buffered: int = 0) -> Unsent | None:
    """Return what is still to go out, or None when nothing is.

    Args:
        plain: the connection's socket.
        buffered: bytes that the process holds for it.
    """
    queued = acknowledged = 0
    if plain is not None and plain.fileno() >= 0:
        queued = _queued(plain.fileno())
        acknowledged = _acknowledged(plain)
    return Unsent(buffered, queued, acknowledged) if buffered or queued else None


def _queued(descriptor: int) -> int:
    try:
        (size,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
    except OSError:
        return 0
    return int(size)


def _acknowledged(plain: socket.socket) -> int:
    try:
        facts = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
    except (OSError, AttributeError):
        return 0
    counted = facts[_BYTES_ACKED]
    return int.from_bytes(counted, "little") if len(counted) == 8 else 0
