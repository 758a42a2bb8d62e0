"""Reading a durable channel without a group: from any place, and on, at the reader's own pace."""

import asyncio

import pytest
import redis

from stockyard import App, InvalidOption
from stockyard.pubsub import Message, MessageGap
from stockyard.pubsub import tail as tails
from tests.integration.pubsub.channels import FILLS, take, values
from tests.integration.pubsub.conftest import MakeApp
from tests.integration.pubsub.test_trimming import SHORT, trimmed
from tests.support.waiting import eventually


async def test_what_is_kept_comes_first_and_then_what_is_published(app: App) -> None:
    channel = app.channel(FILLS)
    ids = await channel.publish_many(range(1200))
    async with channel.replay("0-0") as messages:
        assert messages.place == "0-0"
        found = await take(messages, 1200)
        assert found == [Message(number, "fills", message_id) for number, message_id in enumerate(ids)]
        assert messages.place == ids[-1]
        assert found[0].timestamp == int(ids[0].partition("-")[0])
        waiting = asyncio.create_task(values(messages, 2))
        await channel.publish(7)
        await channel.publish(8)
        assert await waiting == [7, 8]


async def test_from_now_on_unless_told_otherwise(app: App) -> None:
    channel = app.channel(FILLS)
    _, second, _ = await channel.publish_many([1, 2, 3])
    async with channel.replay() as new, channel.replay(second) as some:
        assert await values(some, 1) == [3]
        await channel.publish(4)
        assert await values(new, 1) == [4]
        assert await values(some, 1) == [4]


async def test_many_readers_share_one_connection(
    app: App, make_app: MakeApp, raw: "redis.Redis", prefix: str
) -> None:
    channel = app.channel(FILLS)
    readers = [channel.replay() for _ in range(50)]
    for reader in readers:
        await reader.__aenter__()
    waiting = [asyncio.create_task(values(reader, 100)) for reader in readers]
    key = f"{prefix}::channel:fills:messages"
    await make_app().channel(FILLS).publish_many(range(100))
    assert await asyncio.gather(*waiting) == [list(range(100))] * 50
    await make_app().channel(FILLS).publish(1)
    waiting = [asyncio.create_task(values(reader, 1)) for reader in readers]
    assert await asyncio.gather(*waiting) == [[1]] * 50
    assert raw.xlen(key) == 101
    # Each came once for all of them, but for the pages of those who were not at the end yet.
    assert channel.stats().delivered == 50 * 101
    for reader in readers:
        await reader.aclose()


async def test_a_reader_that_is_far_behind_loses_nothing(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "_WINDOW", 10)
    channel = app.channel(FILLS)
    async with channel.replay() as slow, channel.replay() as quick:
        for start in range(0, 2000, 100):
            await channel.publish_many(range(start, start + 100))
            assert await values(quick, 100) == list(range(start, start + 100))
            if start % 500 == 0:
                assert (await values(slow, 1))[0] == start // 500
        assert await values(slow, 1996) == list(range(4, 2000))


async def test_what_went_before_it_was_read_is_told(app: App) -> None:
    channel = app.channel(SHORT)
    (first,) = await channel.publish_many([0])
    async with channel.replay(first) as messages:
        await channel.publish_many(range(1, 26))
        assert await values(messages, 11) == [trimmed(15), *range(16, 26)]


async def test_a_place_that_is_gone_is_a_gap_of_nobody_knows_how_many(app: App) -> None:
    channel = app.channel(SHORT)
    (first,) = await channel.publish_many([0])
    await channel.publish_many(range(1, 26))
    gap = MessageGap(channel="short", reason="trimmed")
    async with channel.replay(first) as messages:
        assert await values(messages, 11) == [gap, *range(16, 26)]
    async with channel.replay("0-0") as messages:
        assert await values(messages, 1) == [16]
    # A place before the first of all, where nothing is missing.
    fresh = app.channel(FILLS)
    await fresh.publish(1)
    async with fresh.replay("5-0") as messages:
        assert await values(messages, 1) == [1]


async def test_a_channel_that_was_deleted_is_a_gap(
    app: App, raw: "redis.Redis", prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "_LOOK_AGAIN", 0.05)
    channel = app.channel(FILLS)
    async with channel.replay() as messages:
        await channel.publish_many([1, 2])
        assert await values(messages, 2) == [1, 2]
        raw.delete(*raw.keys(f"{prefix}::channel:fills:*"))
        lost = MessageGap(channel="fills", reason="lost")
        assert await values(messages, 1) == [lost]
        await channel.publish(3)
        assert await values(messages, 1) == [3]


async def test_a_channel_made_anew_with_lower_ids_is_a_gap(
    app: App, raw: "redis.Redis", prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "_LOOK_AGAIN", 0.05)
    channel = app.channel(FILLS)
    async with channel.replay() as messages:
        await channel.publish(1)
        assert await values(messages, 1) == [1]
        key = f"{prefix}::channel:fills:messages"
        with raw.pipeline(transaction=True) as together:
            together.delete(*raw.keys(f"{prefix}::channel:fills:*"))
            together.xadd(key, {"n": 1, "d": "5"}, id="7-0")
            together.hset(f"{prefix}::channel:fills:state", "last", 1)
            together.execute()
        assert await values(messages, 2) == [MessageGap(channel="fills", reason="lost"), 5]


async def test_a_place_from_another_life_of_the_channel_is_a_gap(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    async with channel.replay("99999999999999-0") as messages:
        assert await values(messages, 2) == [MessageGap(channel="fills", reason="lost"), 1]


async def test_what_does_not_fit_is_left_out(app: App, raw: "redis.Redis", prefix: str) -> None:
    channel = app.channel(FILLS)
    raw.xadd(f"{prefix}::channel:fills:messages", {"d": '"text"', "n": 1})
    raw.hset(f"{prefix}::channel:fills:state", "last", 1)
    await channel.publish(7)
    async with channel.replay("0-0") as messages:
        assert await values(messages, 1) == [7]
    assert [each.value for each in await channel.read()] == [7]
    assert channel.stats().invalid == 2


async def test_pages_are_read_without_waiting(app: App) -> None:
    channel = app.channel(FILLS)
    assert await channel.read() == []
    await channel.publish_many(range(5))
    first = await channel.read(count=2)
    rest = await channel.read(first[-1].id or "")
    assert [each.value for each in [*first, *rest]] == [0, 1, 2, 3, 4]


async def test_a_reader_that_leaves_while_it_waits_ends(app: App) -> None:
    channel = app.channel(FILLS)
    async with channel.replay() as messages:
        waiting = asyncio.create_task(anext(messages, "the end"))
        await eventually(lambda: messages.loop is not None)
        await asyncio.sleep(0)
        await messages.aclose()
        async with asyncio.timeout(60):
            assert await waiting == "the end"


@pytest.mark.parametrize("after", ["", "now", "1-2-3", 5])
async def test_places_are_checked(app: App, after: str) -> None:
    with pytest.raises(InvalidOption, match="after must be the id of a message"):
        app.channel(FILLS).replay(after)
    with pytest.raises(InvalidOption, match="after must be the id of a message"):
        await app.channel(FILLS).read(after)
