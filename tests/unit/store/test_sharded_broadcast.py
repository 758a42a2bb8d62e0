"""Live channels of a cluster follow their slots: each is listened to at its node, and what was missed is known."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stockyard._store.channels import sharded_broadcast
from stockyard._store.channels.broadcast import ReceivedMessages
from stockyard._store.channels.sharded_broadcast import ShardedBroadcast
from stockyard._store.net.refusals import refusal_of
from stockyard.config import Address
from stockyard.errors import ReplyLost, ServerError, ServerRefused, ServerUnavailable
from tests.support.waiting import eventually

ADDRESS = Address("redis+cluster", hosts=(("a", 7000),))


class FakeNode:
    """A node of the cluster; its one connection is the last that was made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made: list[FakeBroadcast] = []
        self.trouble: ServerError | None = None
        self.is_replica = False

    def dedicated(self, _key: None) -> "FakeNode":
        return self

    @property
    def open(self) -> list["FakeBroadcast"]:
        return [each for each in self.made if each.is_open]


class FakeBroadcast:
    """A connection to a node: what is asked for on it is written down, and what comes is lined up."""

    def __init__(self, node: FakeNode, *, is_sharded: bool) -> None:
        assert is_sharded
        self.node = node
        self.asked: list[bytes] = []
        self.left: list[bytes] = []
        self.is_open = False
        self.heard = 0
        self.awaited: set[bytes] = set()
        self._coming: asyncio.Queue[ReceivedMessages | ServerError] = asyncio.Queue()
        node.made.append(self)

    async def open(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.sleep(0)
        if self.node.trouble is not None:
            raise self.node.trouble
        self.is_open = True

    async def check_role(self, seconds: float) -> None:
        assert seconds > 0
        if self.node.is_replica:
            raise ServerUnavailable("a replica")

    def listen(self, channel: bytes) -> None:
        if self.is_open:
            self.asked.append(channel)

    def leave(self, channel: bytes) -> None:
        self.left.append(channel)

    def is_awaited(self, channel: bytes) -> bool:
        return channel in self.awaited

    async def hear(self) -> ReceivedMessages:
        self.heard += 1
        coming = await self._coming.get()
        if isinstance(coming, ServerError):
            raise coming
        return coming

    def say(self, coming: ServerError | None = None, **parts: Any) -> None:
        received = ReceivedMessages()
        for name, value in parts.items():
            setattr(received, name, value)
        self._coming.put_nowait(coming or received)

    def drop(self) -> None:
        self.is_open = False

    async def close(self) -> None:
        self.drop()


class FakeCluster:
    """Where each channel is, as far as is known; a look makes known what is so."""

    address = ADDRESS
    call_timeout = 5.0

    def __init__(self) -> None:
        self.a, self.b = FakeNode("a"), FakeNode("b")
        self.places: dict[str, FakeNode] = {}
        self.known: dict[str, FakeNode] = {}
        self.looks = 0
        self.trouble: ServerUnavailable | None = None
        self.noted: list[int] = []

    def node_of(self, channel: str) -> FakeNode | None:
        return self.known.get(channel)

    async def look(self, _deadline: float) -> None:
        self.looks += 1
        if self.trouble is not None:
            raise self.trouble
        self.known = dict(self.places)

    def note(self, refusal: Any) -> None:
        self.noted.append(refusal.slot)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    monkeypatch.setattr(sharded_broadcast, "Broadcast", FakeBroadcast)
    made = FakeCluster()
    made.places = {"1": made.a, "2": made.a, "3": made.b}
    return made


@pytest.fixture
async def live(cluster: FakeCluster) -> AsyncIterator[ShardedBroadcast]:
    made = ShardedBroadcast(cluster)  # type: ignore[arg-type]
    await made.open()
    yield made
    await made.close()
    assert cluster.a.open == cluster.b.open == []
    assert not [task for task in asyncio.all_tasks() if "channels" in task.get_name()]


async def begun(live: ShardedBroadcast, node: FakeNode, *channels: bytes) -> FakeBroadcast:
    """Let channels begin at a node, and return its connection."""
    for channel in channels:
        live.listen(channel)
    await eventually(lambda: bool(node.open) and set(channels) <= set(node.open[0].asked))
    node.open[0].say(begun=list(channels))
    assert (await live.hear()).begun == list(channels)
    return node.open[0]


async def test_there_is_one_connection_to_each_node(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a = await begun(live, cluster.a, b"1", b"2")
    at_b = await begun(live, cluster.b, b"3")
    assert (len(cluster.a.made), len(cluster.b.made), cluster.looks) == (1, 1, 1)
    at_b.say(texts={b"3": [b"x"]})
    assert (await live.hear()).texts == {b"3": [b"x"]}
    at_a.say(texts={b"1": [b"y"]})
    assert (await live.hear()).texts == {b"1": [b"y"]}


async def test_a_channel_that_was_left_is_asked_for_no_more(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a = await begun(live, cluster.a, b"1", b"2")
    live.leave(b"1")
    live.leave(b"1")
    assert (at_a.left, at_a.is_open) == ([b"1"], True)
    live.leave(b"2")
    assert not at_a.is_open
    live.listen(b"2")
    await eventually(lambda: [each.asked for each in cluster.a.open] == [[b"2"]])


async def test_channels_of_a_lost_connection_begin_again(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a, at_b = await begun(live, cluster.a, b"1", b"2"), await begun(live, cluster.b, b"3")
    at_a.say(ReplyLost("broke"))
    lost = (await live.hear()).lost
    assert {channel for channel, _ in lost} == {b"1", b"2"}
    assert at_b.is_open
    await eventually(lambda: bool(cluster.a.open) and set(cluster.a.open[0].asked) == {b"1", b"2"})
    assert cluster.a.open != [at_a]


async def test_a_node_that_is_away_is_replaced(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a = await begun(live, cluster.a, b"1")
    cluster.a.trouble = ServerUnavailable("away")
    at_a.say(ReplyLost("broke"))
    await live.hear()
    assert [str(error) for _, error in (await live.hear()).lost] == ["away"]
    cluster.places["1"] = cluster.b
    await eventually(lambda: [each.asked for each in cluster.b.open] == [[b"1"]])


async def test_a_slot_that_was_moved_is_followed(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a = await begun(live, cluster.a, b"1", b"2")
    cluster.places["1"] = cluster.b
    at_a.say(lost=[(b"1", ServerUnavailable("moved"))], texts={b"2": [b"x"]})
    received = await live.hear()
    assert ([channel for channel, _ in received.lost], received.texts) == ([b"1"], {b"2": [b"x"]})
    await eventually(lambda: [each.asked for each in cluster.b.open] == [[b"1"]])
    assert (at_a.is_open, len(cluster.a.made)) == (True, 1)


async def test_a_replica_is_not_listened_to(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a = await begun(live, cluster.a, b"1", b"2")
    cluster.a.is_replica = True
    # The node is named until the cluster's others know; "2" is there until its own end is read.
    at_a.say(lost=[(b"1", ServerUnavailable("moved"))])
    assert [channel for channel, _ in (await live.hear()).lost] == [b"1"]
    assert [str(error) for _, error in (await live.hear()).lost] == ["a replica"]
    cluster.places = {"1": cluster.b, "2": cluster.b}
    at_a.say(lost=[(b"2", ServerUnavailable("moved"))])
    await eventually(lambda: [sorted(each.asked) for each in cluster.b.open] == [[b"1", b"2"]])
    assert sorted(at_a.asked) == [b"1", b"2"]
    assert [each.asked for each in cluster.a.made[1:]] == [[] for _ in cluster.a.made[1:]]


async def test_a_node_that_names_another_is_believed(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    await begun(live, cluster.a, b"2")
    live.listen(b"1")
    await eventually(lambda: b"1" in cluster.a.open[0].asked)
    cluster.places["1"] = cluster.b
    cluster.a.open[0].say(refused=[(b"1", refusal_of("MOVED 9842 b:7001", ADDRESS))])
    received = await live.hear()
    assert ([channel for channel, _ in received.lost], received.refused) == ([b"1"], [])
    assert cluster.noted == [9842]
    await eventually(lambda: [each.asked for each in cluster.b.open] == [[b"1"]])


async def test_a_refusal_is_for_the_reader(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    await begun(live, cluster.a, b"2")
    live.listen(b"1")
    refusal = ServerRefused("NOPERM")
    cluster.a.open[0].say(refused=[(b"1", refusal)])
    received = await live.hear()
    assert (received.refused, received.lost) == ([(b"1", refusal)], [])


async def test_nobody_says_where_a_channel_is(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    cluster.trouble = ServerUnavailable("no node answers")
    live.listen(b"1")
    assert (await live.hear()).lost == [(b"1", cluster.trouble)]
    cluster.trouble = None
    live.listen(b"4")
    while (lost := (await live.hear()).lost) != [(b"4", lost[0][1])]:
        assert lost
    assert "no node of the cluster at redis+cluster://a:7000 serves the channel's slot" in str(lost[0][1])
    cluster.places["4"] = cluster.b
    await eventually(lambda: [each.asked for each in cluster.b.open] == [[b"4"]])


async def test_what_nobody_takes_stays_at_its_node(cluster: FakeCluster, live: ShardedBroadcast) -> None:
    at_a, at_b = await begun(live, cluster.a, b"1"), await begun(live, cluster.b, b"3")
    for text in (b"x", b"y", b"z"):
        at_a.say(texts={b"1": [text]})
    heard = at_a.heard
    await eventually(lambda: len(live._arrived) == 1)
    at_b.say(texts={b"3": [b"w"]})
    await eventually(lambda: len(live._arrived) == 2)
    assert at_a.heard == heard
    taken = [(await live.hear()).texts for _ in range(4)]
    assert [texts for texts in taken if b"1" in texts] == [{b"1": [text]} for text in (b"x", b"y", b"z")]


async def test_who_left_and_came_back_has_not_begun_by_the_first_answer(
    cluster: FakeCluster, live: ShardedBroadcast
) -> None:
    at_a = await begun(live, cluster.a, b"2")
    live.listen(b"1")
    at_a.say(begun=[b"1"])
    await eventually(lambda: len(live._arrived) == 1)
    live.leave(b"1")
    live.listen(b"1")
    at_a.awaited.add(b"1")
    assert (await live.hear()).begun == []
    at_a.awaited.clear()
    at_a.say(begun=[b"1"])
    assert (await live.hear()).begun == [b"1"]
