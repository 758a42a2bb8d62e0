"""Removes the keys of a test, after it and without a loop."""

from __future__ import annotations

import asyncio

from stockyard._store import prefix_keys
from stockyard._store.net.server_at import server_at
from stockyard.config import Settings
from stockyard.model.naming import Naming


def remove_keys(url: str, prefix: str) -> None:
    """Remove all keys of a prefix.

    Raises:
        ServerError: the server did not answer.
    """
    with asyncio.Runner() as runner:
        runner.run(_remove(url, prefix))


async def _remove(url: str, prefix: str) -> None:
    server = server_at(Settings.load(url, environ={}, dotenv=None).address)
    try:
        await prefix_keys.remove_keys(server, Naming(prefix))
    finally:
        await server.aclose()
