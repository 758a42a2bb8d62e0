"""A reader that is slower than what comes: its buffer stays within its size, and it is told what it missed."""

import asyncio

import pytest

from stockyard import App, Channel, InvalidOption
from stockyard.pubsub import MessageGap
from tests.integration.pubsub.channels import NUMBERS, take, until_gap, values
from tests.integration.pubsub.conftest import MakeApp
from tests.support.waiting import eventually

PAUSE = 0.0005
"""Seconds that a slow reader pauses; more messages come meanwhile than its buffer holds."""


async def test_a_reader_that_keeps_up_loses_nothing_whatever_its_buffer(app: App, make_app: MakeApp) -> None:
    channel, publisher = app.channel(NUMBERS), make_app().channel(NUMBERS)
    for policy in ("drop_oldest", "disconnect", "block"):
        async with channel.subscribe(buffer=10, policy=policy) as messages:
            publishing = asyncio.create_task(publisher.publish_many(range(5000)))
            assert await values(messages, 5000) == list(range(5000))
            await publishing
    assert channel.stats().gaps == channel.stats().dropped == 0


async def test_the_oldest_give_way_and_are_counted(app: App) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe(buffer=100) as messages:
        await channel.publish_many(range(1000))
        await eventually(lambda: channel.stats().dropped == 900)
        assert await take(messages, 1) == [MessageGap(channel="numbers", reason="overflow", missed=900)]
        assert await values(messages, 100) == list(range(900, 1000))
        await channel.publish(7)
        assert await values(messages, 1) == [7]
    stats = channel.stats()
    assert (stats.dropped, stats.gaps, stats.delivered) == (900, 1, 101)


async def test_nothing_is_missing_that_no_gap_counts(app: App) -> None:
    channel = app.channel(NUMBERS)
    expected = 0
    async with channel.subscribe(buffer=50) as messages:
        publishing = asyncio.create_task(channel.publish_many(range(20_000)))
        while expected < 20_000:
            (item,) = await take(messages, 1)
            if isinstance(item, MessageGap):
                assert item.missed
                expected += item.missed
            else:
                assert item.value == expected
                expected += 1
            if expected % 7 == 0:
                await asyncio.sleep(PAUSE)
        await publishing
    assert channel.stats().dropped > 0


async def test_one_slow_reader_takes_nothing_from_the_others(app: App) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe(buffer=10) as slow, channel.subscribe() as quick:
        await channel.publish_many(range(2000))
        assert await values(quick, 2000) == list(range(2000))
        await eventually(lambda: channel.stats().dropped == 1990)
        _, gap = await until_gap(slow)
        assert gap.missed == 1990


async def test_a_blocked_reader_gets_all_and_others_do_not_wait_for_it(app: App, make_app: MakeApp) -> None:
    channel, other = app.channel(NUMBERS), app.channel(Channel("other", int))
    publisher = make_app().channel(NUMBERS)
    async with channel.subscribe(buffer=10, policy="block") as blocked, channel.subscribe() as quick:
        await publisher.publish_many(range(9_000))
        async with other.subscribe() as later:
            await other.publish(1)
            assert await values(later, 1) == [1]
        assert await values(quick, 9_000) == list(range(9_000))
        assert await values(blocked, 9_000) == list(range(9_000))
    assert channel.stats().dropped == 0


async def test_a_blocked_reader_can_leave(app: App) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe(buffer=1, policy="block") as messages:
        await channel.publish_many(range(100))
        await eventually(lambda: channel.stats().received > 1)
    assert await values(messages, 1) == [0]
    assert await anext(messages, None) is None


async def test_who_is_too_slow_is_cut_off_after_what_it_has(app: App) -> None:
    channel = app.channel(NUMBERS)
    async with channel.subscribe(buffer=5, policy="disconnect") as messages:
        await channel.publish_many(range(100))
        await eventually(lambda: channel.stats().dropped == 95)
        assert await values(messages, 5) == [0, 1, 2, 3, 4]
        assert await take(messages, 1) == [MessageGap(channel="numbers", reason="too slow")]
        assert await anext(messages, "the end") == "the end"
    assert await channel.publish(1) == 0


@pytest.mark.parametrize("options", [{"buffer": 0}, {"buffer": True}, {"buffer": "9"}, {"policy": "drop"}])
async def test_options_are_checked(app: App, options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption, match=next(iter(options))):
        app.channel(NUMBERS).subscribe(**options)  # type: ignore[arg-type]
