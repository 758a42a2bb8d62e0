"""durable.leave: a consumer goes and keeps nothing."""

from typing import Any

import redis

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import held, publish, take, texts


async def test_all_is_handed_back_and_the_consumer_forgotten(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    first, second, gone = await publish(channel, b"a", b"b", b"c")
    await take(channel)
    await channel.server.call("XDEL", channel.keys.messages, gone)
    await durable.leave(channel, "g", "me", [second], idle_ms=60_000, reported=4)
    assert held(raw, channel) == {first: ("-", 1), second: ("-", 0)}
    consumers: Any = raw.xinfo_consumers(channel.keys.messages, "g")
    assert [each["name"] for each in consumers] == ["-"]
    assert channel_keys.get("state") == {"last": "3", "read:g": "3", "missed:g": "1", "reported:g": "4"}
    taken = await take(channel, "other", fresh=0, claims=5)
    assert texts(taken.claimed) == [(b"a", 2), (b"b", 1)]


async def test_many_are_handed_back(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    await publish(channel, *[b"x"] * 2500)
    await take(channel, fresh=2500)
    await durable.leave(channel, "g", "me", [], idle_ms=60_000, reported=0)
    found: Any = raw.xpending(channel.keys.messages, "g")
    assert found["consumers"] == [{"name": "-", "pending": 2500}]


async def test_without_its_group_there_is_nothing_to_do(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    await durable.leave(channel, "g", "me", [], idle_ms=60_000, reported=0)
    assert channel_keys.all() == {}
