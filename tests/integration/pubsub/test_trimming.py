"""What a durable channel lets go before everybody has it is told, and counted exactly."""

import asyncio

import pytest
import redis

from stockyard import App, Channel
from stockyard.pubsub import MessageGap
from tests.integration.pubsub.channels import IDLE_SECONDS, die, take, values
from tests.integration.pubsub.conftest import MakeApp
from tests.support.waiting import eventually

SHORT = Channel("short", int, durable=True, max_len=10, idle="400ms")
BRIEF = Channel("brief", int, durable=True, keep="200ms")


def trimmed(missed: int, channel: str = "short") -> MessageGap:
    return MessageGap(channel=channel, reason="trimmed", missed=missed)


async def test_no_more_are_kept_than_said(app: App) -> None:
    channel = app.channel(SHORT)
    await channel.publish_many(range(25))
    assert [each.value for each in await channel.read()] == list(range(15, 25))


async def test_none_is_kept_for_longer_than_said(app: App) -> None:
    channel = app.channel(BRIEF)
    await channel.publish_many([1, 2])

    async def are_gone_for_others() -> bool:
        await channel.publish(3)
        return (await channel.read(count=1))[0].value == 3

    await eventually(are_gone_for_others)


async def test_a_new_group_has_missed_nothing(app: App) -> None:
    channel = app.channel(SHORT)
    await channel.publish_many(range(25))
    async with channel.consume("g") as messages:
        assert await values(messages, 10) == list(range(15, 25))


async def test_a_group_is_told_what_went_before_it_read(app: App) -> None:
    channel = app.channel(SHORT)
    async with channel.consume("g") as messages:
        await channel.publish(0)
        (message,) = await take(messages, 1)
        await message.ack()
    await channel.publish_many(range(1, 26))
    (group,) = await channel.groups()
    assert group.waiting == 25
    async with channel.consume("g") as messages:
        assert await values(messages, 11) == [trimmed(15), *range(16, 26)]
    # Told once.
    async with channel.consume("g") as messages:
        assert await values(messages, 10) == list(range(16, 26))
    assert (await channel.groups())[0].missed == 15


async def test_a_gap_that_nobody_saw_is_told_again(app: App) -> None:
    channel = app.channel(SHORT)
    async with channel.consume("g"):
        pass
    await channel.publish_many(range(25))
    async with channel.consume("g") as messages:
        assert await take(messages, 1) == [trimmed(15)]
        # Its next call would have said that its program knows.
        await die(messages)
    async with channel.consume("g") as messages:
        assert (await take(messages, 1))[0] == trimmed(15)


async def test_messages_that_are_all_gone_are_told_too(app: App, raw: "redis.Redis", prefix: str) -> None:
    channel = app.channel(SHORT)
    async with channel.consume("g"):
        pass
    await channel.publish_many(range(5))
    raw.xtrim(f"{prefix}::channel:short:messages", maxlen=0, approximate=False)
    async with channel.consume("g") as messages:
        assert await values(messages, 1) == [trimmed(5)]


async def test_what_a_dead_consumer_had_and_is_gone_is_told(app: App, make_app: MakeApp) -> None:
    doomed = make_app()
    channel = app.channel(SHORT)
    await channel.publish_many(range(5))
    messages = doomed.channel(SHORT).consume("g")
    await messages.__aenter__()
    await take(messages, 1)
    await channel.publish_many(range(5, 15))
    await die(messages)
    async with channel.consume("g") as others:
        found = await values(others, 10)
        assert found == list(range(5, 15))
        async with asyncio.timeout(20 * IDLE_SECONDS):
            missed = 0
            while missed < 5:
                gap = await anext(others)
                assert isinstance(gap, MessageGap)
                missed += gap.missed or 0
        assert missed == 5


async def test_what_is_handed_back_and_is_gone_is_told(app: App) -> None:
    channel = app.channel(SHORT)
    await channel.publish_many(range(5))
    async with channel.consume("g") as messages:
        await take(messages, 1)
        await channel.publish_many(range(5, 15))
    async with channel.consume("g") as messages:
        assert await values(messages, 11) == [trimmed(5), *range(5, 15)]


async def test_what_is_in_hand_and_gone_can_still_be_acknowledged(app: App) -> None:
    channel = app.channel(SHORT)
    await channel.publish(0)
    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await channel.publish_many(range(1, 12))
        await asyncio.sleep(IDLE_SECONDS)  # it was renewed meanwhile
        await message.ack()
        found = await take(messages, 11)
        assert [each.value for each in found if not isinstance(each, MessageGap)] == list(range(2, 12))


async def test_a_channel_that_was_deleted_begins_anew_and_its_group_knows(
    app: App, raw: "redis.Redis", prefix: str
) -> None:
    channel = app.channel(SHORT)
    await channel.publish_many([1, 2])
    async with channel.consume("g") as messages:
        for message in await take(messages, 2):
            await message.ack()
        raw.delete(*raw.keys(f"{prefix}::channel:short:*"))
        await channel.publish(3)
        assert await values(messages, 2) == [MessageGap(channel="short", reason="lost"), 3]


@pytest.mark.parametrize("after", ["0-0", None])
async def test_a_group_that_was_destroyed_is_made_again(
    app: App, raw: "redis.Redis", prefix: str, after: str | None
) -> None:
    channel = app.channel(SHORT)
    async with channel.consume("g", after=after) as messages:
        raw.xgroup_destroy(f"{prefix}::channel:short:messages", "g")
        await channel.publish(1)
        (first,) = await values(messages, 1)
        assert first == MessageGap(channel="short", reason="lost")
        await channel.publish(2)
        assert (await values(messages, 1))[0] in (1, 2)
