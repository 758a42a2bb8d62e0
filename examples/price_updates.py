"""Price updates: published live to every screen, one of which is too slow and notices it."""

import asyncio

import msgspec

from stockyard import App, Channel
from stockyard.pubsub import Message, MessageGap
from stockyard.trading import PLATFORM


class Price(msgspec.Struct, frozen=True):
    """What a symbol costs."""

    symbol: str
    price: float


prices = Channel("prices", Price)


async def show(app: App, ready: asyncio.Event) -> None:
    """A screen: shows every price until the market closes."""
    async with app.channel(prices).subscribe() as messages:
        ready.set()
        async for message in messages:
            match message:
                case Message(value=Price("CLOSE")):
                    return
                case Message(value=price):
                    print(f"{price.symbol} {price.price:,.1f}")
                case MessageGap(reason=reason):
                    print(f"prices are missing ({reason}): read them again")


async def main() -> None:
    async with App(PLATFORM, redis="embedded://") as app:
        feed = app.channel(prices)
        ready = asyncio.Event()
        screen = asyncio.create_task(show(app, ready))
        await ready.wait()
        await feed.publish(Price("BTCUSDT", 64_000.5))
        await feed.publish_many([Price("ETHUSDT", 3_100.0), Price("BTCUSDT", 64_001.0)])
        await feed.publish(Price("CLOSE", 0.0))
        await screen

        shown = missed = 0
        async with feed.subscribe(buffer=10) as messages:
            await feed.publish_many([Price("BTCUSDT", 64_000.0 + each) for each in range(1_000)])
            await asyncio.sleep(0.2)  # it draws
            while shown + missed < 1_000:
                match await anext(messages):
                    case MessageGap(missed=int(number)):
                        missed += number
                    case Message():
                        shown += 1
        print(f"a slow screen showed some of {shown + missed:,} prices, and knows how many it missed")


if __name__ == "__main__":
    asyncio.run(main())
