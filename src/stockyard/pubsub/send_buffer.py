"""Sends what the turns of one loop produce, in its order, in few calls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from stockyard._aio.shared import cancelled

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 500
"""Items of one call."""

_HEAVIEST = 500_000


class SendBuffer(Generic[Item, Answer]):
    """Items on their way; one call at a time, so that none overtakes another.

    Args:
        send: sends items and returns an answer for each.
        weigh: an item's bytes; a call carries no more than half a million. Defaults to none.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        weigh: Callable[[Item], int] = lambda _: 0,
    ) -> None:
        self._send = send
        self._weigh = weigh
        self._waiting: deque[tuple[Sequence[Item], asyncio.Future[Sequence[Answer]]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def put(self, items: Sequence[Item]) -> Sequence[Answer]:
        """Send items behind those before them; return their answers, or raise the error of their call.

        Items beyond what one call carries go in several, and the first that fails is the last; a caller that is
        cancelled takes back what was not sent yet.
        """
        answers: list[Answer] = []
        for part in self._parts(items):
            future: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
            self._waiting.append((part, future))
            if self._task is None:
                self._task = asyncio.create_task(self._run())
            answers += await future
        return answers

    def _parts(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        parts, start, weight = [], 0, 0
        for at, item in enumerate(items):
            more = self._weigh(item)
            if at > start and (at - start == MOST or weight + more > _HEAVIEST):
                parts.append(items[start:at])
                start, weight = at, 0
            weight += more
        parts.append(items[start:])
        return parts

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._carry()
        except BaseException:
            while self._waiting:
                _, future = self._waiting.popleft()
                if not future.done():
                    future.set_exception(cancelled("a call that sends messages"))
            raise
        finally:
            self._task = None

    async def _carry(self) -> None:
        items: list[Item] = []
        places: list[tuple[int, asyncio.Future[Sequence[Answer]]]] = []
        weight = 0
        while self._waiting:
            part, future = self._waiting[0]
            weight += sum(map(self._weigh, part))
            if items and (len(items) + len(part) > MOST or weight > _HEAVIEST):
                break
            self._waiting.popleft()
            if not future.done():
                items += part
                places.append((len(part), future))
        if not items:
            return
        try:
            answers = await self._send(items)
        except BaseException as error:
            reason = error if isinstance(error, Exception) else cancelled("a call that sends messages")
            for _, future in places:
                if not future.done():
                    future.set_exception(reason)
            if reason is not error:
                raise
            return
        at = 0
        for size, future in places:
            if not future.done():
                future.set_result(answers[at : at + size])
            at += size
