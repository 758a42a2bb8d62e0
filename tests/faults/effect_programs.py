"""A worker whose handler submits orders at most once; a process of its own, which a test stops and lets go on."""

import asyncio
import os
import subprocess
import sys
from typing import Any

from stockyard import App, Topology
from stockyard.effects import Applied, EffectRecord, Venue
from tests.support.effect_handlers import place_and_stall
from tests.support.forked import Forked
from tests.support.plain_client import PlainClient

LOCK = "4s"


async def ask_the_book(effect: EffectRecord) -> Any:
    """Answer as the venue does, once the test lets it."""
    client = PlainClient(os.environ["EFFECTS_URL"])
    book = os.environ["EFFECTS_BOOK"]
    if not client.exists(f"{book}:answers"):
        return "unknown"
    return Applied({"found": effect.key}) if effect.key.encode() in client.lrange(book, 0, -1) else "not_applied"


def topology() -> Topology:
    """One queue of orders, whose leases are short."""
    topology = Topology("desk")
    topology.queue(
        "orders",
        lock=LOCK,
        attempts=3,
        delivery="at_most_once",
        venue=Venue(dedup="open_orders", verify="eventual", settle="300ms"),
        on_unknown=ask_the_book,
    )
    return topology


async def work() -> None:
    """Run one worker until it is killed."""
    async with App(topology(), os.environ["EFFECTS_URL"], prefix=os.environ["EFFECTS_PREFIX"]) as app:
        await app.worker("orders", place_and_stall, concurrency=1).run(handle_signals=True)


def start(url: str, prefix: str) -> "subprocess.Popen[bytes]":
    """Start a worker."""
    environment = {**os.environ, "EFFECTS_URL": url, "EFFECTS_PREFIX": prefix, "EFFECTS_BOOK": f"{prefix}-book"}
    return Forked([sys.executable, "-W", "error", "-m", "tests.faults.effect_programs"], env=environment)


if __name__ == "__main__":
    asyncio.run(work())
