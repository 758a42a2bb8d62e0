"""Takes jobs of a queue one at a time, when it is asked to, for a program that ends them itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any

from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store.halting import HaltsKeyspace
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.finishing import TakeRequest
from stockyard._store.keyspace import QueueKeyspace
from stockyard.blocking import BlockingManualWorker
from stockyard.consume.manual.place import ManualPlace, ManualReply
from stockyard.consume.manual.taken_job import TakenJob
from stockyard.consume.options import WorkerSpec
from stockyard.consume.take.demand import Demand
from stockyard.consume.take.fetcher import LIMITED_PAUSE
from stockyard.consume.take.request import take_request
from stockyard.errors import InvalidOption, JobNotFound
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.fixed import Fixed
from stockyard.model.job import JobPort
from stockyard.topology import QueueSpec

_LOOK_SECONDS = 5.0
"""Longest wait for the marker of a queue without a known next job."""


class ManualWorker(Fixed):
    """Takes jobs by hand; made by ``App.manual_worker``.

    For tests, and for bridges to other runtimes: the job is taken here, and ended later, here or in another
    process. Limits, pauses, priorities, schedules and halts of the queue hold as for every worker. It has no
    handlers and renews no leases; the jobs of dead workers are recovered by ``recover_stalled``, or by any
    ``Worker`` of the queue.

    Example:
        manual = app.manual_worker("mail", lock="1m")
        taken = await manual.take(wait="10s")
        if taken is not None:
            await taken.complete(await send(taken.job.data))
    """

    def __init__(
        self,
        spec: QueueSpec,
        options: WorkerSpec,
        *,
        places: Sequence[tuple[QueueKeyspace, JobPort]],
        learn_places: Callable[[], Awaitable[Sequence[tuple[QueueKeyspace, JobPort]]]],
        prepare: Callable[[], Awaitable[bool]],
        halts: HaltsKeyspace,
        limits: dict[str, Any] | None,
        portal: Portal,
    ) -> None:
        spec = options.over(spec)
        self.queue: str = spec.name
        self._spec = spec
        self._options = options
        lock_ms = spec.lock_ms if options.lock_ms is None else options.lock_ms
        self._request: TakeRequest = take_request(spec, options, lock_ms=lock_ms, limits=limits)
        self._learn_places = learn_places
        self._prepare = prepare
        self._halts = halts
        self._portal = portal
        self._by_name: dict[str, ManualPlace] = {}
        self._first = self._place(*places[0])
        self._restores_locks: bool | None = None
        # Each wait has a connection of its own; those that wait no more are used again.
        self._idle: PerLoop[list[BlockingTaker]] = PerLoop(list)
        self._turns = count()
        self._is_made = True

    @property
    def sync(self) -> BlockingManualWorker:
        """This worker for code without a running loop: ``manual.sync.take()`` blocks until it is done."""
        view: BlockingManualWorker = self._portal.blocking(self)
        return view

    async def take(self, token: str | None = None, *, wait: Duration = 0) -> TakenJob | None:
        """Take the next job; None if there is none that may start.

        A job that must not run any more (cancelled, expired) is ended on the way, as a worker does.

        Args:
            token: of its lease. Defaults to one that is new for each call. Jobs of one token of yours can be in
                hand at the same time.
            wait: how long to wait for a job. Defaults to 0, which does not. Of a queue with shards it must be 0.

        Raises:
            InvalidOption: the token is no text, or ``"0"``, which BullMQ takes for any lease; ``wait`` is no
                duration, or the queue has shards.
            UnsafeServer: the queue is critical, and the server may lose its jobs.
            ServerUnavailable: nothing was taken.
            ReplyLost: a job may have been taken under a token of yours; it runs again when its lease has ended.
        """
        if token is not None and checks.text("token", token) == "0":
            raise InvalidOption("token must not be '0': BullMQ takes it for any lease")
        seconds = milliseconds(wait, option="wait") / 1000
        if seconds and self._spec.shards > 1:
            raise InvalidOption(
                f"queue {self.queue!r} has shards: a take cannot wait for all of them. Leave wait out, and take "
                "again after a while"
            )
        await self._begin()
        places = await self._places()
        reply = await places[0].take(token)
        for place in places[1:]:
            if reply.taken is not None:
                break
            reply = await place.take(token)
        if reply.taken is not None or not seconds:
            return reply.taken
        return await self._wait(places[0], token, seconds, reply)

    async def resume(self, job_id: str, token: str) -> TakenJob:
        """Return a job that was taken before, here or in another process, to end it.

        Whether the lease still holds shows when the run is ended or the lease extended.

        Args:
            job_id: its id.
            token: of its lease, as ``TakenJob.token`` gave it.

        Raises:
            InvalidOption: an argument is no text.
            JobNotFound: the job was removed.
            ServerError: the server did not answer.
        """
        checks.text("job_id", job_id)
        checks.text("token", token)
        await self._begin()
        for place in await self._places():
            if (job := await place.jobs.get_job(job_id)) is not None:
                return place.taken(job, token)
        raise JobNotFound(job_id, f"job {job_id} of queue {self.queue!r} does not exist (any more)")

    async def recover_stalled(self) -> list[str]:
        """Hand back the jobs whose leases have run out; return their ids.

        A job is handed back when two looks in a row have found it without a lease, and failed when it has lost its
        worker more often than the queue's ``max_stalled`` allows. Of all programs that look at a queue, one in
        half a lease does; for the others there is nothing to do.

        Raises:
            ServerError: the server did not answer.
        """
        await self._begin()
        return [job_id for place in await self._places() for job_id in await place.recover_stalled()]

    async def _begin(self) -> None:
        """Look at the server before the first call; one that must not be worked on is refused."""
        if self._restores_locks is None:
            self._restores_locks = await self._prepare()

    async def _places(self) -> list[ManualPlace]:
        if self._spec.shards == 1:
            places = [self._first]
        else:
            places = [self._place(keyspace, jobs) for keyspace, jobs in await self._learn_places()]
            # Not always the first one first: its jobs would keep the others waiting.
            at = next(self._turns) % len(places)
            places = places[at:] + places[:at]
        for place in places:
            place.ends.restores_locks = bool(self._restores_locks)
        return places

    def _place(self, keyspace: QueueKeyspace, jobs: JobPort) -> ManualPlace:
        place = self._by_name.get(keyspace.shard_queue)
        if place is None:
            place = self._by_name[keyspace.shard_queue] = ManualPlace(
                self._spec,
                self._options,
                keyspace=keyspace,
                jobs=jobs,
                request=self._request,
                halts=self._halts,
                portal=self._portal,
            )
        return place

    async def _wait(
        self, place: ManualPlace, token: str | None, seconds: float, reply: ManualReply
    ) -> TakenJob | None:
        """Take the job that comes within so many seconds; nothing is waiting now, as a reply says."""
        deadline = time.monotonic() + seconds
        demand, idle = Demand(drain_delay=_LOOK_SECONDS), self._idle.get()
        taker = idle.pop() if idle else place.new_taker()
        while reply.taken is None and (left := deadline - time.monotonic()) > 0:
            now = time.monotonic()
            demand.note(1, 0, limited_ms=reply.limited_ms, next_due=reply.next_due, now=now)
            seconds = min(left, demand.block_seconds(now, place.clock()))
            if demand.is_limited:
                # Each job that is added sets the marker, and none could start.
                await asyncio.sleep(min(seconds, LIMITED_PAUSE))
            reply = await place.take(token, taker=taker, seconds=seconds)
        idle.append(taker)
        return reply.taken
