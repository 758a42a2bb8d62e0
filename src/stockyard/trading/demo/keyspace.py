"""Removes every key of the demo from its server."""

from __future__ import annotations

from stockyard._store.net.server import Server
from stockyard.config import Settings


async def remove_keys(settings: Settings) -> None:
    """Remove all keys under the prefix.

    Raises:
        ServerError: the server did not answer.
    """
    server = Server(settings.address, call_timeout=settings.call_timeout)
    cursor: bytes | str = "0"
    try:
        while True:
            cursor, keys = await server.call("SCAN", cursor, "MATCH", f"{settings.prefix}:*", "COUNT", 1000)
            if keys:
                await server.call("UNLINK", *keys)
            if int(cursor) == 0:
                return
    finally:
        await server.aclose()
