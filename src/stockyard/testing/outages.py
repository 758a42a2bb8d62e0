"""Outages of what is around an App: its Sentinel set changes its primary, its queues are halted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from stockyard._store.net.server_at import server_at
from stockyard._store.net.server_calls import ServerCalls
from stockyard.app.app import App
from stockyard.config import Address
from stockyard.errors import ConfigError, ServerError
from stockyard.model.duration import Duration
from stockyard.model.halt import Halt
from stockyard.testing.waiting import eventually


@asynccontextmanager
async def halted(app: App, queues: str, *, key: str | None = None) -> AsyncIterator[Halt]:
    """Halt queues by the kill switch within a block, and resume them behind it.

    Args:
        app: the App.
        queues: name of a queue, or a pattern with ``*`` and ``?``.
        key: halt jobs of this key alone. Defaults to all.

    Raises:
        InvalidOption: an argument is no text, or empty.
        ServerError: a server did not answer.
    """
    try:
        yield await app.halt(queues, key=key, reason="a test", by="a test")
    finally:
        await app.resume(queues, key=key, by="a test")


async def failover(app: App, *, within: Duration = "30s") -> None:
    """Let the Sentinels of an App's server make its replica the primary, and return when it is.

    Args:
        app: an App on a Sentinel set, such as that of the fixture ``stockyard_sentinel_url``.
        within: real time after which it gives up. Defaults to 30 s.

    Raises:
        ConfigError: its server is no Sentinel set.
        TimeoutError: the Sentinels did not agree on it in time.
    """
    address = app._runtime().server.address
    if address.kind != "sentinel":
        raise ConfigError(
            f"a failover needs a Sentinel set, such as that of the fixture stockyard_sentinel_url; got {address}"
        )
    servers = [server_at(sentinel) for sentinel in address.sentinels()]
    try:
        before = await _primary(servers, address)

        async def has_begun() -> bool:
            # Refused while the last failover is not over.
            try:
                await servers[0].call("SENTINEL", "FAILOVER", address.service)
            except ServerError:
                return await _primary(servers, address) != before
            return True

        async def is_over() -> bool:
            return await _primary(servers, address) != before and await _agree(servers, address)

        await eventually(has_begun, within=within)
        await eventually(is_over, within=within)
    finally:
        for server in servers:
            await server.aclose()


async def _primary(servers: Sequence[ServerCalls], address: Address) -> tuple[bytes, ...]:
    return tuple(await servers[0].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service))


async def _agree(servers: Sequence[ServerCalls], address: Address) -> bool:
    """Whether all Sentinels name the same primary."""
    named = {tuple(await each.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)) for each in servers}
    return len(named) == 1
