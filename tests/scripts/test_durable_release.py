"""durable.release: a message comes again, or is a dead letter."""

import redis

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import DEAD_LETTERED, RETRIED
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import held, publish, take, texts


async def release(channel: ChannelKeyspace, message_id: str, *, attempts: int = 3, idle_ms: int = 60_000) -> int:
    """Release for the consumer ``me``."""
    return await durable.release(
        channel, "g", "me", message_id, attempts=attempts, reason="because", idle_ms=idle_ms
    )


async def test_it_is_anybody_s_when_it_has_been_idle(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    first, second = await publish(channel, b"a", b"b")
    await take(channel)
    assert await release(channel, first) == RETRIED
    assert await release(channel, second, idle_ms=30_000) == RETRIED
    assert held(raw, channel) == {first: ("-", 1), second: ("-", 1)}
    assert texts((await take(channel, "other", fresh=0, claims=5)).claimed) == [(b"a", 2)]


async def test_after_the_last_attempt_it_is_a_dead_letter(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    (message_id,) = await publish(channel, b"a")
    await take(channel)
    assert await release(channel, message_id, attempts=1) == DEAD_LETTERED
    assert channel_keys.get("dead") == [["g", message_id, "1", "because", "a"]]
    assert held(raw, channel) == {}


async def test_what_is_not_in_hand_is_left_alone(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    (message_id,) = await publish(channel, b"a")
    assert await release(channel, message_id) == 0
    await take(channel, "other")
    assert await release(channel, message_id, attempts=0) == 0
    assert channel_keys.get("dead") is None


async def test_what_is_gone_is_missing(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    (message_id,) = await publish(channel, b"a")
    await take(channel)
    await channel.server.call("XDEL", channel.keys.messages, message_id)
    assert await release(channel, message_id, attempts=1) == RETRIED
    assert channel_keys.get("state") == {"last": "1", "read:g": "1", "missed:g": "1"}
    assert held(raw, channel) == {}
