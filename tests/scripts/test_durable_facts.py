"""durable.facts: how much a durable channel keeps, when its messages came, and its dead letters."""

from stockyard._store.channels import durable, listing
from stockyard._store.channels.broadcast import ChannelKeyspace
from stockyard._store.channels.listing import ChannelNote, StreamFacts
from stockyard.model.naming import Naming
from tests.scripts.consumers import publish, take


def naming_of(channel: ChannelKeyspace) -> Naming:
    return Naming(channel.keys.base.partition("::")[0])


async def test_a_channel_is_listed_once_it_is_noted_and_keeps_something(channel: ChannelKeyspace) -> None:
    naming = naming_of(channel)
    assert await listing.read_streams(channel.server, naming, []) == []
    await ChannelNote(channel, naming).write()
    assert await listing.read_streams(channel.server, naming, ["c", "other"]) == []
    first, second, last = await publish(channel, b"a", b"b", b"c")
    await take(channel, fresh=1)
    await durable.release(channel, "g", "me", first, attempts=1, reason="broken", idle_ms=60_000)
    (facts,) = await listing.read_streams(channel.server, naming, [])
    assert facts._replace(groups=()) == StreamFacts(
        "c", 3, int(first.split("-")[0]), int(last.split("-")[0]), 1, ()
    )
    assert [(each.name, each.waiting, each.pending, each.consumers) for each in facts.groups] == [("g", 2, 0, 1)]
    assert second > first


async def test_a_channel_whose_messages_are_gone_has_no_times(channel: ChannelKeyspace) -> None:
    await publish(channel, b"a")
    await take(channel)
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 0)
    (facts,) = await listing.read_streams(channel.server, naming_of(channel), ["c"])
    assert (facts.length, facts.first_ms, facts.last_ms) == (0, None, None)
