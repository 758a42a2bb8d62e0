"""The pause of one worker."""

import asyncio

from stockyard.consume.heartbeat import Heartbeat
from stockyard.consume.take.rest import Rest


async def test_a_rest_is_reached_once_nothing_is_in_hand() -> None:
    heartbeat = Heartbeat()
    rest = Rest(heartbeat)
    await rest.wait()
    rest.begin()
    assert (rest.is_on, heartbeat.is_paused) == (True, True)
    waiting = asyncio.create_task(rest.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    rest.reach()
    await waiting
    await rest.wait()


async def test_going_on_ends_the_wait_and_the_next_rest_is_another() -> None:
    rest = Rest(Heartbeat())
    rest.begin()
    waiting = asyncio.create_task(rest.wait())
    await asyncio.sleep(0)
    rest.end()
    await waiting
    rest.begin()
    again = asyncio.create_task(rest.wait())
    await asyncio.sleep(0)
    assert not again.done()
    rest.reach()
    await again
