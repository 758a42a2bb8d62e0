"""The calls to the server that a worker waits for."""

import asyncio

from stockyard.consume.take.calls_in_flight import CallsInFlight


async def test_the_end_of_the_last_call_is_waited_for() -> None:
    calls = CallsInFlight()
    await calls.wait_for_end()
    calls.begin()
    calls.begin()
    waiting = asyncio.create_task(calls.wait_for_end())
    calls.end()
    await asyncio.sleep(0)
    assert (len(calls), waiting.done()) == (1, False)
    calls.end()
    await waiting
    assert not calls
