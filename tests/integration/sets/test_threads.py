"""Threads without a loop follow a failover, though nobody watches their connections."""

import asyncio
import time
from collections.abc import Callable

import pytest

from stockyard._aio.direct import run_to_end
from stockyard._store.net.blocking_server import blocking_server_at
from stockyard._store.net.server import Server
from stockyard._store.net.server_at import server_at
from stockyard._store.net.server_calls import ServerCalls
from stockyard.config import Address, Settings
from stockyard.errors import ReplyLost
from tests.support.contention import contention
from tests.support.sets import ClusterSet, Node, SentinelSet
from tests.support.waiting import eventually

KEY = "{t}:key"
TIMEOUT = 2.0
THREADS = 4


def _for_threads(address: Address) -> ServerCalls:
    return server_at(address, call_timeout=TIMEOUT)


def _for_the_process_that_renews_leases(address: Address) -> ServerCalls:
    return blocking_server_at(address, call_timeout=TIMEOUT)


def connect(server: ServerCalls) -> None:
    """Open connections for several threads, and let nobody use them."""
    write(server, 0)
    pool = run_to_end(server.at(KEY))._pool()
    taken = [run_to_end(pool.take(TIMEOUT))[0] for _ in range(THREADS)]
    for connection in taken:
        pool.give_back(connection)


def write(server: ServerCalls, number: int) -> object:
    return run_to_end(server.call("SET", KEY, number))


def lose(server: ServerCalls) -> float:
    """Return how many seconds a call takes that the frozen server does not answer."""
    began = time.monotonic()
    with pytest.raises(ReplyLost):
        write(server, 0)
    return time.monotonic() - began


def primary(servers: ClusterSet | SentinelSet) -> Node:
    return servers.primary() if isinstance(servers, SentinelSet) else servers.primary_of(KEY)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
@pytest.mark.parametrize("make", [_for_threads, _for_the_process_that_renews_leases])
async def test_a_primary_that_was_frozen_and_replaced(
    make: Callable[[Address], ServerCalls], kind: str, request: pytest.FixtureRequest
) -> None:
    servers: ClusterSet | SentinelSet = request.getfixturevalue(f"{kind}_set")
    server = make(Settings.load(servers.url, dotenv=None).address)
    await asyncio.to_thread(connect, server)
    old = primary(servers)
    servers.freeze(old)
    try:
        # Its reply is lost: nobody sends it again.
        took = await asyncio.to_thread(lose, server)
        assert took < TIMEOUT + 0.5 * await contention()
        await eventually(lambda: asyncio.to_thread(lambda: primary(servers) != old), within=40, every=0.1)
        # Neither to the frozen one nor, one after the other, on each connection that is left of it.
        for number in range(THREADS):
            assert await asyncio.to_thread(write, server, number) == b"OK"
        with servers.client(primary(servers)) as client:
            assert client.get(KEY) == str(THREADS - 1)
    finally:
        servers.thaw(old)
        await asyncio.to_thread(servers.wait_ready)
        if isinstance(server, Server):
            server.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
@pytest.mark.parametrize("make", [_for_threads, _for_the_process_that_renews_leases])
async def test_a_primary_that_was_replaced_between_two_calls(
    make: Callable[[Address], ServerCalls], kind: str, request: pytest.FixtureRequest
) -> None:
    servers: ClusterSet | SentinelSet = request.getfixturevalue(f"{kind}_set")
    server = make(Settings.load(servers.url, dotenv=None).address)
    await asyncio.to_thread(connect, server)
    old = primary(servers)
    servers.freeze(old)
    try:
        await eventually(lambda: asyncio.to_thread(lambda: primary(servers) != old), within=40, every=0.1)
        # It is not sent where the primary was: no reply is lost.
        assert await asyncio.to_thread(write, server, 7) == b"OK"
        with servers.client(primary(servers)) as client:
            assert client.get(KEY) == "7"
    finally:
        servers.thaw(old)
        await asyncio.to_thread(servers.wait_ready)
        if isinstance(server, Server):
            server.close()
