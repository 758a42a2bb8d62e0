"""durable.look: the place to read on behind, and whether all behind it is there."""

import pytest

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.consumers import publish


async def trim(channel: ChannelKeyspace, length: int) -> None:
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", length)


async def test_nothing_was_published(channel: ChannelKeyspace) -> None:
    assert await durable.look(channel, None) == ("0-0", 0)
    assert await durable.look(channel, "0-0") == ("0-0", 0)
    assert await durable.look(channel, "5-1") == ("0-0", None)


async def test_the_end_and_every_message_are_places(channel: ChannelKeyspace) -> None:
    ids = await publish(channel, b"a", b"b", b"c")
    assert await durable.look(channel, None) == (ids[2], 3)
    for number, message_id in enumerate(ids, 1):
        assert await durable.look(channel, message_id) == (message_id, number)
    assert await durable.look(channel, "0-0") == ("0-0", 0)
    assert await durable.look(channel, "5") == ("5", 0)


async def test_a_place_before_what_is_gone_is_uncertain(channel: ChannelKeyspace) -> None:
    first, second, third, last = await publish(channel, b"a", b"b", b"c", b"d")
    await trim(channel, 1)
    assert await durable.look(channel, first) == (first, None)
    assert await durable.look(channel, third) == (third, None)
    assert await durable.look(channel, last) == (last, 4)
    assert await durable.look(channel, "0-0") == ("0-0", 3)
    await trim(channel, 0)
    assert await durable.look(channel, None) == (last, 4)
    assert await durable.look(channel, last) == (last, 4)
    assert await durable.look(channel, second) == (second, None)


@pytest.mark.parametrize("after", ["99999999999999", "99999999999999-0"])
async def test_a_place_beyond_the_end_was_of_another_channel(channel: ChannelKeyspace, after: str) -> None:
    last = (await publish(channel, b"a"))[0]
    assert await durable.look(channel, after) == ("0-0", None)
    milliseconds, _, sequence = last.partition("-")
    assert await durable.look(channel, f"{milliseconds}-{int(sequence) + 1}") == ("0-0", None)
