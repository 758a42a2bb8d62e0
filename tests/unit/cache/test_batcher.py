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


async def test_a_question_that_is_alone_in_its_turn_takes_no_task() -> None:
    tasks: list[int] = []

    async def send(items: Sequence[int]) -> list[int]:
        tasks.append(len(asyncio.all_tasks()))
        return [2 * each for each in items]

    batcher = Batcher(send, most=5)
    assert [await batcher.answer(each) for each in range(3)] == [0, 2, 4]
    assert tasks == [1, 1, 1]


async def test_questions_of_one_turn_travel_together_in_their_order() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=3)
    assert await asyncio.gather(*map(batcher.answer, range(7))) == [0, 2, 4, 6, 8, 10, 12]
    assert carrier.batches == [[0, 1, 2], [3, 4, 5], [6]]
    assert await asyncio.gather(*map(batcher.answer, range(7, 9))) == [14, 16]
    assert carrier.batches[3:] == [[7, 8]]
    with pytest.raises(ValueError, match="13"):
        await batcher.answer(13)
    assert await batcher.answer(1) == 2


async def test_the_first_of_a_turn_may_be_cancelled_before_it_leaves_and_after() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=5)
    for turns in range(3):
        asked = [asyncio.create_task(batcher.answer(each)) for each in range(3)]
        for _ in range(turns + 1):
            await asyncio.sleep(0)
        asked[0].cancel()
        assert await asyncio.gather(*asked[1:]) == [2, 4]
        assert asked[0].cancelled()
    assert await batcher.answer(4) == 8


async def test_all_of_a_turn_may_be_cancelled() -> None:
    batcher = Batcher(Carrier().send, most=5)
    asked = [asyncio.create_task(batcher.answer(each)) for each in range(3)]
    await asyncio.sleep(0)
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    assert all(each.cancelled() for each in asked)
    assert await batcher.answer(4) == 8


async def test_a_question_behind_one_that_was_alone_leaves_at_once() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=5)
    assert await batcher.answer(1) == 2
    asking = batcher.answer(2)
    asking.send(None)
    assert carrier.batches == [[1], [2]]
    asking.close()
    # Of several, the others still travel together; and from now on all of them do.
    assert await asyncio.gather(*map(batcher.answer, (3, 4, 5))) == [6, 8, 10]
    assert await asyncio.gather(*map(batcher.answer, (6, 7, 8))) == [12, 14, 16]
    assert carrier.batches[2:] == [[3], [4, 5], [6, 7, 8]]


async def test_several_that_are_expected_leave_together_behind_one_that_was_alone() -> None:
    carrier = Carrier()
    batcher = Batcher(carrier.send, most=5)
    assert await batcher.answer(1) == 2
    batcher.expect(2)
    assert await asyncio.gather(*map(batcher.answer, (2, 3))) == [4, 6]
    assert carrier.batches == [[1], [2, 3]]
