"""durable.renew: what is in hand stays there, and what is not known of goes to others."""

import redis

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import held, publish, take, texts


async def test_it_is_as_fresh_as_when_it_was_taken(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    (message_id,) = await publish(channel, b"a")
    await take(channel)
    raw.xclaim(channel.keys.messages, "g", "me", 0, [message_id], idle=50_000, justid=True)
    assert await durable.renew(channel, "g", "me", [message_id], idle_ms=60_000, strays=False) == set()
    assert (await take(channel, "other", fresh=0, claims=1, idle_ms=40_000)).claimed == []
    assert held(raw, channel) == {message_id: ("me", 1)}


async def test_what_passed_to_others_or_was_acknowledged_is_told(channel: ChannelKeyspace) -> None:
    first, second, third = await publish(channel, b"a", b"b", b"c")
    await take(channel)
    await take(channel, "other", fresh=0, claims=1, idle_ms=0)
    await durable.acknowledge(channel, "g", [second])
    assert await durable.renew(channel, "g", "me", [first, second, third], idle_ms=1, strays=False) == {
        first,
        second,
    }
    await durable.delete_group(channel, "g")
    assert await durable.renew(channel, "g", "me", [third], idle_ms=1, strays=False) == {third}


async def test_what_is_gone_is_kept_in_mind(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    first, second = await publish(channel, b"a", b"b")
    await take(channel)
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 1)
    assert await durable.renew(channel, "g", "me", [first, second], idle_ms=1, strays=False) == set()
    assert set(held(raw, channel)) == {first, second}


async def test_strays_are_handed_back_as_not_delivered(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    known, unknown, gone = await publish(channel, b"a", b"b", b"c")
    await take(channel)
    await channel.server.call("XDEL", channel.keys.messages, gone)
    assert await durable.renew(channel, "g", "me", [known], idle_ms=60_000, strays=True) == set()
    assert held(raw, channel) == {known: ("me", 1), unknown: ("-", 0)}
    assert channel_keys.get("state") == {"last": "3", "read:g": "3", "missed:g": "1"}
    assert texts((await take(channel, "other", fresh=0, claims=1)).claimed) == [(b"b", 1)]
