"""durable.take: what is fresh, what dead consumers left, and what is missing."""

from typing import Any

import redis

from stockyard._store.channels import durable
from stockyard._store.channels.broadcast import ChannelKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.consumers import held, publish, take, texts
from tests.support.waiting import eventually


async def test_fresh_messages_are_given_once(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    ids = await publish(channel, b"a", b"b", b"c")
    taken = await take(channel, fresh=2)
    assert texts(taken.fresh) == [(b"a", 1), (b"b", 1)]
    assert (taken.claimed, taken.missed, taken.reported, taken.is_recreated, taken.last) == (
        [],
        0,
        0,
        False,
        ids[1],
    )
    assert texts((await take(channel, "other")).fresh) == [(b"c", 1)]
    assert (await take(channel)).fresh == []
    assert held(raw, channel) == {ids[0]: ("me", 1), ids[1]: ("me", 1), ids[2]: ("other", 1)}
    assert channel_keys.get("state") == {"last": "3", "read:g": "3"}


async def test_a_group_begins_where_it_is_told_to(channel: ChannelKeyspace) -> None:
    first, second = await publish(channel, b"a", b"b")
    taken = await take(channel, after=None)
    assert (taken.fresh, taken.missed, taken.last) == ([], 0, second)
    await durable.delete_group(channel, "g")
    taken = await take(channel, after=first)
    assert texts(taken.fresh) == [(b"b", 1)]


async def test_a_group_of_an_empty_channel_begins_at_once(channel: ChannelKeyspace) -> None:
    assert (await take(channel, after=None)).last == "0-0"
    await publish(channel, b"a")
    assert texts((await take(channel, after=None)).fresh) == [(b"a", 1)]


async def test_what_is_missing_is_counted_exactly(channel: ChannelKeyspace, channel_keys: Keyspace) -> None:
    await publish(channel, b"a")
    await take(channel)
    ids = await publish(channel, *[b"x"] * 9)
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 5)
    await channel.server.call("XDEL", channel.keys.messages, ids[6])
    taken = await take(channel, reported=0)
    assert (len(taken.fresh), taken.missed, taken.reported, taken.is_recreated) == (4, 5, 0, False)
    assert (await take(channel, reported=0)).reported == 0
    assert (await take(channel, reported=5)).reported == 5
    # An older call does not take that back.
    assert (await take(channel, reported=3)).reported == 5
    await publish(channel, b"y")
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 0)
    assert (await take(channel, reported=5)).missed == 6
    assert channel_keys.get("state") == {"last": "11", "read:g": "11", "missed:g": "6", "reported:g": "5"}


async def test_what_is_idle_is_claimed(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    ids = await publish(channel, b"a", b"b", b"c")
    await take(channel, "dead")
    taken = await take(channel, fresh=0, claims=2)
    assert (taken.claimed, taken.has_more) == ([], False)
    taken = await take(channel, fresh=0, claims=2, idle_ms=0)
    assert texts(taken.claimed) == [(b"a", 2), (b"b", 2)]
    assert taken.has_more
    assert held(raw, channel) == {ids[0]: ("me", 2), ids[1]: ("me", 2), ids[2]: ("dead", 1)}


async def test_what_was_delivered_often_enough_is_a_dead_letter(
    channel: ChannelKeyspace, channel_keys: Keyspace, raw: "redis.Redis"
) -> None:
    message_id, _ = await publish(channel, b"a", b"b")
    await take(channel, fresh=1)
    for _ in range(2):
        await take(channel, fresh=0, claims=1, idle_ms=0)
    await take(channel, fresh=1)
    taken = await take(channel, fresh=0, claims=1, idle_ms=0)
    assert (texts(taken.claimed), taken.dead_lettered) == ([(b"b", 2)], 1)
    reason = "not acknowledged by those it was delivered to"
    assert channel_keys.get("dead") == [["g", message_id, "3", reason, "a"]]
    assert message_id not in held(raw, channel)


async def test_what_is_idle_and_gone_is_missing(channel: ChannelKeyspace, raw: "redis.Redis") -> None:
    await publish(channel, b"a", b"b")
    await take(channel)
    await channel.server.call("XTRIM", channel.keys.messages, "MAXLEN", 1)
    taken = await take(channel, fresh=0, claims=5, idle_ms=0)
    assert (texts(taken.claimed), taken.missed) == ([(b"b", 2)], 1)
    assert len(held(raw, channel)) == 1


async def test_what_is_meant_for_another_group_is_passed_over(
    channel: ChannelKeyspace, raw: "redis.Redis"
) -> None:
    await publish(channel, b"a")
    for number, group in ((2, "g"), (3, "other")):
        await channel.server.call("XADD", channel.keys.messages, "*", "n", number, "d", group, "g", group)
    await channel.server.call("HSET", f"{channel.keys.base}state", "last", 3)
    taken = await take(channel)
    assert texts(taken.fresh) == [(b"a", 1), (b"g", 1)]
    assert taken.missed == 0
    assert len(held(raw, channel)) == 2


async def test_a_group_that_was_known_and_is_gone_is_made_anew(
    channel: ChannelKeyspace, raw: "redis.Redis"
) -> None:
    await publish(channel, b"a")
    assert not (await take(channel)).is_recreated
    raw.delete(channel.keys.messages, f"{channel.keys.base}state")
    taken = await take(channel, reported=0)
    assert (taken.is_recreated, taken.missed) == (True, 0)


async def test_consumers_that_died_long_ago_and_owe_nothing_are_forgotten(
    channel: ChannelKeyspace, raw: "redis.Redis"
) -> None:
    first, _ = await publish(channel, b"a", b"b")
    await take(channel, "gone", fresh=1)
    await take(channel, "owes", fresh=1)
    await durable.acknowledge(channel, "g", [first])

    async def names() -> set[str]:
        # One that has just begun looks; with a greater idle time nobody has been gone for long.
        await take(channel, "me", idle_ms=60_000)
        found: Any = raw.xinfo_consumers(channel.keys.messages, "g")
        return {each["name"] for each in found}

    assert {"gone", "owes"} <= await names()

    async def is_forgotten() -> bool:
        await take(channel, "me", idle_ms=1)
        return "gone" not in await names()

    await eventually(is_forgotten)
    assert "owes" in await names()


async def test_a_text_that_somebody_else_left_out_is_empty(channel: ChannelKeyspace) -> None:
    await channel.server.call("XADD", channel.keys.messages, "*", "what", "is this")
    assert texts((await take(channel)).fresh) == [(b"", 1)]
