"""What a server says to a connection that sends nothing: why it turns new ones away."""

from __future__ import annotations

import asyncio
import contextlib

from stockyard._store.net.refusals import is_out_of_connections
from stockyard.config import Address

_SECONDS = 0.5


async def is_turned_away(address: Address) -> bool:
    """Say whether a server has too many connections.

    It says so as soon as it accepts one, and closes it. Its message is lost where commands were on their way
    already, because it never reads them.
    """
    if address.scheme not in ("redis", "unix"):
        return False
    said = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            if address.scheme == "unix":
                reader, writer = await asyncio.open_unix_connection(address.path or "")
            else:
                reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                said = await reader.read(200)
            finally:
                writer.transport.abort()
    return is_out_of_connections(said.decode(errors="replace"))
