"""What is sent goes in its order, in few calls, one at a time."""

import asyncio
from collections.abc import Sequence

import pytest

from stockyard.errors import SharedWorkCancelled
from stockyard.pubsub import send_buffer
from stockyard.pubsub.send_buffer import SendBuffer


class Carrier:
    """Doubles what it is sent, remembers each call, and refuses 13."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def send(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        await self.may_go_on.wait()
        if 13 in items:
            raise ValueError("13")
        return [2 * each for each in items]


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    monkeypatch.setattr(send_buffer, "MOST", 4)
    return Carrier()


async def test_calls_of_one_turn_travel_together_and_none_overtakes(carrier: Carrier) -> None:
    buffer: SendBuffer[int, int] = SendBuffer(carrier.send)
    answers = await asyncio.gather(*(buffer.put([each]) for each in range(6)))
    assert answers == [[2 * each] for each in range(6)]
    assert carrier.calls == [[0, 1, 2, 3], [4, 5]]


async def test_many_go_in_parts_behind_what_waits(carrier: Carrier) -> None:
    buffer: SendBuffer[int, int] = SendBuffer(carrier.send)
    few = asyncio.create_task(buffer.put([1]))
    await asyncio.sleep(0)
    assert await buffer.put(range(20, 30)) == list(range(40, 60, 2))
    assert await few == [2]
    assert [each for call in carrier.calls for each in call] == [1, *range(20, 30)]
    assert max(map(len, carrier.calls)) <= 4


async def test_a_call_is_no_heavier_than_it_may_be(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_buffer, "_HEAVIEST", 5)
    buffer: SendBuffer[int, int] = SendBuffer(carrier.send, weigh=lambda item: item)
    assert await buffer.put([2, 3, 9, 1]) == [4, 6, 18, 2]
    assert carrier.calls == [[2, 3], [9], [1]]
    await asyncio.gather(buffer.put([3]), buffer.put([3]), buffer.put([1]))
    assert carrier.calls[3:] == [[3], [3, 1]]


async def test_an_error_reaches_those_whose_call_it_was(carrier: Carrier) -> None:
    buffer: SendBuffer[int, int] = SendBuffer(carrier.send)
    found = await asyncio.gather(*(buffer.put([each]) for each in (1, 2, 13, 4, 5)), return_exceptions=True)
    assert [type(each) for each in found] == [ValueError] * 4 + [list]
    assert await buffer.put([6]) == [12]


async def test_a_caller_that_is_cancelled_takes_back_what_was_not_sent(carrier: Carrier) -> None:
    buffer: SendBuffer[int, int] = SendBuffer(carrier.send)
    carrier.may_go_on.clear()
    first = asyncio.create_task(buffer.put([1]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second, third = asyncio.create_task(buffer.put([2])), asyncio.create_task(buffer.put([3]))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.sleep(0)
    carrier.may_go_on.set()
    assert await third == [6]
    assert carrier.calls == [[1], [3]]


async def test_a_call_that_is_cancelled_does_not_pass_for_the_senders_own_end() -> None:
    has_begun = asyncio.Event()

    async def hang(items: Sequence[int]) -> list[int]:
        has_begun.set()
        await asyncio.Event().wait()
        return []

    buffer: SendBuffer[int, int] = SendBuffer(hang)
    first = asyncio.create_task(buffer.put([1]))
    await has_begun.wait()
    second = asyncio.create_task(buffer.put([2]))
    await asyncio.sleep(0)
    assert buffer._task is not None
    buffer._task.cancel()
    for sending in (first, second):
        with pytest.raises(SharedWorkCancelled):
            await sending
