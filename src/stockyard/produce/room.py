"""Waits for room in a queue in which as many jobs wait as may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.randomness import jitter
from stockyard._store.jobs.adding import BATCH, Answer, ExistingJob, SentJob
from stockyard.errors import QueueFull
from stockyard.produce.batcher import Batcher
from stockyard.produce.direct_adds import DirectAdds

_AT_ONCE = BATCH // 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25


class Room:
    """The adds of one queue that wait for room; those of one loop get it in the order in which they came.

    Args:
        timeout: seconds that an add waits at most.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._turns: PerLoop[AbstractAsyncContextManager[Any]] = PerLoop(asyncio.Lock, outside=nullcontext)

    async def add(self, adder: Batcher | DirectAdds, job: SentJob) -> str | ExistingJob:
        """Add a job, as soon as there is room.

        Raises:
            QueueFull: there was none in time.
            The errors of the adder.
        """
        deadline = time.monotonic() + self._timeout
        turn = self._turns.get()
        if not (isinstance(turn, asyncio.Lock) and turn.locked()):
            try:
                return await adder.add(job)
            except QueueFull:
                if time.monotonic() >= deadline:
                    raise
        return await self._in_turn(adder, job, deadline)

    async def add_all(
        self, adder: Batcher | DirectAdds, jobs: Sequence[SentJob]
    ) -> Sequence[Answer | BaseException]:
        """Add jobs in the order given, each as soon as there is room; return what became of each."""
        answers: list[Answer | BaseException] = []
        for at in range(0, len(jobs), _AT_ONCE):
            # One call each: of two calls, the second might find room where the first found none.
            deadline = time.monotonic() + self._timeout
            part = jobs[at : at + _AT_ONCE]
            for job, answer in zip(part, await adder.add_all(part), strict=True):
                answers.append(answer)
                if isinstance(answer, QueueFull):
                    try:
                        answers[-1] = await self._in_turn(adder, job, deadline)
                    except Exception as error:
                        answers[-1] = error
                    # Each of them may wait for so long.
                    deadline = time.monotonic() + self._timeout
        return answers

    async def _in_turn(self, adder: Batcher | DirectAdds, job: SentJob, deadline: float) -> str | ExistingJob:
        turn = self._turns.get()
        if not isinstance(turn, asyncio.Lock):
            return await _try(adder, job, deadline)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                await turn.acquire()
        except TimeoutError:
            # The last try says how full it is.
            return await adder.add(job)
        try:
            return await _try(adder, job, deadline)
        finally:
            turn.release()


async def _try(adder: Batcher | DirectAdds, job: SentJob, deadline: float) -> str | ExistingJob:
    pause = _FIRST_PAUSE
    while True:
        try:
            return await adder.add(job)
        except QueueFull:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
        await _sleep(min(jitter(pause), left))
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _sleep(seconds: float) -> None:
    """Sleep in the loop, or in the thread of a caller without one."""
    if asyncio._get_running_loop() is None:
        time.sleep(seconds)  # noqa: ASYNC251
    else:
        await asyncio.sleep(seconds)
