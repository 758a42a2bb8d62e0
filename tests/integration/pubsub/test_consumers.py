"""Groups of a durable channel: each message to one consumer of each group, until it is acknowledged."""

import asyncio

import pytest

from stockyard import App, Channel, InvalidOption
from stockyard.pubsub import Delivery
from tests.integration.pubsub.channels import FILLS, IDLE_SECONDS, take, values
from tests.integration.pubsub.conftest import MakeApp
from tests.support.waiting import eventually, stays, ticks

SLOW = Channel("slow", int, durable=True, attempts=3, idle="1h")


async def test_a_group_is_given_everything_once(app: App) -> None:
    channel = app.channel(FILLS)
    ids = await channel.publish_many(range(3))
    for group in ("ledger", "risk"):
        async with channel.consume(group) as messages:
            found = await take(messages, 3)
            assert [(each.id, each.value, each.deliveries) for each in found] == [
                (message_id, number, 1) for number, message_id in enumerate(ids)
            ]
            assert 0 <= found[0].timestamp - int(ids[0].partition("-")[0]) < 1
            await asyncio.gather(*(each.ack() for each in found))
        async with channel.consume(group) as messages:
            waiting = asyncio.create_task(anext(messages))
            await channel.publish(7)
            again: Delivery[int] = await waiting  # type: ignore[assignment]
            assert again.value == 7
            await again.ack()
    assert [(each.name, each.waiting, each.pending) for each in await channel.groups()] == [
        ("ledger", 1, 0),
        ("risk", 1, 0),
    ]


async def test_consumers_share_the_messages_of_their_group(app: App, make_app: MakeApp) -> None:
    seen: list[int] = []

    async def consume(app: App) -> None:
        async with app.channel(FILLS).consume("ledger", buffer=5) as messages:
            async for message in messages:
                assert isinstance(message, Delivery)
                seen.append(message.value)
                await message.ack()

    consuming = [asyncio.create_task(consume(each)) for each in (app, app, make_app(), make_app())]
    await app.channel(FILLS).publish_many(range(1000))
    await eventually(lambda: len(seen) >= 1000)
    for task in consuming:
        task.cancel()
    await asyncio.wait(consuming)
    assert sorted(seen) == list(range(1000))


@pytest.mark.parametrize(("after", "expected"), [("0-0", 1), (None, 3)])
async def test_where_a_group_begins(app: App, after: str | None, expected: int) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many([1, 2])
    async with channel.consume("g", after=after) as messages:
        await channel.publish(3)
        assert await values(messages, 1) == [expected]


async def test_a_group_begins_behind_an_id_and_only_once(app: App) -> None:
    channel = app.channel(FILLS)
    _, second, _ = await channel.publish_many([1, 2, 3])
    async with channel.consume("g", after=second) as messages:
        (message,) = await take(messages, 1)
        assert message.value == 3
        await message.ack()
    async with channel.consume("g", after="0-0") as messages:
        await channel.publish(4)
        assert await values(messages, 1) == [4]


async def test_an_empty_channel_wakes_who_waits(app: App, make_app: MakeApp) -> None:
    async with app.channel(FILLS).consume("g") as messages:
        waiting = asyncio.create_task(values(messages, 1))
        await eventually(lambda: app.channel(FILLS).groups())
        await make_app().channel(FILLS).publish(1)
        assert await waiting == [1]


async def test_leaving_hands_back_at_once_and_what_was_not_touched_was_not_delivered(app: App) -> None:
    channel = app.channel(SLOW)
    await channel.publish_many(range(4))
    async with channel.consume("g") as messages:
        first, _ = await take(messages, 2)
        await first.ack()
    async with channel.consume("g") as messages:
        found = await take(messages, 3)
        assert [(each.value, each.deliveries) for each in found] == [(1, 2), (2, 1), (3, 1)]
    (group,) = await channel.groups()
    assert (group.pending, group.consumers) == (3, 1)


async def test_what_is_released_comes_again_in_another_consumer_too(app: App, make_app: MakeApp) -> None:
    channel, other = app.channel(SLOW), make_app().channel(SLOW)
    await channel.publish(1)
    async with channel.consume("g") as messages, other.consume("g") as others:
        (message,) = await take(messages, 1)
        await message.release("not mine")
        (again,) = await take(others, 1)
        assert (again.value, again.deliveries) == (1, 2)
        await again.release(delay="10ms")
        (third,) = await take(messages, 1)
        assert (third.value, third.deliveries) == (1, 3)
        await third.ack()
    assert (await channel.groups())[0].pending == 0


async def test_a_release_may_wait(app: App) -> None:
    channel = app.channel(SLOW)
    await channel.publish_many([1, 2])
    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await message.release(delay="59m")
        assert await values(messages, 1) == [2]
        (group,) = await channel.groups()
        assert group.pending == 2
        assert 59 < group.oldest < 120


async def test_what_is_in_hand_is_renewed_for_longer_than_idle(app: App, make_app: MakeApp) -> None:
    channel, other = app.channel(FILLS), make_app().channel(FILLS)
    await channel.publish_many([1, 2, 3])
    async with channel.consume("g") as messages, other.consume("g") as others:
        (message,) = await take(messages, 1)
        waiting = asyncio.create_task(take(others, 1))
        await stays(lambda: not waiting.done(), during=4 * IDLE_SECONDS)
        await message.ack()
        assert await values(messages, 2) == [2, 3]
        waiting.cancel()


async def test_who_was_frozen_does_not_hand_over_what_passed_to_others(app: App, make_app: MakeApp) -> None:
    channel, other = app.channel(FILLS), make_app().channel(FILLS)
    await channel.publish_many(range(10))
    seen = []

    async def rest() -> None:
        async with other.consume("g") as others:
            async for message in others:
                assert isinstance(message, Delivery)
                seen.append((message.value, message.deliveries))
                await message.ack()

    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await message.ack()
        # Nothing renews, as in a process that is frozen.
        await messages._renewing.stop()
        resting = asyncio.create_task(rest())
        await eventually(lambda: len(seen) == 9)
        await channel.publish(10)
        found = asyncio.create_task(take(messages, 1))
        await eventually(lambda: found.done() or len(seen) == 10)
        resting.cancel()
        found.cancel()
        await asyncio.wait([resting, found])
    assert sorted(seen)[:9] == [(number, 2) for number in range(1, 10)]


async def test_waiting_under_a_timeout_loses_nothing_and_delivers_nothing_twice(app: App) -> None:
    channel = app.channel(FILLS)
    seen: list[tuple[int, int]] = []
    async with channel.consume("g", buffer=3) as messages:

        async def publish() -> None:
            async for number in ticks(0.003, 100):
                await channel.publish(number)

        publishing = asyncio.create_task(publish())
        async with asyncio.timeout(60):
            while len(seen) < 100:
                try:
                    message = await asyncio.wait_for(anext(messages), 0.002)
                except TimeoutError:
                    continue
                assert isinstance(message, Delivery)
                seen.append((message.value, message.deliveries))
                await message.ack()
        await publishing
    assert seen == [(number, 1) for number in range(100)]


async def test_acknowledging_twice_is_fine(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await message.ack()
        await message.ack()
        await message.release()
    assert (await channel.groups())[0].pending == 0


def test_code_without_a_loop_consumes(redis_url: str, prefix: str) -> None:
    from stockyard import Topology

    app = App(Topology("test"), redis_url, prefix=prefix)
    try:
        channel = app.channel(FILLS)
        channel.sync.publish_many([1, 2])
        found = []
        with channel.consume("g").sync as messages:
            for message in messages:
                assert isinstance(message, Delivery)
                found.append(message.value)
                message.sync.ack()
                if len(found) == 2:
                    break
        assert found == [1, 2]
        (group,) = channel.sync.groups()
        assert group.pending == 0
    finally:
        app.close()


@pytest.mark.parametrize(
    "options",
    [{"group": ""}, {"group": "g", "consumer": "-"}, {"group": "g", "after": "now"}, {"group": "g", "buffer": 0}],
)
async def test_options_are_checked(app: App, options: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        app.channel(FILLS).consume(**options)  # type: ignore[arg-type]


async def test_a_group_is_forgotten(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    async with channel.consume("g") as messages:
        await take(messages, 1)
    assert await channel.delete_group("g")
    assert not await channel.delete_group("g")
    assert await channel.groups() == []
