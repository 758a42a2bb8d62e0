"""How questions are gathered into calls, and what an error does to each of them."""

import asyncio
from collections.abc import Sequence

import pytest

from stockyard._aio.direct import run_to_end
from stockyard._aio.gathered import Gathered
from stockyard.errors import ReplyLost, SharedWorkCancelled


class Server:
    """Notes each call; answers a question by its negative as soon as it may."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.errors: list[Exception] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def send(self, questions: Sequence[int]) -> list[int]:
        self.calls.append(list(questions))
        await self.may_answer.wait()
        if self.errors:
            raise self.errors.pop(0)
        return [-question for question in questions]


@pytest.fixture
def server() -> Server:
    return Server()


def gathered(server: Server, *, most: int = 4, most_bytes: int = 100) -> Gathered[int, int]:
    return Gathered(server.send, most=most, most_bytes=most_bytes, weigh=lambda question: question, what="a call")


async def turns(server: Server, calls: int) -> None:
    """Let the loop turn until so many calls are made."""
    async with asyncio.timeout(5):
        while len(server.calls) < calls:
            await asyncio.sleep(0)


async def test_questions_of_one_turn_are_asked_together(server: Server) -> None:
    asking = gathered(server, most=20)
    assert await asyncio.gather(*map(asking.ask, range(7))) == [-number for number in range(7)]
    assert server.calls == [[*range(7)]]


async def test_many_are_asked_by_several_calls(server: Server) -> None:
    asking = gathered(server)
    assert await asyncio.gather(*map(asking.ask, range(9))) == [-number for number in range(9)]
    assert server.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


async def test_while_three_calls_are_under_way_the_next_gathers(server: Server) -> None:
    server.may_answer.clear()
    asking = gathered(server)
    answers = [asyncio.ensure_future(asking.ask(number)) for number in range(12)]
    await turns(server, 3)
    answers += [asyncio.ensure_future(asking.ask(number)) for number in (12, 13)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert server.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    server.may_answer.set()
    assert await asyncio.gather(*answers) == [-number for number in range(14)]
    assert server.calls[3:] == [[12, 13]]


async def test_a_call_carries_so_many_bytes_or_a_single_larger_question(server: Server) -> None:
    asking = gathered(server, most=20)
    await asyncio.gather(*map(asking.ask, (60, 30, 30, 500, 1)))
    assert server.calls == [[60, 30], [30], [500], [1]]


async def test_an_error_is_that_of_its_call_alone(server: Server) -> None:
    asking = gathered(server)
    server.errors.append(ReplyLost("gone"))
    answers = await asyncio.gather(*map(asking.ask, range(5)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["gone", "gone", "gone", "gone", "-4"]


async def test_a_caller_that_is_cancelled_before_its_call_asks_nothing(server: Server) -> None:
    asking = gathered(server)
    first, second = (asyncio.ensure_future(asking.ask(number)) for number in (1, 2))
    first.cancel()
    assert await second == -2
    assert server.calls == [[2]]


async def test_a_caller_that_is_cancelled_leaves_the_call_to_the_others(server: Server) -> None:
    server.may_answer.clear()
    asking = gathered(server)
    first, second = (asyncio.ensure_future(asking.ask(number)) for number in (1, 2))
    await turns(server, 1)
    first.cancel()
    server.may_answer.set()
    assert await second == -2


async def test_when_a_call_is_cancelled_nobody_waits_for_ever(server: Server) -> None:
    server.may_answer.clear()
    asking = gathered(server)
    asked = [asyncio.ensure_future(asking.ask(number)) for number in range(14)]
    await turns(server, 3)
    current = {asyncio.current_task(), *asked}
    for task in asyncio.all_tasks() - current:
        task.cancel()
    for answer in asked:
        with pytest.raises(SharedWorkCancelled, match="a call was cancelled"):
            await answer
    server.may_answer.set()
    assert await asking.ask(5) == -5


def test_without_a_loop_each_is_asked_alone(server: Server) -> None:
    asking = gathered(server)

    async def answer(number: int) -> int:
        return await asking.ask(number)

    assert [run_to_end(answer(number)) for number in (1, 2)] == [-1, -2]
    assert server.calls == [[1], [2]]
