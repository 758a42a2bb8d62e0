"""Live channels: everything published while somebody listens comes, typed, in order."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from stockyard import App, Channel, InvalidOption, PayloadError
from stockyard.pubsub import Message, MessageGap
from tests.integration.pubsub.channels import FILLS, NUMBERS, PRICES, Price, take, values
from tests.integration.pubsub.conftest import MakeApp
from tests.support.waiting import eventually


def listeners(raw: "redis.Redis", prefix: str, channel: str = "numbers") -> int:
    name = f"{prefix}::channel:{channel}"
    found: Any = raw.pubsub_numsub(name)
    return int(dict(found)[name])


async def test_what_is_published_comes_in_its_type(app: App) -> None:
    channel = app.channel(PRICES)
    async with channel.subscribe() as messages:
        assert await channel.publish(Price("BTCUSDT", 64_000.5)) == 1
        assert await take(messages, 1) == [Message(Price("BTCUSDT", 64_000.5), "prices")]


async def test_every_subscriber_is_told_and_a_loop_shares_one_connection(
    app: App, make_app: MakeApp, raw: "redis.Redis", prefix: str
) -> None:
    channel, elsewhere = app.channel(NUMBERS), make_app().channel(NUMBERS)
    async with channel.subscribe() as first, channel.subscribe() as second, elsewhere.subscribe() as third:
        assert listeners(raw, prefix) == 2
        assert await elsewhere.publish(7) == 2
        for messages in (first, second, third):
            assert await values(messages, 1) == [7]


async def test_messages_come_in_the_order_published(app: App, make_app: MakeApp) -> None:
    channel, publisher = app.channel(NUMBERS), make_app().channel(NUMBERS)
    async with channel.subscribe() as messages:
        await publisher.publish_many(range(3000))
        await asyncio.gather(*(publisher.publish(number) for number in range(3000, 4000)))
        assert await values(messages, 4000) == list(range(4000))
    assert publisher.stats().published == 4000
    assert (channel.stats().received, channel.stats().delivered, channel.stats().gaps) == (4000, 4000, 0)


async def test_channels_do_not_mix(app: App, prefix: str) -> None:
    one, other = app.channel(NUMBERS), app.channel(Channel("numbers:other", int))
    async with one.subscribe() as first, other.subscribe() as second:
        await other.publish(2)
        await one.publish(1)
        assert await values(first, 1) == [1]
        assert await values(second, 1) == [2]


async def test_entering_twice_and_leaving_for_a_while(app: App, raw: "redis.Redis", prefix: str) -> None:
    channel = app.channel(NUMBERS)
    for number in range(20):
        async with channel.subscribe() as messages:
            await channel.publish(number)
            assert await values(messages, 1) == [number]
    await eventually(lambda: listeners(raw, prefix) == 0)
    other = app.channel(Channel("other", int))
    async with other.subscribe() as kept:
        for number in range(20):
            async with channel.subscribe() as messages:
                await asyncio.gather(channel.publish(number), other.publish(number))
                assert await values(messages, 1) == [number]
        assert await values(kept, 20) == list(range(20))


async def test_who_comes_back_before_it_has_left_is_there(app: App, make_app: MakeApp) -> None:
    """The confirmation of a subscription that was given up is none for the next."""
    channel, publisher = app.channel(NUMBERS), make_app().channel(NUMBERS)
    async with app.channel(Channel("other", int)).subscribe():
        for number in range(200):
            hasty = asyncio.create_task(channel.subscribe().__aenter__())
            for _ in range(number % 3):
                await asyncio.sleep(0)
            hasty.cancel()
            await asyncio.wait([hasty])
            if not hasty.cancelled():
                await hasty.result().aclose()
            async with channel.subscribe() as messages:
                assert await publisher.publish(number) == 1
                assert await values(messages, 1) == [number]


async def test_waiting_under_a_timeout_loses_nothing(app: App) -> None:
    channel = app.channel(NUMBERS)
    seen: list[int] = []
    async with channel.subscribe() as messages:
        for number in range(50):
            await channel.publish(number)
            while len(seen) <= number:
                try:
                    seen.append((await asyncio.wait_for(anext(messages), 0.0001)).value)  # type: ignore[union-attr]
                except TimeoutError:
                    continue
    assert seen == list(range(50))


async def test_who_joins_and_leaves_at_once_disturbs_nobody(app: App) -> None:
    channel = app.channel(NUMBERS)

    async def visit(at: int) -> None:
        async with channel.subscribe() as messages:
            await channel.publish(-at)
            async with asyncio.timeout(60):
                while (await anext(messages)).value != -at:  # type: ignore[union-attr]
                    pass

    async with channel.subscribe() as messages:
        await asyncio.gather(*(visit(at) for at in range(1, 30)))
        found = await values(messages, 29)
    assert sorted(found, reverse=True) == [-at for at in range(1, 30)]


async def test_what_does_not_fit_is_counted_and_left_out(
    app: App, raw: "redis.Redis", prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = app.channel(PRICES)
    async with channel.subscribe() as messages:
        for text in ("{", '{"symbol": 1}', "\xff", '{"symbol": "BTCUSDT", "price": 1}'):
            raw.publish(f"{prefix}::channel:prices", text)
        assert await values(messages, 1) == [Price("BTCUSDT", 1)]
    assert channel.stats().invalid == 3
    assert caplog.text.count("messages that do not fit are left out") == 1


async def test_a_hook_is_told_of_what_does_not_fit(app: App, raw: "redis.Redis", prefix: str) -> None:
    told = []

    def note(text: bytes, error: Exception) -> None:
        told.append((text, type(error)))
        raise ValueError("hooks may fail")

    channel = app.channel(Channel("noted", int, on_invalid=note))
    async with channel.subscribe() as messages:
        raw.publish(f"{prefix}::channel:noted", "x")
        raw.publish(f"{prefix}::channel:noted", "1")
        assert await values(messages, 1) == [1]
    assert told == [(b"x", PayloadError)]


@pytest.mark.parametrize("value", ["BTCUSDT", Price("BTCUSDT", "1"), Price("BTCUSDT", float("nan")), object()])  # type: ignore[arg-type]
async def test_what_readers_could_not_read_is_not_published(app: App, value: Any) -> None:
    channel = app.channel(PRICES)
    with pytest.raises(PayloadError, match="a message of channel 'prices'"):
        await channel.publish_many([Price("BTCUSDT", 1), value])
    assert channel.stats().published == 0


class Order(BaseModel):
    number: int


@dataclass
class Fill:
    number: int


@pytest.mark.parametrize(("kind", "value"), [(Order, Order(number=1)), (Fill, Fill(1)), (Any, {"number": 1})])
async def test_every_kind_of_type_comes_back(app: App, kind: Any, value: Any) -> None:
    channel = app.channel(Channel("kinds", kind))
    async with channel.subscribe() as messages:
        await channel.publish(value)
        assert await values(messages, 1) == [value]


async def test_a_validator_that_breaks_does_not_stop_the_reader(app: App, raw: "redis.Redis", prefix: str) -> None:
    class Odd(BaseModel):
        number: int

        def model_post_init(self, _: Any) -> None:
            if self.number % 2 == 0:
                raise RuntimeError("even")

    channel = app.channel(Channel("odd", Odd))
    async with channel.subscribe() as messages:
        for number in (1, 2, 3):
            raw.publish(f"{prefix}::channel:odd", f'{{"number":{number}}}')
        assert await values(messages, 2) == [Odd(number=1), Odd(number=3)]
    assert channel.stats().invalid == 1


async def test_an_app_that_closes_ends_its_readers(make_app: MakeApp) -> None:
    app = make_app()
    channel = app.channel(NUMBERS)
    async with channel.subscribe() as messages:
        waiting = asyncio.create_task(anext(messages, "the end"))
        await channel.publish(1)
        await eventually(waiting.done)
        waiting = asyncio.create_task(anext(messages, "the end"))
        await asyncio.sleep(0)
        await app.aclose()
        assert await waiting == "the end"


def test_code_without_a_loop_publishes_and_reads(redis_url: str, prefix: str, make_app: MakeApp) -> None:
    from stockyard import Topology

    app = App(Topology("test"), redis_url, prefix=prefix)
    try:
        channel = app.channel(NUMBERS)
        with channel.subscribe().sync as messages:
            channel.sync.publish_many([1, 2])
            found = []
            for message in messages:
                assert isinstance(message, Message)
                found.append(message.value)
                if len(found) == 2:
                    break
        assert found == [1, 2]
    finally:
        app.close()


async def test_a_name_is_declared_once(app: App) -> None:
    assert app.channel(NUMBERS) is app.channel(Channel("numbers", int))
    with pytest.raises(InvalidOption, match="two channels are called 'numbers'"):
        app.channel(Channel("numbers", str))
    with pytest.raises(InvalidOption, match="expected a Channel"):
        app.channel("numbers")  # type: ignore[arg-type]


async def test_a_live_channel_keeps_nothing(app: App) -> None:
    channel = app.channel(NUMBERS)
    for call in (lambda: channel.consume("g"), channel.replay):
        with pytest.raises(InvalidOption, match="declared with durable=True"):
            call()
    with pytest.raises(InvalidOption, match="read it by consume"):
        app.channel(FILLS).subscribe()


async def test_gap_is_no_message() -> None:
    assert not isinstance(MessageGap(channel="c", reason="overflow"), Message)
