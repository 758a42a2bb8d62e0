"""Deadlines of a loop: each cancels its own task when it is due, and none that is over."""

import asyncio

import pytest

from stockyard.model.deadlines import Deadline


async def block(seconds: float, *, hasten: float = 0.0) -> bool:
    """Wait in a block with a deadline; whether that ended it."""
    deadline = Deadline(seconds)
    if hasten:
        deadline.hasten(hasten)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        if not deadline.end(error):
            raise
        return True
    return False


async def test_each_is_ended_when_it_is_due() -> None:
    long = asyncio.ensure_future(block(3_600))
    assert all(await asyncio.gather(block(0.03), block(0.01), block(0.02)))
    assert not long.done()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_one_that_is_hastened_is_due_sooner() -> None:
    assert all(await asyncio.gather(block(3_600, hasten=3_599.99), block(0.02)))


async def test_one_that_is_over_cancels_nobody() -> None:
    first = Deadline(0.01)
    assert not first.end(None)
    second = Deadline(0.02)
    first.hasten(1)
    assert not first.end(None)
    with pytest.raises(asyncio.CancelledError) as ended:
        await asyncio.Event().wait()
    assert second.end(ended.value)


async def test_a_task_that_others_cancel_as_well_stays_cancelled() -> None:
    waiting = asyncio.ensure_future(block(0.01))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_loop_that_is_closed_is_forgotten() -> None:
    from stockyard.model import deadlines

    async def make() -> None:
        Deadline(0.01).end(None)

    for _ in range(5):
        asyncio.run(make())
    assert len([loop for loop in deadlines._timers if loop.is_closed()]) <= 1
