"""durable.groups: the groups, what waits for them and what they have."""

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.durable import GroupInfo
from tests.scripts.consumers import publish, take


async def test_no_channel_has_no_groups(channel: ChannelKeyspace) -> None:
    assert await durable.read_groups(channel) == []


async def test_each_group_is_told(channel: ChannelKeyspace) -> None:
    await publish(channel, b"a", b"b", b"c")
    await take(channel, fresh=2)
    await take(channel, "other", fresh=0)
    (group,) = await durable.read_groups(channel)
    assert group._replace(oldest_ms=0) == GroupInfo("g", 1, 2, 0, group.consumers, 0)
    assert 0 <= group.oldest_ms < 10_000
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 0)
    await take(channel)
    (group,) = await durable.read_groups(channel)
    assert (group.waiting, group.pending, group.missed) == (0, 2, 1)
