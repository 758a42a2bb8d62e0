"""Work that several callers share."""

import asyncio

import pytest

from stockyard._aio.shared import shared
from stockyard.errors import SharedWorkCancelled


async def test_cancelled_work_is_an_ordinary_error_for_callers_that_are_not() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    callers = [asyncio.create_task(shared(work, "the work")) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.wait([callers[0]])
    assert callers[0].cancelled()
    assert not work.done()
    work.cancel()
    for caller in callers[1:]:
        with pytest.raises(SharedWorkCancelled, match="the work was cancelled"):
            await caller


async def test_a_caller_that_is_cancelled_together_with_the_work_is_cancelled() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    caller = asyncio.create_task(shared(work, "the work"))
    await asyncio.sleep(0)
    work.cancel()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()


async def test_a_timeout_around_it_is_a_timeout() -> None:
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await shared(work, "the work")
    work.set_result(1)
    assert await shared(work, "the work") == 1
