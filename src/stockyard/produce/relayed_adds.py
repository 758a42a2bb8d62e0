"""Adds of jobs that were checked and stored elsewhere before, as those of an outbox."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from stockyard._store.jobs.adding import relay
from stockyard._store.jobs.related_job import related_job
from stockyard._store.load_size import LoadSize
from stockyard.errors import JobError, ReplyLost
from stockyard.model.options import JobOptions
from stockyard.produce.batcher import within
from stockyard.produce.queue import Queue, keyspace_of


class StoredAdd(NamedTuple):
    """An add as it was stored.

    Attributes:
        row: what names it where it was stored: the same row is added once.
        name, data, options: the job; the payload is JSON text, and the options have a ``job_id``.
    """

    row: str
    name: str
    data: str
    options: JobOptions


class Relayed(NamedTuple):
    """What became of the first jobs of a call.

    Attributes:
        added: so many of the first jobs are in the queue, or have been, by this call or by one before.
        refused: why the job behind them was refused, or None.
        is_full: the job behind them found no room in the queue.
    """

    added: int
    refused: JobError | None
    is_full: bool


class RelayedAdds:
    """The adds of one queue for a relay: each call is answered before the next is made, so that order is kept.

    Args:
        queue: the queue.
        memory_ms: a row that was added within so many milliseconds is not added again.
        most: jobs that may wait in the queue; None is no limit.
    """

    def __init__(self, queue: Queue, *, memory_ms: int, most: int | None) -> None:
        self._queue = queue
        self._memory_ms = memory_ms
        self._most = most
        self._size = LoadSize()

    async def add_first(self, jobs: Sequence[StoredAdd]) -> Relayed:
        """Add the first of the jobs by one call, up to one that is refused or finds no room.

        Args:
            jobs: in order; one call carries up to 50 of them, and so many bytes, all of one shard.

        Raises:
            ServerUnavailable: nothing was sent.
            ReplyLost: the jobs may have been added or not; call it again with the same rows.
            ServerRefused: the server is full, or does not allow it; nothing was added.
        """
        keyspace = keyspace_of(self._queue, jobs[0].options)
        await keyspace.learn_time()
        now = keyspace.clock()
        # Of a queue with shards, one call adds to one of them.
        here = list(
            takewhile(lambda job: keyspace_of(self._queue, job.options) is keyspace, jobs[: self._size.jobs])
        )
        carried = here[: within(self._size.bytes, here)]
        sent = [
            related_job(keyspace, job.name, job.data, job.options.placed(now), job.options.made_at(now))
            for job in carried
        ]
        for job, stored in zip(sent, carried, strict=True):
            job.row = stored.row
        try:
            answers = await relay(keyspace, sent, memory_ms=self._memory_ms, most=self._most)
        except ReplyLost:
            self._size.shrink()
            raise
        self._size.grow()
        if answers and isinstance(answers[-1], JobError):
            return Relayed(len(answers) - 1, answers[-1], False)
        return Relayed(len(answers), None, len(answers) < len(sent))
