"""A queue with shards, as its producers and readers see it: one queue."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Literal, Unpack

from msgspec import UNSET

from stockyard import telemetry
from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._aio.together import of_each
from stockyard._store.jobs.adding import BATCH
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.shard_map import FRESH_SECONDS, ShardMap
from stockyard.errors import InvalidOption, JobNotFound, ServerError
from stockyard.model import checks
from stockyard.model.durability import Durability
from stockyard.model.even_turns import EvenTurns
from stockyard.model.job import Job
from stockyard.model.options import AddOptions, JobOptions
from stockyard.model.sharding import part_of, refuse_numbered
from stockyard.produce.many_adds import ManyAdds
from stockyard.produce.queue import JOBS_EXAMPLE, CheckedJob, JobTuple, Queue
from stockyard.produce.sharded_admin import ShardedAdmin
from stockyard.produce.sharded_browse import ShardedBrowser
from stockyard.topology import QueueSpec

_log = logging.getLogger(__name__)

_RUN = BATCH // 2
"""Jobs in a row that go to one shard while they travel together: few calls, and shards that fill evenly."""


class ShardedQueue(ShardedAdmin, ShardedBrowser, Queue):
    """One queue over several BullMQ queues, its shards.

    A job with a ``key`` goes to the shard of that key; one with a deduplication id to the shard of this; one with
    a ``job_id`` to the shard of that. All others go to the shards in turn.

    Args:
        spec: the queue.
        shard_map: its shards.
        make: makes the queue of one shard.
        portal: for callers without a loop.
    """

    def __init__(
        self, spec: QueueSpec, *, shard_map: ShardMap, make: Callable[[QueueKeyspace], Queue], portal: Portal
    ) -> None:
        self.spec = spec
        self.name: str = spec.name
        self._map = shard_map
        self._make = make
        self._made: dict[str, Queue] = {}
        self._declared = tuple(map(self._at, shard_map.declared))
        # Programs that add few jobs each do not all begin with the first shard.
        first = random.randrange(len(self._declared))
        self._turns = EvenTurns(len(self._declared), run=_RUN, first=first)
        self._is_noted = False
        self._note_after = 0.0
        self._noting: PerLoop[AbstractAsyncContextManager[Any]] = PerLoop(asyncio.Lock, outside=nullcontext)
        self._portal = portal
        self._sync = portal.blocking(self, needs_loop=())
        self._is_made = True

    async def add(
        self,
        name: str,
        data: Any = UNSET,
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
        **options: Unpack[AddOptions],
    ) -> Job[Any]:
        """Add one job to its shard; see ``Queue.add``.

        Raises:
            InvalidOption: as there; also for a parent, and for a ``job_id`` like those that shards number.
            The other errors of ``Queue.add``.
        """
        shard = self._place_of(options) if options else None
        if shard is None:
            shard = self._next(durability)
        job = await shard.add(name, data, check=check, durability=durability, **options)
        if not self._is_noted:
            await self._note()
        return job

    async def add_many(
        self,
        jobs: Iterable[JobTuple],
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
    ) -> list[Job[Any]]:
        """Add many jobs, in the order given inside each shard; see ``Queue.add_many``."""
        if check is not None:
            checks.flag("check", check)
        given_jobs = checks.several("jobs", jobs, of="tuples (name, data, options)", example=JOBS_EXAMPLE)
        await self._map.declared[0].learn_time()
        with telemetry.span_of_adds(queue=self.name, jobs=len(given_jobs)) as span:
            return await self._add_placed(self._placed_jobs(given_jobs, check, span.carrier), durability)

    def _placed_jobs(
        self, given_jobs: Iterable[JobTuple], check: bool | None, carrier: str | None
    ) -> list[tuple[Queue, CheckedJob]]:
        """Check jobs, and choose the shard of each."""
        placed: list[tuple[Queue, CheckedJob]] = []
        for given in given_jobs:
            options = given[2] if isinstance(given, tuple) and len(given) == 3 else None
            shard = self._place_of(options) if isinstance(options, Mapping) else None
            shard = shard or self._declared[self._turns.next(stays=False)]
            placed.append((shard, shard._checked_tuple(given, check, carrier)))
        return placed

    async def _add_placed(
        self, placed: Sequence[tuple[Queue, CheckedJob]], durability: Durability | Literal[False] | None
    ) -> list[Job[Any]]:
        by_shard: dict[Queue, list[int]] = {}
        for at, (shard, _) in enumerate(placed):
            by_shard.setdefault(shard, []).append(at)

        parts: list[ManyAdds] = []

        async def add(part: tuple[Queue, list[int]]) -> ManyAdds:
            shard, places = part
            adds = ManyAdds(len(places))
            # Without a loop, one shard is asked after the other: a server that is away is waited for once.
            if not any(before.stops for before in parts):
                adds = await shard._add_each([placed[at][1] for at in places], durability)
            parts.append(adds)
            return adds

        answers = await of_each(by_shard.items(), add)
        if answers and not self._is_noted:
            await self._note()
        ManyAdds.of_parts(answers).check()
        added = dict(
            pair
            for places, adds in zip(by_shard.values(), answers, strict=True)
            for pair in zip(places, adds.jobs, strict=True)
        )
        return [added[at] for at in range(len(placed))]

    async def remove(self, job_id: str, *, children: bool = True) -> None:
        """Remove one job, its logs and its place in its shard; see ``Queue.remove``.

        Raises:
            InvalidOption: as there; or jobs of several shards have the id.
            The other errors of ``Queue.remove``.
        """
        job = await self.get_job(job_id)
        if job is None:
            raise JobNotFound(job_id, f"job {job_id} of queue {self.name!r} does not exist (any more)")
        await job.remove(children=children)

    async def cancel(self, job_id: str, reason: str = "") -> None:
        """Fail a job without a retry; see ``Queue.cancel``.

        Raises:
            InvalidOption: as there; or jobs of several shards have the id.
            The other errors of ``Queue.cancel``.
        """
        job = await self.get_job(job_id)
        if job is None:
            raise JobNotFound(job_id, f"job {job_id} of queue {self.name!r} does not exist (any more)")
        await job.cancel(reason)

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the queue with everything of it, shard after shard; see ``Queue.obliterate``."""
        await super().obliterate(force=force)
        self._map.forget()
        self._is_noted = False

    def _next(self, durability: Durability | Literal[False] | None) -> Queue:
        """Return the shard of a job that may go to any: that of the job before, while its batch is open."""
        before = self._declared[self._turns.part]
        return self._declared[self._turns.next(stays=before._adder_for(durability).is_gathering)]

    def _place_of(self, options: Mapping[str, Any]) -> Queue | None:
        """Return the shard that a job belongs to by its options, or None where it may go to any."""
        deduplication = options.get("deduplication")
        for key in (options.get("key"), getattr(deduplication, "id", deduplication)):
            # What is no text is refused by the shard.
            if isinstance(key, str) and key:
                return self._of_key(key)
        job_id = options.get("job_id")
        if not isinstance(job_id, str) or not job_id:
            return None
        refuse_numbered(job_id)
        return self._of_key(job_id)

    def _shard_of(self, options: JobOptions | None) -> Queue:
        if options is None:
            raise InvalidOption(f"queue {self.name!r} has shards, and each has keys of its own")
        if options.key is not None:
            return self._of_key(options.key)
        if options.deduplication is not None:
            return self._of_key(options.deduplication.id)
        return self._of_key(options.job_id or "")

    def _of_key(self, key: str) -> Queue:
        return self._declared[part_of(key, len(self._declared))]

    def _at(self, keyspace: QueueKeyspace) -> Queue:
        queue = self._made.get(keyspace.shard_queue)
        return queue if queue is not None else self._made.setdefault(keyspace.shard_queue, self._make(keyspace))

    async def _all(self) -> tuple[Queue, ...]:
        return tuple(map(self._at, await self._map.learn()))

    async def _note(self) -> None:
        """Note the number of shards for other programs; tried again later where that fails."""
        # One call for all that come first; where no loop runs, each caller makes its own.
        async with self._noting.get():
            if self._is_noted or time.monotonic() < self._note_after:
                return
            try:
                await self._map.learn(notes=True)
                self._is_noted = True
            except ServerError as error:
                self._note_after = time.monotonic() + FRESH_SECONDS
                _log.debug("the shards of queue %s are not noted: %s", self.name, error)
