"""broadcast.publish_in_slot: many messages, one call, in order, up to the first that is refused."""

from typing import Any

import redis

from stockyard._store.channels.broadcast import ChannelKeyspace, packed
from stockyard._store.scripts import load
from tests.scripts.conftest import Keyspace

SCRIPT = load("broadcast.publish_in_slot")


async def test_all_are_sent_in_order_and_nothing_is_kept(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    texts = [str(number).encode() for number in range(200)]
    assert await channel.server.run(SCRIPT, (), channel.keys.live, packed(texts)) == [0] * 200
    with raw.pubsub() as listening:  # type: ignore[no-untyped-call]
        listening.ssubscribe(channel.keys.live)
        assert listening.get_message(timeout=60)
        assert await channel.server.run(SCRIPT, (), channel.keys.live, packed(texts)) == [1] * 200
        found: Any = [listening.get_message(timeout=60) for _ in range(200)]
    assert [each["data"].encode() for each in found] == texts
    assert channel_keys.names() == []


async def test_it_ends_at_the_first_that_is_refused(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    admin: Any = raw
    admin.acl_setuser("mute", enabled=True, passwords=["+mute"], commands=["+@all", "-spublish"], keys=["*"])
    try:
        with admin.client() as mute:
            mute.execute_command("AUTH", "mute", "mute")
            mute.script_load(SCRIPT.text)
            assert mute.evalsha(SCRIPT.sha, 0, channel.keys.live, packed([b"x", b"y"])) == []
            mute.connection.disconnect()
    finally:
        admin.acl_deluser("mute")
