"""Removes every key of the demo from its server."""

from __future__ import annotations

from stockyard._store import prefix_keys
from stockyard._store.net.server_at import server_at
from stockyard.config import Settings
from stockyard.model.naming import Naming


async def remove_keys(settings: Settings) -> None:
    """Remove all keys under the prefix.

    Raises:
        ServerError: the server did not answer.
    """
    server = server_at(settings.address, call_timeout=settings.call_timeout)
    try:
        await prefix_keys.remove_keys(server, Naming(settings.prefix))
    finally:
        await server.aclose()
