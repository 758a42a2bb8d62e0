"""Readers with connections of their own read on in a slot that is being moved, and after it has moved."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from stockyard import Channel
from stockyard._store.channels.durable import DurableConnection
from stockyard._store.jobs import managing
from stockyard._store.jobs.streams import EventStream
from stockyard.errors import SlotMoving
from tests.integration.sets.half_moved import COMPACT, Stage
from tests.integration.sets.moves import migrate, move_key_by_key
from tests.scripts.consumers import publish
from tests.support.sets import ClusterSet
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterSet]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = ClusterSet(Path(data), replicas=0, options=COMPACT)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


@pytest.fixture
async def stage(servers: ClusterSet) -> AsyncIterator[Stage]:
    stage = Stage(servers)
    try:
        yield stage
    finally:
        await stage.aclose()


async def test_events_are_read_where_the_slot_is_being_moved_to(stage: Stage) -> None:
    await stage.fill()
    stream = EventStream(stage.queue)
    await stream.start()
    await managing.publish_event(stage.queue, "mine", {"a": "b"})
    with stage.moving([stage.queue.keys["events"].encode()]):
        entries, gap = await stream.read(0.01)
        assert ([each.name for each in entries], gap) == (["mine"], None)
        assert await stream.read(0.01) == ([], None), "a look at the whole stream"
        late = EventStream(stage.queue, "0-0")
        await late.start()
        assert (await late.read(0.01))[0][-1] == entries[-1]
        await late.close()
    await stream.close()


async def test_messages_are_read_where_the_slot_is_being_moved_to(stage: Stage) -> None:
    await stage.fill()
    connection = DurableConnection(stage.channel)
    with stage.moving([stage.channel.keys.messages.encode()]):
        messages = await connection.follow("0-0", 0.01)
        assert [each.id for each in messages] == stage.messages
        with pytest.raises(SlotMoving):
            await connection.take(
                "g",
                "me",
                after=None,
                fresh=1,
                claims=0,
                idle_ms=60_000,
                attempts=3,
                reported=0,
                behind=stage.messages[-1],
                seconds=0.01,
            )
        assert await connection.follow(stage.messages[-1], 0.01) == []
    await connection.close()


@pytest.mark.parametrize("move", [migrate, move_key_by_key], ids=["whole", "key by key"])
async def test_a_reader_that_waits_follows_the_slot(move: Any, servers: ClusterSet) -> None:
    async with Yard(servers.url, "t") as yard:
        queue = yard.queue()._keyspace
        key = queue.keys["events"]
        old = servers.primary_of(key)
        new = next(node for node in servers.nodes if node != old)
        await managing.publish_event(queue, "first", {})
        stream = EventStream(queue, "0-0")
        await stream.start()
        await stream.read(0.01)
        waiting = asyncio.create_task(stream.read(20))
        await eventually(lambda: _waits(servers))
        async with move(servers, key, old, new):
            pass
        await managing.publish_event(queue, "second", {})
        entries, gap = await waiting
        if not entries:
            # The move woke it.
            entries, gap = await stream.read(20)
        assert ([each.name for each in entries], gap) == (["second"], None)
        await stream.close()


def _waits(servers: ClusterSet) -> bool:
    for node in servers.nodes:
        with servers.client(node) as client:
            if any(each["cmd"] == "xread" and "b" in each["flags"] for each in client.client_list()):
                return True
    return False


async def test_a_durable_channel_follows_its_slot(servers: ClusterSet) -> None:
    stage = Stage(servers)
    try:
        await stage.fill()
        connection = DurableConnection(stage.channel)
        assert await connection.follow("0-0", 0.01)
        old = servers.primary_of(stage.channel.keys.messages)
        new = next(node for node in servers.nodes if node != old)
        async with migrate(servers, stage.channel.keys.messages, old, new):
            pass
        (added,) = await publish(stage.channel, b"w")
        assert [each.id for each in await connection.follow(stage.messages[-1], 5)] == [added]
        await connection.close()
    finally:
        await stage.aclose()


async def test_a_live_channel_of_nodes_without_replicas(servers: ClusterSet) -> None:
    async with Yard(servers.url, "t") as yard:
        for number in range(6):
            channel = yard.app.channel(Channel(f"live{number}", int))
            async with channel.subscribe() as messages, asyncio.timeout(30):
                assert await channel.publish_many([1, 2, 3]) == [1, 1, 1]
                assert [(await anext(messages)).value for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]


async def test_many_messages_find_the_node_that_has_the_slot_now(servers: ClusterSet) -> None:
    async with Yard(servers.url, "t") as yard, Yard(servers.url, "t") as other:
        live = Channel("moved", int)
        publisher, reader = yard.app.channel(live), other.app.channel(live)
        key = "{t::channel:moved}"
        await publisher.publish_many([0, 0])
        old = servers.primary_of(key)
        new = next(node for node in servers.nodes if node != old)
        async with migrate(servers, key, old, new):
            pass
        async with reader.subscribe() as messages, asyncio.timeout(30):
            assert await publisher.publish_many(range(100)) == [1] * 100
            assert [(await anext(messages)).value for _ in range(100)] == list(range(100))  # type: ignore[union-attr]
