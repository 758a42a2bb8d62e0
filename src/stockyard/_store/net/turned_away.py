"""What a server says to a connection that sends nothing: why it turns new ones away."""

from __future__ import annotations

import contextlib
import socket

from stockyard._store.net.refusals import is_out_of_connections
from stockyard.config import Address

_SECONDS = 0.5


def is_turned_away(address: Address) -> bool:
    """Say whether a server has too many connections; blocks for up to half a second.

    It says so as soon as it accepts one, and closes it. Its message is lost where commands were on their way
    already, because it never reads them.
    """
    if address.scheme not in ("redis", "unix"):
        return False
    answer = b""
    with contextlib.suppress(OSError):
        if address.scheme == "unix":
            plain = socket.socket(socket.AF_UNIX)
        else:
            plain = socket.create_connection((address.host, address.port), _SECONDS)
        with plain:
            plain.settimeout(_SECONDS)
            if address.scheme == "unix":
                plain.connect(address.path or "")
            answer = plain.recv(200)
    return is_out_of_connections(answer.decode(errors="replace"))
