"""Removes every key of the demo from its server."""

from __future__ import annotations

from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.naming import Naming


async def remove_keys(settings: Settings) -> None:
    """Remove all keys under the prefix.

    Raises:
        ServerError: the server did not answer.
    """
    server = Server(settings.address, call_timeout=settings.call_timeout)
    naming = Naming(settings.prefix)
    cursor: bytes | str = "0"
    try:
        while True:
            cursor, keys = await server.call("SCAN", cursor, "MATCH", f"*{settings.prefix}*", "COUNT", 1000)
            own = [key for key in keys if naming.holds(key.decode(errors="replace"))]
            if own:
                await server.call("UNLINK", *own)
            if int(cursor) == 0:
                return
    finally:
        await server.aclose()
