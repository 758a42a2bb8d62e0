"""Gathers what callers ask in one turn of the loop, so that it travels in few calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.shared import cancelled

Q = TypeVar("Q")
A = TypeVar("A")

_AT_ONCE = 3
"""Calls that wait for their replies; while there are so many, what is asked is gathered for the next."""


class Gathered(Generic[Q, A]):
    """Questions of many callers, asked together.

    In a loop, those of one turn are asked by one call or a few. Where no loop runs, each is asked alone.

    Args:
        send: asks some questions; its answers are in their order.
        most: questions of one call at most.
        most_bytes: how much they weigh together at most; a single one may weigh more.
        weigh: bytes of a question. Defaults to none.
        what: names a call, for the error of callers whose call was cancelled: ``"a call that begins effects"``.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int,
        most_bytes: int,
        weigh: Callable[[Q], int] | None = None,
        what: str,
    ) -> None:
        self._send = send
        self._of_loop = PerLoop(lambda: _Batcher(send, most=most, most_bytes=most_bytes, weigh=weigh, what=what))

    def ask(self, question: Q) -> Awaitable[A]:
        """Return what the answer, or the error of the call that the question travels in, is awaited by.

        A caller that is cancelled before its call is made asks nothing.
        """
        if asyncio._get_running_loop() is None:
            return self._alone(question)
        return self._of_loop.get().ask(question)

    async def _alone(self, question: Q) -> A:
        (answer,) = await self._send([question])
        return answer


class _Batcher(Generic[Q, A]):
    """The questions of one loop: those that wait for a call, and the calls under way."""

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int,
        most_bytes: int,
        weigh: Callable[[Q], int] | None,
        what: str,
    ) -> None:
        self._send = send
        self._most = most
        self._most_bytes = most_bytes
        self._weigh = weigh
        self._what = what
        self._loop = asyncio.get_running_loop()
        self._asked: list[tuple[Q, asyncio.Future[A]]] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._is_gathering = False

    def ask(self, question: Q) -> asyncio.Future[A]:
        """Line a question up; it leaves when the turn of the loop ends, or a call before it does."""
        future: asyncio.Future[A] = self._loop.create_future()
        self._asked.append((question, future))
        if not self._is_gathering:
            self._is_gathering = True
            self._loop.call_soon(self._end_turn)
        return future

    def _end_turn(self) -> None:
        self._is_gathering = False
        self._start_calls()

    def _start_calls(self) -> None:
        while self._asked and len(self._calls) < _AT_ONCE:
            asked = self._next()
            if asked:
                call = self._loop.create_task(self._call(asked))
                self._calls.add(call)
                call.add_done_callback(self._end_call)

    def _next(self) -> list[tuple[Q, asyncio.Future[A]]]:
        number = self._most if self._weigh is None else self._number_within(self._weigh)
        leaving, self._asked = self._asked[:number], self._asked[number:]
        # Of one whose caller was cancelled nothing is sent.
        return [each for each in leaving if not each[1].done()]

    def _number_within(self, weigh: Callable[[Q], int]) -> int:
        weight = 0
        for number, (question, _) in enumerate(self._asked[: self._most]):
            weight += weigh(question)
            if number and weight > self._most_bytes:
                return number
        return self._most

    async def _call(self, asked: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._send([question for question, _ in asked])
        except Exception as error:
            _fail(asked, error)
            return
        except BaseException:
            # Nobody waits for ever, and nobody is taken for cancelled who is not.
            _fail([*asked, *self._asked], cancelled(self._what))
            self._asked.clear()
            raise
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _end_call(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._start_calls()


def _fail(asked: Sequence[tuple[Q, asyncio.Future[A]]], error: Exception) -> None:
    for _, future in asked:
        if not future.done():
            future.set_exception(error)
