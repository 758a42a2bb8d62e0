"""Live channels of a cluster go through the nodes of their slots, and follow these; gaps say what is missing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from stockyard import App, Channel, ReplyLost, ServerUnavailable
from stockyard.pubsub import Message, MessageGap, Subscription
from tests.integration.sets.moves import migrate, move_key_by_key, replica_of
from tests.support.sets import ClusterSet, Node
from tests.support.waiting import eventually, ticks
from tests.support.yard import Yard

PREFIX = "t"


@pytest.fixture
async def app(cluster_set: ClusterSet) -> AsyncIterator[App]:
    async with Yard(cluster_set.url, PREFIX) as yard:
        yield yard.app


@pytest.fixture
async def publisher(cluster_set: ClusterSet) -> AsyncIterator[App]:
    async with Yard(cluster_set.url, PREFIX) as yard:
        yield yard.app


def key_of(channel: Channel[Any]) -> str:
    return f"{{{PREFIX}::channel:{channel.name}}}"


def channels_at(servers: ClusterSet, node: Node, count: int = 1) -> list[Channel[int]]:
    """Return channels whose slots a node serves."""
    channels = (Channel(f"numbers-{number}", int) for number in range(1000))
    found = (channel for channel in channels if servers.primary_of(key_of(channel)) == node)
    return [next(found) for _ in range(count)]


def readers_at(servers: ClusterSet, node: Node) -> list[int]:
    """Return how many channels each connection to a node listens to."""
    with servers.client(node) as client:
        listed: Any = client.client_list()
    return [int(each["ssub"]) for each in listed if int(each["ssub"])]


class Numbers:
    """Publishes numbers on a channel, and reads them with what is missing between them.

    Args:
        messages: the reader.
        app: the publisher's.
    """

    def __init__(self, messages: Subscription[int], app: App, channel: Channel[int]) -> None:
        self.read: list[Message[int] | MessageGap] = []
        self.published: list[int] = []
        self._channel = app.channel(channel)
        self._messages = messages
        self._tasks = [asyncio.create_task(self._publish()), asyncio.create_task(self._take())]

    async def _publish(self) -> None:
        async for number in ticks(0.01):
            try:
                await self._channel.publish(number)
            except (ServerUnavailable, ReplyLost):
                continue
            self.published.append(number)

    async def _take(self) -> None:
        async for message in self._messages:
            self.read.append(message)

    @property
    def gaps(self) -> list[int]:
        return [at for at, each in enumerate(self.read) if isinstance(each, MessageGap)]

    async def go_on(self) -> None:
        """Wait for messages behind all that were read so far."""
        before = len(self.read)
        await eventually(lambda: sum(isinstance(each, Message) for each in self.read[before:]) > 10, within=30)

    async def go_on_behind_a_gap(self) -> None:
        await eventually(lambda: bool(self.gaps), within=30)
        await self.go_on()

    async def end(self) -> None:
        """Stop, and check that nothing is missing but where a gap stands."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        expected = set(self.published)
        last: int | None = None
        for each in self.read:
            if isinstance(each, MessageGap):
                assert each.reason == "reconnected"
                last = None
                continue
            if last is not None:
                assert last < each.value
                assert not expected.intersection(range(last + 1, each.value)), "missing, and no gap says so"
            last = each.value


async def test_each_goes_through_the_node_of_its_slot(cluster_set: ClusterSet, app: App, publisher: App) -> None:
    nodes = cluster_set.primaries()
    channels = [channel for node in nodes for channel in channels_at(cluster_set, node, 2)]
    for node in nodes:
        with cluster_set.client(node) as client:
            client.config_resetstat()
    async with (
        app.channel(channels[0]).subscribe() as first,
        app.channel(channels[1]).subscribe() as second,
        app.channel(channels[2]).subscribe() as third,
        app.channel(channels[3]).subscribe() as fourth,
        app.channel(channels[4]).subscribe() as fifth,
        app.channel(channels[5]).subscribe() as sixth,
    ):
        # One connection to each node, however many channels.
        assert [readers_at(cluster_set, node) for node in nodes] == [[2], [2], [2]]
        for number, channel in enumerate(channels):
            assert await publisher.channel(channel).publish(number) == 1
            assert await publisher.channel(channel).publish_many([number, number]) == [1, 1]
        for number, messages in enumerate((first, second, third, fourth, fifth, sixth)):
            async with asyncio.timeout(30):
                assert [await anext(messages) for _ in range(3)] == [Message(number, messages.channel)] * 3
    for node in nodes:
        with cluster_set.client(node) as client:
            used: Any = client.info("commandstats")
        assert used["cmdstat_spublish"]["calls"] == 6
        assert "cmdstat_publish" not in used
    await eventually(lambda: not any(readers_at(cluster_set, node) for node in nodes))


async def test_a_reader_with_a_connection_of_its_own(cluster_set: ClusterSet, app: App, publisher: App) -> None:
    (channel,) = channels_at(cluster_set, cluster_set.primaries()[0])
    async with app.channel(channel).subscribe(buffer=5, policy="block") as messages:
        await publisher.channel(channel).publish_many(range(200))
        async with asyncio.timeout(30):
            assert [(await anext(messages)).value for _ in range(200)] == list(range(200))  # type: ignore[union-attr]


@pytest.mark.parametrize("move", [migrate, move_key_by_key], ids=["whole", "key by key"])
async def test_a_slot_that_moves(move: Any, cluster_set: ClusterSet, app: App, publisher: App) -> None:
    old, new, *_ = cluster_set.primaries()
    (channel,), (other,) = channels_at(cluster_set, old), channels_at(cluster_set, new)
    async with app.channel(channel).subscribe() as messages, app.channel(other).subscribe() as kept:
        numbers, beside = Numbers(messages, publisher, channel), Numbers(kept, publisher, other)
        await numbers.go_on()
        async with move(cluster_set, key_of(channel), old, new):
            # Where the slot is on both nodes, messages go through the old one.
            await numbers.go_on()
        await numbers.go_on_behind_a_gap()
        await beside.go_on()
        await numbers.end()
        await beside.end()
        assert len(numbers.gaps) == 1
        assert beside.gaps == []
    assert app.channel(channel).stats().reconnects == 1
    assert cluster_set.primary_of(key_of(channel)) == new


async def test_a_failover_by_hand(cluster_set: ClusterSet, app: App, publisher: App) -> None:
    old = cluster_set.primaries()[0]
    (channel,) = channels_at(cluster_set, old)
    async with app.channel(channel).subscribe() as messages:
        numbers = Numbers(messages, publisher, channel)
        await numbers.go_on()
        with cluster_set.client(replica_of(cluster_set, old)) as client:
            client.execute_command("CLUSTER", "FAILOVER")
        await numbers.go_on_behind_a_gap()
        await numbers.end()
        new = cluster_set.primary_of(key_of(channel))
        assert new != old
        assert (readers_at(cluster_set, new), readers_at(cluster_set, old)) == ([1], [])
    await asyncio.to_thread(cluster_set.wait_ready)


async def test_a_primary_that_is_killed(cluster_set: ClusterSet, app: App, publisher: App) -> None:
    old, beside_it, *_ = cluster_set.primaries()
    (channel,), (other,) = channels_at(cluster_set, old), channels_at(cluster_set, beside_it)
    async with app.channel(channel).subscribe() as messages, app.channel(other).subscribe() as kept:
        numbers, beside = Numbers(messages, publisher, channel), Numbers(kept, publisher, other)
        await numbers.go_on()
        cluster_set.kill(old)
        await numbers.go_on_behind_a_gap()
        await beside.go_on()
        await numbers.end()
        await beside.end()
        assert beside.gaps == []
    cluster_set.restart(old)
    await asyncio.to_thread(cluster_set.wait_ready)


async def test_listeners_at_all_nodes_are_counted(app: App, publisher: App, cluster_set: ClusterSet) -> None:
    live = [channels_at(cluster_set, node)[0] for node in cluster_set.primaries()]
    await publisher.channel(Channel("kept", int, durable=True)).publish(1)
    async with AsyncExitStack() as listening:
        for channel in live:
            await listening.enter_async_context(publisher.channel(channel).subscribe())
        found = await app.channels.on_server()
    assert {each.name: each.listeners for each in found if not each.durable} == {each.name: 1 for each in live}
    assert [(each.name, each.length) for each in found if each.durable] == [("kept", 1)]
