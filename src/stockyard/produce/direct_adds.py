"""Adds of callers without a loop: each call carries its own jobs, and is answered before the next is made."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard._store.jobs.adding import BATCH, Answer, ExistingJob, SentJob, add_call, answers_of
from stockyard._store.jobs.durability import confirmed, wait_command
from stockyard._store.jobs.indexing import note_added
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import LoadSize
from stockyard._store.net.connection import accepted
from stockyard.errors import NotDurable, ReplyLost, StockyardError
from stockyard.model.durability import Durability
from stockyard.produce.batcher import within


class DirectAdds:
    """The adds of one queue from threads without a loop; what ``Batcher`` is for those of a loop.

    Args:
        keyspace: the queue.
        durability: what has to be safe before an add is answered. Defaults to nothing.
    """

    def __init__(self, keyspace: QueueKeyspace, *, durability: Durability | None = None) -> None:
        self._keyspace = keyspace
        self._durability = durability
        self._size = LoadSize()

    is_gathering = False
    """Whether jobs are lined up that are not written yet."""

    async def add(self, job: SentJob) -> str | ExistingJob:
        """Add a job; return its id, or what is there in its place."""
        (answer,) = await self._call([job])
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def add_all(self, jobs: Sequence[SentJob]) -> Sequence[Answer | NotDurable]:
        """Add jobs in the order given, by one call for each run of one kind and for so many bytes.

        Returns:
            What became of each, or the error of the call that failed: of its jobs, and of those behind it, which
            are not sent.
        """
        answers: list[Answer | NotDurable] = []
        while len(answers) < len(jobs):
            try:
                answers += await self._call(self._first_of(jobs[len(answers) :]))
            except StockyardError as error:
                answers += [error] * (len(jobs) - len(answers))
        return answers

    def _first_of(self, jobs: Sequence[SentJob]) -> Sequence[SentJob]:
        kind = type(jobs[0])
        size = next((at for at, job in enumerate(jobs[:BATCH]) if type(job) is not kind), min(len(jobs), BATCH))
        return jobs[: within(self._size.bytes, jobs[:size])]

    async def _call(self, jobs: Sequence[SentJob]) -> Sequence[Answer | NotDurable]:
        server, durability = self._keyspace.server, self._durability
        wait = None if durability is None else wait_command(durability, server.call_timeout)
        try:
            reply, *waited = await server.run_many([add_call(self._keyspace, jobs)], then=wait)  # type: ignore[arg-type]
        except ReplyLost:
            self._size.shrink()
            raise
        self._size.grow()
        server.clock.check_for_step()
        answers = answers_of(self._keyspace, accepted(reply), jobs)  # type: ignore[arg-type]
        await note_added(self._keyspace, jobs, answers)
        return answers if durability is None else confirmed(answers, durability, waited[0] if waited else None)
