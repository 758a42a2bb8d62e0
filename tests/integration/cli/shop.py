"""A small application that the command line's tests run."""

import asyncio
import logging
import os
from typing import Any

from stockyard import App, Job, Topology, Worker

shop = Topology("shop")
mail = shop.queue("mail", concurrency=4)
parcels = shop.queue("parcels", concurrency=2)
returns = shop.queue("returns")
mill = shop.queue("mill", executor="process")
desk = Topology("desk")
orders = desk.queue("orders", critical=True)
not_a_target = 7
_log = logging.getLogger("shop")


@mail.handler("welcome")
async def welcome(job: Job[dict[str, Any]]) -> int:
    """Answer with the pid, after as many seconds as asked."""
    _log.info("a letter to %s", job.data.get("name", "you"))
    await job.log(f"welcome, {job.data.get('name', 'you')}")
    await asyncio.sleep(job.data.get("seconds", 0))
    return os.getpid()


@mail.handler("bounce")
async def bounce(job: Job[Any]) -> None:
    """Fail."""
    raise ValueError("no such address")


@parcels.handler("send")
async def send(job: Job[Any]) -> None:
    """Do nothing."""


@mill.handler("grind")
def grind(job: Job[dict[str, int]]) -> list[int]:
    """Answer with the child's pid and a sum."""
    _log.info("grinding")
    return [os.getpid(), sum(range(job.data["until"]))]


@orders.handler("place")
async def place(job: Job[Any]) -> None:
    """Do nothing."""


elsewhere = App(shop, redis="redis://127.0.0.1:1/0")


def workers() -> list[Worker]:
    """One worker, made in this module's own way."""
    return [App(shop).worker("mail", concurrency=3)]
