"""Removes every key of the demo from its server."""

from __future__ import annotations

from stockyard._store.net.server_at import server_at
from stockyard._store.net.server_calls import ServerCalls
from stockyard.config import Settings
from stockyard.model.naming import Naming


async def remove_keys(settings: Settings) -> None:
    """Remove all keys under the prefix.

    Raises:
        ServerError: the server did not answer.
    """
    server = server_at(settings.address, call_timeout=settings.call_timeout)
    naming = Naming(settings.prefix)
    try:
        for node in await server.primaries():
            await _remove_from(node, naming)
    finally:
        await server.aclose()


async def _remove_from(node: ServerCalls, naming: Naming) -> None:
    cursor: bytes | str = "0"
    while True:
        cursor, keys = await node.call("SCAN", cursor, "MATCH", f"*{naming.prefix}*", "COUNT", 1000)
        # One by one: two keys of a cluster's node may lie in two slots.
        if own := [("UNLINK", key) for key in keys if naming.holds(key.decode(errors="replace"))]:
            await node.ask(own)
        if int(cursor) == 0:
            return
