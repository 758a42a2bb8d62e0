"""Publishes or reads on a channel in the way that `what` names, and answers how fast that went."""

import asyncio
import time
from typing import Any

import msgspec
import uvloop

from benchmarks.sides.ground import ARGUMENTS, TOPOLOGY, answer
from stockyard import App, Channel, Settings
from stockyard.pubsub import Delivery, MessageGap


class Price(msgspec.Struct, frozen=True):
    """What is told."""

    symbol: str
    number: int
    price: float


LIVE = Channel("prices", Price)
KEPT = Channel("fills", Price, durable=True, max_len=None)
_TURN = 1_000


async def publish(app: App) -> dict[str, Any]:
    """Publish so many messages, `group` at a time."""
    group = ARGUMENTS.get("group", _TURN)
    channel, number = app.channel(KEPT if ARGUMENTS.get("durable") else LIVE), ARGUMENTS["messages"]
    start = time.perf_counter()
    for at in range(0, number, group):
        await channel.publish_many([Price("BTCUSDT", each, 64_000.5) for each in range(at, at + group)])
    return {"rate": number / (time.perf_counter() - start)}


async def subscribe(app: App) -> dict[str, Any]:
    """Read until the last message has come; the clock runs from the first."""
    count = missed = last = 0
    start = 0.0
    async with app.channel(LIVE).subscribe() as messages:
        answer({"ready": True})
        async for message in messages:
            if isinstance(message, MessageGap):
                missed += message.missed or 0
                continue
            if not count:
                start = time.perf_counter()
            if message.value.number != last + 1 and count:
                raise AssertionError(f"{message.value.number} came behind {last}")
            last = message.value.number
            count += 1
            if last == ARGUMENTS["messages"] - 1:
                break
    return {"rate": count / (time.perf_counter() - start), "missed": missed + ARGUMENTS["messages"] - count}


async def consume(app: App) -> dict[str, Any]:
    """Handle all there is, and acknowledge each."""
    channel, number = app.channel(KEPT), ARGUMENTS["messages"]
    done = 0
    finished = asyncio.Event()

    async def handler(message: Delivery[Price]) -> None:
        nonlocal done
        done += 1
        if done == number:
            finished.set()

    start = time.perf_counter()
    handling = asyncio.create_task(
        channel.handle("bench", handler, concurrency=ARGUMENTS["concurrency"], buffer=500)
    )
    await finished.wait()
    took = time.perf_counter() - start
    handling.cancel()
    await asyncio.wait([handling])
    return {"rate": number / took}


async def _opened() -> dict[str, Any]:
    async with App(TOPOLOGY, settings=Settings.load(ARGUMENTS["url"], dotenv=None)) as app:
        found: dict[str, Any] = await globals()[ARGUMENTS["what"]](app)
        return found


answer(uvloop.run(_opened()))
