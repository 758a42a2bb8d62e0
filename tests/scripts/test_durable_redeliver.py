"""durable.redeliver: dead letters come again, to their group alone."""

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import publish, take


async def test_they_are_new_messages_of_their_group(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    ids = await publish(channel, b"a", b"b")
    await take(channel)
    for message_id in ids:
        await durable.release(channel, "g", "me", message_id, attempts=0, reason="", idle_ms=0)
    first, second = await durable.read_dead_letters(channel, "0-0", 10)
    assert await durable.redeliver(channel, [first.id, "1-1"]) == 1
    assert channel_keys.get("messages") == [["1", "a"], ["2", "b"], ["3", "a", "g"]]
    assert channel_keys.get("state") == {"last": "3", "read:g": "2"}
    assert await durable.read_dead_letters(channel, "0-0", 10) == [second]
    assert await durable.redeliver(channel, [first.id]) == 0
