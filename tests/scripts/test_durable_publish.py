"""durable.publish: messages with their numbers, the oldest gone."""

import time

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import publish


async def test_messages_are_numbered_in_order(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    ids = await publish(channel, b"a", b"b")
    ids += await publish(channel, b"c")
    assert channel_keys.all() == {"messages": [["1", "a"], ["2", "b"], ["3", "c"]], "state": {"last": "3"}}
    assert ids == sorted(set(ids))
    assert [each.id for each in await durable.read(channel, "0-0")] == ids


async def test_no_more_stay_than_said(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    await durable.publish(channel, [b"a", b"b", b"c", b"d"], keep_ms=None, max_len=2)
    assert channel_keys.get("messages") == [["3", "c"], ["4", "d"]]


async def test_none_stays_longer_than_said(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    old = int(time.time() * 1000) - 60_000
    await channel.server.call("XADD", channel.keys.messages, f"{old}-0", "n", 1, "d", "old")
    await channel.server.call("XADD", channel.keys.messages, f"{old + 30_000}-0", "n", 2, "d", "newer")
    channel_keys.put({"state": {"last": 2}})
    await durable.publish(channel, [b"new"], keep_ms=45_000, max_len=None)
    assert channel_keys.get("messages") == [["2", "newer"], ["3", "new"]]
