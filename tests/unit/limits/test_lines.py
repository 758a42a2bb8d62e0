"""Calls that need the same limits wait in a line."""

import asyncio

from stockyard.limits.lines import Lines


async def test_a_line_is_served_in_order() -> None:
    lines, served = Lines(), []
    gate = asyncio.Event()

    async def call(number: int) -> None:
        async with lines.turn("a"):
            await gate.wait()
            served.append(number)

    tasks = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert not lines.is_empty("a")
    assert lines.is_empty("b")
    gate.set()
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2, 3, 4]
    assert lines.is_empty("a")


async def test_who_gives_up_holds_nobody() -> None:
    lines, served = Lines(), []

    async def call(number: int) -> None:
        async with lines.turn("a"):
            if number == 0:
                await asyncio.Event().wait()
            served.append(number)

    tasks = [asyncio.create_task(call(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [1, 3]
    assert lines.is_empty("a")


async def test_a_pause_ends_early_when_something_is_given_back() -> None:
    lines = Lines()
    pause = asyncio.create_task(lines.pause(3600))
    await asyncio.sleep(0)
    lines.wake()
    await asyncio.wait_for(pause, 5)
