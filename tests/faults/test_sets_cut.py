"""The network between a worker and one node of a cluster is cut: queues on the other nodes go on."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from stockyard import Worker
from stockyard._store.net.slots import slot_of
from stockyard.model.naming import Naming
from stockyard.testing.proxy import Proxy
from tests.faults.sets_load import Load
from tests.support.contention import contention
from tests.support.sets import ClusterSet, Node
from tests.support.waiting import eventually, stays, ticks
from tests.support.yard import Yard

CUT = 5.0
"""Seconds."""

FOLLOWS_WITHIN = 2.0


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterSet]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = ClusterSet(Path(data), replicas=0)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


def places(servers: ClusterSet, node: Node) -> list[tuple[int, int, int]]:
    """Return the slots that a node says each node has: the first, the last, and the node's port."""
    with servers.client(node) as client:
        return [(first, last, at[1]) for first, last, at, *_ in client.execute_command("CLUSTER", "SLOTS")]


@pytest.fixture
async def proxies(servers: ClusterSet) -> AsyncIterator[dict[int, Proxy]]:
    """What stands before each node, by its port; the nodes name no other place."""
    async with AsyncExitStack() as opened:
        proxies: dict[int, Proxy] = {}
        for node in servers.nodes:
            proxy = await opened.enter_async_context(Proxy(f"redis://{node.host}:{node.port}"))
            proxies[proxy.port] = proxy
            with servers.client(node) as client:
                client.config_set("cluster-announce-port", proxy.port)
        ports = set(proxies)
        await eventually(
            lambda: all({port for *_, port in places(servers, node)} == ports for node in servers.nodes)
        )
        yield proxies


def failing(worker: Worker) -> set[str]:
    """Return which of a worker's checks fail now."""
    return {check.name.rpartition(": ")[2] for check in worker.health_checks() if not check.ok}


@pytest.mark.long
async def test_other_queues_go_on_and_this_one_when_the_cut_is_over(
    servers: ClusterSet, proxies: dict[int, Proxy]
) -> None:
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in proxies)
    slots = places(servers, servers.nodes[0])

    def proxy_of(queue: str) -> Proxy:
        slot = slot_of(Naming("t", "family").place(queue))
        return next(proxies[port] for first, last, port in slots if first <= slot <= last)

    async with Yard(url, "t", call_timeout=2) as yard:
        cut = proxy_of("q")
        other = next(name for name in map("other{}".format, range(30)) if proxy_of(name) is not cut)
        async with Load(yard) as load, Load(yard, other) as beside:
            began = time.monotonic()
            cut.hold()
            took: list[float] = []

            async def call() -> None:
                async for _ in ticks(0.05):
                    asked = time.monotonic()
                    await beside.queue.is_paused()
                    took.append(time.monotonic() - asked)

            calling = asyncio.create_task(call())
            try:
                # Calls that failed before may have said so, and are over; the wait for jobs is cut off as well.
                await eventually(lambda: "taking" in failing(load.worker))
                await stays(lambda: bool(failing(load.worker)), during=CUT)
            finally:
                # Workers that cannot reach their server would not stop.
                cut.release()
            back = time.monotonic()
            follows = await load.goes_on(back)
            calling.cancel()
            gap, fate = load.gap(began), await load.settle()
            beside_gap = beside.gap(began)
            beside_fate = await beside.settle()
        busy = await contention()
        print(
            f"\ncut for {back - began:.1f} s: goes on {follows:.2f} s after it, longest gap {gap:.2f} s; {fate}"
            f"\n  on another: longest call {max(took):.2f} s, longest gap {beside_gap:.2f} s; {beside_fate}"
        )
        assert follows < FOLLOWS_WITHIN * busy
        assert max(took) < busy
        assert beside_gap < busy
        assert (fate.lost, fate.doubled, beside_fate.lost, beside_fate.doubled) == (0, 0, 0, 0)
