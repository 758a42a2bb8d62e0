"""Jobs of several calls start in the order of the calls, though a later reply is read first."""

import asyncio

from stockyard.consume.take.start_line import StartLine, StartPlace


async def test_the_jobs_of_a_later_call_wait_for_those_of_an_earlier_one() -> None:
    line = StartLine()
    started: list[str] = []

    async def start(place: StartPlace, name: str) -> None:
        await place.come_up()
        started.append(name)

    before = line.place()
    first = before.__enter__()
    with line.place() as second:
        waiting = asyncio.create_task(start(second, "second"))
        await asyncio.sleep(0)
        assert started == []
        await start(first, "first")
        before.__exit__(None, None, None)
        await waiting
    assert started == ["first", "second"]


async def test_an_earlier_call_that_brings_nothing_lets_the_later_one_go_on() -> None:
    line = StartLine()
    first = line.place()
    first.__enter__()
    with line.place() as second:
        waiting = asyncio.create_task(second.come_up())
        await asyncio.sleep(0)
        assert not waiting.done()
        first.__exit__(None, None, None)
        await waiting


async def test_a_call_whose_reply_does_not_come_holds_no_other_up() -> None:
    line = StartLine()
    with line.place(), line.place() as second:
        await asyncio.wait_for(second.come_up(), 5)
