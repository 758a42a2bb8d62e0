"""The channels of these tests, and what was read from them."""

import asyncio
from typing import Any

import msgspec

from stockyard import Channel
from stockyard.pubsub import Consumer, Delivery, Message, MessageGap


class Price(msgspec.Struct, frozen=True):
    """What the channels tell."""

    symbol: str
    price: float


PRICES = Channel("prices", Price)
NUMBERS = Channel("numbers", int)
FILLS = Channel("fills", int, durable=True, attempts=3, idle="400ms")
IDLE_SECONDS = 0.4


async def take(reader: Any, count: int) -> list[Any]:
    """The next so many items."""
    async with asyncio.timeout(60):
        return [await anext(reader) for _ in range(count)]


async def values(reader: Any, count: int) -> list[Any]:
    """The values of the next so many messages; a gap stays a gap."""
    return [value_of(each) for each in await take(reader, count)]


async def die(consumer: Consumer[Any]) -> None:
    """Let a consumer end as if its process were killed: nothing is renewed, said or handed back."""
    await consumer._renewing.stop()
    consumer._is_closed = True
    consumer._connection.drop()


def value_of(item: Any) -> Any:
    return item.value if isinstance(item, Message | Delivery) else item


async def until_gap(reader: Any) -> tuple[list[Any], MessageGap]:
    """The values up to the next gap, and the gap."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while True:
            item = await anext(reader)
            if isinstance(item, MessageGap):
                return found, item
            found.append(item.value)
