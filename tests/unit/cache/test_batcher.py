"""The calls of one turn of the loop travel together."""

import asyncio
from collections.abc import Sequence

import pytest

from stockyard.cache.batcher import Batcher
from stockyard.errors import SharedWorkCancelled


class Carrier:
    """Doubles what it is sent, and remembers each batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def send(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await asyncio.sleep(0)
        if 13 in items:
            raise ValueError("13")
        return [2 * each for each in items]


async def test_calls_of_one_turn_are_batches_of_the_greatest_size() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=3)
    assert await asyncio.gather(*(batcher.ask(each) for each in range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert carrier.batches == [[0, 1, 2], [3, 4, 5], [6]]
    assert await batcher.ask(9) == 18


async def test_a_batch_is_no_heavier_than_it_may_be() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=10, weigh=lambda item: item, heaviest=5)
    await asyncio.gather(*(batcher.ask(each) for each in (2, 3, 9, 1)))
    assert carrier.batches == [[2, 3], [9], [1]]


async def test_an_error_reaches_those_whose_batch_it_was() -> None:
    batcher = Batcher(Carrier().send, most=2)
    answers = await asyncio.gather(*(batcher.ask(each) for each in (1, 13, 3)), return_exceptions=True)
    assert [str(each) for each in answers] == ["13", "13", "6"]


async def test_one_that_gave_up_is_no_matter_to_the_others() -> None:
    batcher = Batcher(Carrier().send, most=5)
    first, second = batcher.ask(1), batcher.ask(2)
    first.cancel()
    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_call_that_is_cancelled_does_not_pass_for_the_callers_own_end() -> None:
    has_begun = asyncio.Event()

    async def hang(items: Sequence[int]) -> list[int]:
        has_begun.set()
        await asyncio.Event().wait()
        return []

    batcher = Batcher(hang, most=5)
    first, second = batcher.ask(1), batcher.ask(2)
    await has_begun.wait()
    for task in batcher._tasks:
        task.cancel()
    for future in (first, second):
        with pytest.raises(SharedWorkCancelled):
            await future
