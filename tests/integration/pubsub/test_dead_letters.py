"""Messages that a group gives up are kept with their reason, and can be given to it again."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import App, Channel, InvalidOption, Topology
from tests.integration.pubsub.channels import FILLS, take, values
from tests.support.servers import OwnServer

GROUPS = Channel("groups", int, durable=True, attempts=2, idle="400ms")


async def test_after_its_attempts_a_message_is_a_dead_letter(app: App) -> None:
    channel = app.channel(FILLS)
    message_id = await channel.publish(7)
    async with channel.consume("ledger") as messages:
        for attempt in (1, 2, 3):
            (message,) = await take(messages, 1)
            assert message.deliveries == attempt
            await message.release(f"no {attempt}")
        await channel.publish(8)
        assert await values(messages, 1) == [8]
    (letter,) = await channel.dead_letters()
    assert (letter.group, letter.message_id, letter.deliveries, letter.reason) == ("ledger", message_id, 3, "no 3")
    assert (letter.value, letter.text) == (7, b"7")
    assert channel.stats().dead == 1


async def test_one_that_nobody_acknowledges_is_a_dead_letter_too(app: App) -> None:
    channel = app.channel(GROUPS)
    await channel.publish(7)
    for _ in range(2):
        async with channel.consume("g") as messages:
            assert await values(messages, 1) == [7]
    async with channel.consume("g") as messages:
        await channel.publish(8)
        assert await values(messages, 1) == [8]
    (letter,) = await channel.dead_letters()
    assert letter.reason == "not acknowledged by those it was delivered to"


async def test_it_can_be_buried_at_once(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(7)
    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await message.dead_letter("hopeless")
        await message.ack()
    assert [(each.reason, each.deliveries) for each in await channel.dead_letters()] == [("hopeless", 1)]


async def test_what_does_not_fit_is_a_dead_letter(app: App, raw: "redis.Redis", prefix: str) -> None:
    channel = app.channel(FILLS)
    raw.xadd(f"{prefix}::channel:fills:messages", {"d": '"text"', "n": 1})
    raw.xadd(f"{prefix}::channel:fills:messages", {"what": "is this"})
    raw.hset(f"{prefix}::channel:fills:state", "last", 2)
    await channel.publish(7)
    async with channel.consume("g") as messages:
        assert await values(messages, 1) == [7]
    letters = await channel.dead_letters()
    assert [each.value for each in letters] == [None, None]
    assert "does not fit int" in letters[0].reason
    assert "corrupt JSON" in letters[1].reason


async def test_only_the_group_that_gave_it_up_gets_it_again(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(7)
    async with channel.consume("other") as messages:
        (message,) = await take(messages, 1)
        await message.ack()
    async with channel.consume("g") as messages, channel.replay() as readers:
        (message,) = await take(messages, 1)
        await message.dead_letter()
        (letter,) = await channel.dead_letters()
        assert await channel.redeliver(letter.id, "1-1") == 1
        assert await channel.dead_letters() == []
        (again,) = await take(messages, 1)
        assert (again.value, again.deliveries) == (7, 1)
        await again.ack()
        await channel.publish(8)
        assert await values(readers, 1) == [8]
    async with channel.consume("other") as messages:
        assert await values(messages, 1) == [8]
    assert [each.value for each in await channel.read()] == [7, 8]


async def test_they_are_read_in_pages_and_discarded(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish_many(range(5))
    async with channel.consume("g") as messages:
        for message in await take(messages, 5):
            await message.dead_letter()
    first = await channel.dead_letters(count=2)
    rest = await channel.dead_letters(first[-1].id)
    assert [each.value for each in [*first, *rest]] == [0, 1, 2, 3, 4]
    assert await channel.discard(*(each.id for each in rest)) == 3
    assert len(await channel.dead_letters()) == 2
    assert await channel.discard() == 0


@pytest.mark.parametrize("count", [0, True, 1.5])
async def test_counts_are_checked(app: App, count: int) -> None:
    with pytest.raises(InvalidOption, match="count must be"):
        await app.channel(FILLS).dead_letters(count=count)


async def test_what_is_no_id_is_refused_before_anything_is_done(app: App) -> None:
    channel = app.channel(FILLS)
    await channel.publish(1)
    async with channel.consume("g") as messages:
        (message,) = await take(messages, 1)
        await message.dead_letter()
    (letter,) = await channel.dead_letters()
    for act in (channel.redeliver, channel.discard):
        with pytest.raises(InvalidOption, match="id must be the id of a message"):
            await act(letter.id, "first")
    assert len(await channel.dead_letters()) == 1


async def test_what_is_given_up_leaves_its_group_though_the_server_is_full(
    make_server: Callable[..., OwnServer],
) -> None:
    server = make_server()
    async with App(Topology("t"), server.url) as app:
        channel = app.channel(FILLS)
        await channel.publish(13)
        async with channel.consume("g") as messages:
            (message,) = await take(messages, 1)
            with server.client() as client:
                memory: Any = client.info("memory")
                client.config_set("maxmemory", memory["used_memory"] - 100_000)
            await message.dead_letter("unlucky")
        assert [each.reason for each in await channel.dead_letters()] == ["unlucky"]
        assert (await channel.groups())[0].pending == 0
