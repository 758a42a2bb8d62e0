"""Exchanges ended runs for new jobs while there is work, and waits for the marker when there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stockyard._aio.patience import Patience
from stockyard._store import leasing
from stockyard._store.doorbell import Doorbell
from stockyard._store.finishing import EndedRun, Order, finish_and_take
from stockyard._store.link import QueueLink
from stockyard.consume.finisher import Finisher
from stockyard.consume.runner import Runner
from stockyard.errors import ReplyLost, ServerError
from stockyard.topology import Rate

_log = logging.getLogger("stockyard")

BATCH = 50
"""Runs written and jobs started by one call: about a millisecond of the server."""

LANES = 2
"""Calls under way at a time, so that the server and this process work at once."""

_LONGEST_BLOCK = 10.0
_LONGEST_LIMIT = 30.0


class Fetcher:
    """Keeps a worker's hands full.

    Args:
        link: the queue.
        worker_id: begins every token.
        worker_name: written into the jobs, or empty.
        concurrency: jobs in hand at most.
        lock_ms: length of their leases.
        rate: the worker's window limit, or None.
        drain_delay: seconds between two looks at a queue that nobody rings for.
        finisher, runner, doorbell: its neighbours.
        on_drained: called when nothing more waits.
    """

    def __init__(
        self,
        link: QueueLink,
        *,
        worker_id: str,
        worker_name: str,
        concurrency: int,
        lock_ms: int,
        rate: Rate | None,
        drain_delay: float,
        finisher: Finisher,
        runner: Runner,
        doorbell: Doorbell,
        on_drained: Callable[[], None],
    ) -> None:
        self._link = link
        self._worker_id = worker_id
        self._worker_name = worker_name
        self._concurrency = concurrency
        self._lock_ms = lock_ms
        self._rate = rate
        self._drain_delay = drain_delay
        self._finisher = finisher
        self._runner = runner
        self._doorbell = doorbell
        self._on_drained = on_drained
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._is_drained = False
        self._is_taking = True
        self._limited_until = 0
        self._next_due = 0
        self._reserved = 0
        self._in_flight = 0
        self._calls_ended = asyncio.Event()
        self._calls_ended.set()
        self._calls = 0
        self._lost: list[tuple[str, int]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to take jobs."""
        self._tasks = [
            asyncio.create_task(self._lane(), name=f"lane {number} of {self._link.queue}")
            for number in range(LANES)
        ]
        self._tasks.append(asyncio.create_task(self._listen(), name=f"doorbell of {self._link.queue}"))

    def wake(self) -> None:
        """There is something to write."""
        self._work.set()

    async def stop_taking(self) -> None:
        """Take no more jobs; those of calls under way are still started."""
        self._is_taking = False
        self._tasks[-1].cancel()
        self._doorbell.drop()
        await asyncio.wait([self._tasks[-1]])
        await self._calls_ended.wait()

    async def flush(self, seconds: float) -> None:
        """Return when every ended run is written, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while len(self._finisher) or self._in_flight:
                    self._work.set()
                    await asyncio.sleep(0.001)
                    await self._calls_ended.wait()
        except TimeoutError:
            _log.error(
                "%d ended jobs of queue %s could not be written before the stop; they will run again",
                len(self._finisher),
                self._link.queue,
            )

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._doorbell.close()

    def _enter_call(self) -> None:
        self._in_flight += 1
        self._calls_ended.clear()

    def _leave_call(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._calls_ended.set()

    def _room(self) -> int:
        if not self._is_taking or self._link.clock() < self._limited_until:
            return 0
        in_hand = len(self._runner) + len(self._finisher) + self._reserved
        return min(BATCH, self._concurrency - in_hand)

    async def _lane(self) -> None:
        patience = Patience()
        while True:
            ended = self._finisher.batch(BATCH)
            room = self._room()
            if not ended and not self._lost and (room <= 0 or self._is_drained):
                if room > 0:
                    self._idle.set()
                self._work.clear()
                await self._work.wait()
                continue
            self._calls += 1
            token = f"{self._worker_id}:{self._calls}"
            self._reserved += max(room, 0)
            self._enter_call()
            try:
                if self._lost:
                    await self._take_lost()
                await self._exchange(ended, max(room, 0), token)
                patience.reset()
            except ServerError as error:
                was_sent = isinstance(error, ReplyLost)
                self._finisher.give_back(ended, may_be_written=was_sent)
                if was_sent and room > 0:
                    self._lost.append((token, room))
                else:
                    self._reserved -= max(room, 0)
                _log.warning("worker of queue %s: %s", self._link.queue, error)
                self._leave_call()
                await patience.wait()
            else:
                self._leave_call()

    async def _exchange(self, ended: list[EndedRun], room: int, token: str) -> None:
        rate = self._rate
        order = Order(
            room,
            token,
            self._lock_ms,
            rate.max if rate else None,
            rate.duration_ms if rate else None,
            self._worker_name,
        )
        done = await finish_and_take(self._link, ended, order)
        self._reserved -= room
        if done.rows:
            self._runner.start(done.rows, token)
        if ended:
            self._finisher.read(ended, done.codes)
        if room:
            self._note(room, len(done.rows), done.limited_ms, done.next_due)

    def _note(self, asked: int, got: int, limited_ms: int, next_due: int) -> None:
        """Remember why there was not more."""
        was_drained, self._is_drained = self._is_drained, got < asked
        if limited_ms:
            self._is_drained = False
            pause = min(limited_ms / 1000, _LONGEST_LIMIT)
            self._limited_until = self._link.clock() + limited_ms
            asyncio.get_running_loop().call_later(pause, self._limit_over)
        elif not got:
            self._next_due = next_due
            if not was_drained:
                self._on_drained()
        if self._is_drained and self._room() > 0:
            self._idle.set()

    def _limit_over(self) -> None:
        self._limited_until = 0
        self._work.set()

    async def _take_lost(self) -> None:
        """Find the jobs that were started for us by calls whose replies never came."""
        while self._lost:
            token, room = self._lost[0]
            rows = await leasing.reclaim(self._link, token)
            self._lost.pop(0)
            self._reserved -= room
            self._runner.start(rows, token)

    async def _listen(self) -> None:
        patience = Patience()
        while True:
            await self._idle.wait()
            self._idle.clear()
            while self._is_drained and self._room() > 0:
                try:
                    rung = await self._doorbell.wait(self._block_seconds())
                except ServerError as error:
                    _log.warning("worker of queue %s: %s", self._link.queue, error)
                    await patience.wait()
                    self._look()
                    break
                patience.reset()
                if rung is None or rung <= self._link.clock():
                    self._next_due = 0
                    if self._room() > 0:
                        self._look()
                    else:
                        await self._doorbell.ring_again()
                    break
                self._next_due = min(rung, self._next_due) if self._next_due else rung

    def _look(self) -> None:
        self._is_drained = False
        self._work.set()

    def _block_seconds(self) -> float:
        if not self._next_due:
            return self._drain_delay
        return min(max((self._next_due - self._link.clock()) / 1000, 0.001), _LONGEST_BLOCK)
