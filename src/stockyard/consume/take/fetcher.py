"""Exchanges ended runs for new jobs while there is work, and waits for the marker when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from stockyard import telemetry
from stockyard._aio.retry_delay import RetryDelay
from stockyard._store.jobs import leasing
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.finishing import LimitedTakeRequest, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import LoadSize
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.finish.next_run_maker import NextRunMaker
from stockyard.consume.run.active_runs import ActiveRuns
from stockyard.consume.run.ending import Ending, traces_of
from stockyard.consume.run.execution import Execution
from stockyard.consume.run.expiry import start_moment
from stockyard.consume.take.calls_in_flight import CallsInFlight
from stockyard.consume.take.demand import Demand
from stockyard.consume.take.due_alarm import DueAlarm
from stockyard.consume.take.evicted_locks import locked_again
from stockyard.consume.take.lost_replies import LostReplies
from stockyard.consume.take.outage import Outage
from stockyard.consume.take.rest import Rest
from stockyard.consume.take.start_line import StartLine
from stockyard.consume.take.starter import Starter
from stockyard.consume.take.transit import Transit
from stockyard.errors import ReplyLost, ServerError

_log = logging.getLogger(__name__)

LANES = 2
"""Calls under way at a time, so that the server and this process work at once."""

LIMITED_PAUSE = 0.05
"""Seconds between two looks of a worker that is limited: each added job sets the marker, and none could start."""


class Fetcher:
    """Keeps a worker's hands full.

    Args:
        keyspace: the queue.
        worker_id: begins every token.
        concurrency: jobs in hand at most.
        take_defaults: what it asks for in every call, but for the number of jobs and their token.
        drain_delay: seconds to wait for the marker of an empty queue.
        finisher, starter, next_runs, blocking_taker: its neighbours.
        active: the runs in hand.
        execution: says how many threads are lost.
        work: set when there is something to write, or a place is free.
        outage: notes every answer and every failure.
        rest: its pause.
        on_drained: called when nothing more waits.
        on_broken: called when it cannot go on.
    """

    def __init__(
        self,
        keyspace: QueueKeyspace,
        *,
        worker_id: str,
        concurrency: int,
        take_defaults: TakeRequest,
        drain_delay: float,
        finisher: Finisher,
        starter: Starter,
        active: ActiveRuns,
        execution: Execution,
        work: asyncio.Event,
        next_runs: NextRunMaker,
        blocking_taker: BlockingTaker,
        outage: Outage,
        rest: Rest,
        on_drained: Callable[[], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self._keyspace = keyspace
        self._worker_id = worker_id
        self._concurrency = concurrency
        self._take_defaults = take_defaults
        self._lock_ms = take_defaults.lock_ms
        self._demand = Demand(drain_delay=drain_delay)
        self._finisher = finisher
        self._starter = starter
        self._active = active
        self._execution = execution
        self._work = work
        self._next_runs = next_runs
        self._blocking_taker = blocking_taker
        self._outage = outage
        self._on_drained = on_drained
        self._on_broken = on_broken
        self._transit = Transit(keyspace, lock_ms=take_defaults.lock_ms)
        self._size = LoadSize()
        self._lost = LostReplies(
            keyspace, lock_ms=take_defaults.lock_ms, size=self._size, start=starter.start, free=self._free
        )
        # Others need it not: what is delayed may start a tenth of a second late.
        self._alarm = DueAlarm(keyspace) if isinstance(take_defaults, LimitedTakeRequest) else None
        self._listening = asyncio.Event()
        self._shall_look = True
        self._is_taking = True
        self._reserved = 0
        self._in_flight = CallsInFlight()
        self._calls = 0
        self._line = StartLine()
        self._rest = rest
        self._tasks: list[asyncio.Task[None]] = []
        self._is_interrupted = False
        self._interruption: asyncio.Task[None] | None = None

    def resize(self, concurrency: int) -> None:
        """Hold up to so many jobs from now on; those in hand beyond that go on."""
        asks_for_too_many = concurrency < self._concurrency
        self._concurrency = concurrency
        self._listening.set()
        self._work.set()
        if asks_for_too_many and not math.isinf(self._blocking_taker.waits_until):
            self._interrupt()

    def _interrupt(self) -> None:
        """Break off a call that waits: it would start as many jobs as there was room for when it was sent."""
        if self._is_taking:
            self._is_interrupted = True
            self._interruption = asyncio.create_task(self._blocking_taker.interrupt())

    def pause(self) -> None:
        """Take no more jobs until ``resume``; those of calls under way are still started."""
        self._rest.begin()
        if self._tasks:
            self._interrupt()
        self._work.set()

    async def rest(self) -> None:
        """Return when it is paused and has nothing in hand any more, or was resumed or stopped meanwhile."""
        if self._tasks:
            await self._rest.wait()

    def resume(self) -> None:
        """Take jobs again after ``pause``."""
        self._rest.end()
        self._shall_look = True
        self._listening.set()
        self._work.set()

    async def start(self) -> None:
        """Begin to take jobs."""
        self._tasks = [
            asyncio.create_task(self._lane(), name=f"lane {number} of {self._keyspace.queue}")
            for number in range(LANES)
        ]
        self._tasks.append(asyncio.create_task(self._listen(), name=f"blocking taker of {self._keyspace.queue}"))
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_broken(error)

    async def stop_taking(self) -> None:
        """Take no more jobs; those of calls under way are still started."""
        self._is_taking = False
        self._listening.set()
        await self._blocking_taker.interrupt()
        await asyncio.wait([self._tasks[-1]])
        await self._in_flight.wait_for_end()
        with contextlib.suppress(ServerError):
            await self._lost.take()
        await self._next_runs.settle()

    async def flush(self, seconds: float) -> None:
        """Return when every ended run is written, or after so many seconds."""
        retry_delay = RetryDelay()
        try:
            async with asyncio.timeout(seconds):
                while len(self._finisher) or self._in_flight:
                    await self._in_flight.wait_for_end()
                    await self._turn(self._batch(), 0, retry_delay)
        except TimeoutError:
            _log.error(
                "%d ended jobs of queue %s could not be written before the stop; they will run again",
                len(self._finisher),
                self._keyspace.queue,
            )

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        tasks, self._tasks = self._tasks, []
        self._rest.reach()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._alarm is not None:
            await self._alarm.stop()
        await self._transit.stop()
        await self._blocking_taker.close()

    @property
    def room(self) -> int:
        """How many more jobs it would take now; 0 or less for none."""
        return 0 if self._demand.limited_seconds(time.monotonic()) > 0 else self._places

    @property
    def _places(self) -> int:
        """How many more jobs it could hold, whatever the rate limit says."""
        if not self._is_taking or self._rest.is_on:
            return 0
        return min(self._size.jobs, self._capacity - self.in_hand)

    @property
    def has_plenty(self) -> bool:
        """Whether the last call got as many jobs as it asked for."""
        return self._demand.has_plenty

    @property
    def in_hand(self) -> int:
        """How many places it has taken or keeps for calls under way."""
        return len(self._active) + len(self._finisher) + len(self._next_runs) + self._reserved

    @property
    def reserved(self) -> int:
        """How many of those places are kept for calls under way."""
        return self._reserved

    @property
    def _capacity(self) -> int:
        """How many jobs the worker may have in hand."""
        return self._concurrency + self._execution.ahead - self._execution.lost

    def _batch(self) -> list[Ending]:
        return self._finisher.batch(self._size.jobs, self._size.bytes)

    def _free(self, places: int) -> None:
        self._reserved -= places

    async def _lane(self) -> None:
        """Write what ended, and take as many again; with plenty waiting, take without anything ended."""
        retry_delay = RetryDelay()
        while True:
            ended = self._batch()
            room = max(self.room, 0)
            if ended or self._lost or (room and self._demand.has_plenty):
                await self._turn(ended, room, retry_delay)
            else:
                if self._rest.is_on and not self.in_hand and not self._in_flight:
                    self._rest.reach()
                self._leave_places(room)
                self._work.clear()
                await self._work.wait()

    def _leave_places(self, room: int) -> None:
        """Let so many places, which the lanes have no use for, be used by the wait for jobs."""
        if room:
            self._listening.set()

    async def _turn(self, ended: list[Ending], room: int, retry_delay: RetryDelay, *, waits: bool = False) -> None:
        self._calls += 1
        token = f"{self._worker_id}:{self._calls}"
        self._reserved += room
        self._in_flight.begin()
        failure: ServerError | None = None
        try:
            if self._lost:
                await self._lost.take()
            if unlocked := self._finisher.unlocked(ended):
                ended = await locked_again(self._keyspace, self._finisher, ended, unlocked, self._lock_ms)
            if telemetry.tracer is None:
                await self._finish_and_take(ended, room, token, waits=waits)
            else:
                with telemetry.span(
                    telemetry.EXCHANGE, queue=self._keyspace.queue, ended=len(ended), links=traces_of(ended)
                ) as span:
                    span.note(taken=await self._finish_and_take(ended, room, token, waits=waits))
        except ServerError as error:
            failure = error
            was_sent = isinstance(error, ReplyLost)
            self._finisher.give_back(ended, may_be_written=was_sent)
            if was_sent:
                self._size.shrink()
            if was_sent and room:
                self._lost.add(token, room)
                self._work.set()
            else:
                self._free(room)
            self._shall_look = True
        except asyncio.CancelledError:
            # As asyncio.run does to all tasks at its end: the worker's own shutdown goes on from here.
            self._finisher.give_back(ended, may_be_written=True)
            self._lost.add(token, room)
            raise
        finally:
            self._in_flight.end()
            if self._rest.is_on:
                self._work.set()
        if failure is None:
            retry_delay.reset()
            self._size.grow()
            self._answered()
            return
        if waits and (self._is_interrupted or not self._is_taking):
            # It was broken off here: by a call, or by the worker's stop.
            self._is_interrupted = False
            return
        self._outage.begin(failure)
        await retry_delay.wait()

    def _answered(self) -> None:
        self._outage.end()

    async def _finish_and_take(self, ended: list[Ending], room: int, token: str, *, waits: bool) -> int:
        """Write ended runs and start new ones in one call; return how many started."""
        request = self._take_defaults.of(room, token, self._size.bytes)
        asked = time.monotonic()
        if waits:
            with self._transit.holding(token, self._blocking_taker.is_receiving):
                done = await self._blocking_taker.wait_and_take(
                    self._demand.block_seconds(time.monotonic(), self._keyspace.clock()), request
                )
        elif room:
            with self._transit.holding(token), self._line.place() as place:
                done = await finish_and_take(self._keyspace, ended, request)
                if done.records:
                    await place.come_up()
        else:
            done = await finish_and_take(self._keyspace, ended, request)
        if ended:
            if (time.monotonic() - asked) * 1000 > self._lock_ms / 2:
                self._finisher.hold_up(ended)
            self._finisher.read(ended, done.codes, done.moment)
        records = done.records
        if records and (done.is_much or self._keyspace.clock() - done.moment > self._lock_ms / 2):
            try:
                # They were on their way for long, or this process was frozen or blocked meanwhile.
                records = await leasing.still_held(self._keyspace, records, token, self._lock_ms)
            except ServerError:
                self._lost.add(token, room)
                self._work.set()
                return 0
        self._reserved -= room
        if records:
            self._starter.start(
                records, token, start_moment(done.moment, self._keyspace.clock(), time.monotonic() - asked)
            )
        if room:
            self._note(room, room if done.has_more else len(done.records), done.limited_ms, done.next_due)
        return len(records)

    def _note(self, asked: int, got: int, limited_ms: int, next_due: int) -> None:
        """Remember why there was not more."""
        if self._demand.note(asked, got, limited_ms=limited_ms, next_due=next_due, now=time.monotonic()):
            self._on_drained()
        if self._alarm is not None and not got:
            self._alarm.set(next_due)
        (self._work if self._demand.has_plenty else self._listening).set()

    async def _listen(self) -> None:
        """While the lanes have nothing to take: look at the queue at its marker, or after the drain delay."""
        retry_delay = RetryDelay()
        while self._is_taking:
            if (limited := self._demand.limited_seconds(time.monotonic())) > 0:
                # It goes on to listen: who takes the limit back, or raises it, rings.
                await asyncio.sleep(min(limited, LIMITED_PAUSE))
                if not self._is_taking:
                    break
            room = self._places
            if self._demand.has_plenty or room <= 0:
                self._listening.clear()
                await self._listening.wait()
            elif self._shall_look:
                self._shall_look = False
                await self._turn(self._batch(), room, retry_delay)
            else:
                await self._turn([], room, retry_delay, waits=True)
                # What it brought starts first: to put the next wait together and send it takes as long.
                await asyncio.sleep(0)
