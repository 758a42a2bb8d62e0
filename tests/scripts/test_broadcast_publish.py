"""broadcast.publish: many messages, one call, in order."""

from typing import Any

import redis

from stockyard._store.channels import broadcast
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace


async def test_all_are_sent_in_order_and_nothing_is_kept(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    texts = [str(number).encode() for number in range(200)]
    assert await broadcast.publish(channel, texts) == [0] * 200
    with raw.pubsub() as listening:  # type: ignore[no-untyped-call]
        listening.subscribe(channel.keys.live)
        assert listening.get_message(timeout=60)
        assert await broadcast.publish(channel, [*texts, '"\u20ac\x00"'.encode()]) == [1] * 201
        found: Any = [listening.get_message(timeout=60) for _ in range(201)]
    assert [each["data"].encode() for each in found] == [*texts, '"\u20ac\x00"'.encode()]
    assert channel_keys.names() == []
