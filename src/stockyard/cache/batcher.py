"""Gathers the calls of one turn of the loop, so that they travel in few round trips."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from stockyard._aio.shared import cancelled

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Questions of one loop on their way.

    Args:
        send: answers a batch, in its order.
        most: questions of a batch.
        weigh: a question's weight; a batch ends where the weight would exceed ``heaviest``. Defaults to none.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        weigh: Callable[[Item], int] = lambda _: 0,
        heaviest: int = 250_000,
    ) -> None:
        self._send = send
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._loop = asyncio.get_running_loop()
        self._asked: list[tuple[Item, asyncio.Future[Answer] | None]] = []
        self._is_single = False
        self._is_asking = False
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, item: Item) -> asyncio.Future[Answer]:
        """Line a question up; the future gives its answer, or the error of the call that carried it."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._leave)
        self._asked.append((item, future))
        return future

    def expect(self, number: int) -> None:
        """So many questions are about to be asked in this turn of the loop."""
        self._is_single &= number < 2

    async def answer(self, item: Item) -> Answer:
        """Return the answer to a question; one that is alone in its turn of the loop needs no task and no future.

        Raises:
            The error of the call that carried it.
        """
        if self._asked:
            return await self.ask(item)
        if self._is_single and not self._is_asking:
            # As the one before it was alone, it does not wait for others of its turn.
            self._is_asking = True
            try:
                (answer,) = await self._send([item])
            finally:
                self._is_asking = False
            return answer
        self._asked.append((item, None))
        try:
            # Those of this turn line up behind it.
            await asyncio.sleep(0)
        except BaseException:
            del self._asked[0]
            self._leave()
            raise
        self._is_single = len(self._asked) == 1
        if self._is_single:
            self._asked.clear()
            (answer,) = await self._send([item])
            return answer
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[0] = (item, future)
        self._leave()
        return await future

    def _leave(self) -> None:
        asked = [(item, future) for item, future in self._asked if future is not None]
        self._asked = []
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        weight = 0
        for each in asked:
            more = self._weigh(each[0])
            if batch and (len(batch) == self._most or weight + more > self._heaviest):
                self._carry_apart(batch)
                batch, weight = [], 0
            batch.append(each)
            weight += more
        if batch:
            self._carry_apart(batch)

    def _carry_apart(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        task = self._loop.create_task(self._carry(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, batch: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._send([item for item, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                if not future.done():
                    future.set_exception(cancelled("a call of the cache"))
            raise
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
