"""Adds batches of jobs the way producers do, without their queue."""

from typing import Any
from weakref import WeakKeyDictionary

from stockyard._store.jobs.add_stream import AddStream
from stockyard._store.jobs.adding import Answers, Batch, ExistingJob
from stockyard._store.keyspace import QueueKeyspace
from stockyard.blocking import BlockingQueue
from stockyard.errors import StockyardError
from stockyard.model.job import Job

_streams: WeakKeyDictionary[QueueKeyspace, AddStream] = WeakKeyDictionary()


async def add_jobs(keyspace: QueueKeyspace, jobs: Batch) -> list[str | StockyardError]:
    """Add jobs in one call; return the ids of those that are there now, or why they were refused."""
    return [each.job_id if isinstance(each, ExistingJob) else each for each in await send_jobs(keyspace, jobs)]


async def send_jobs(keyspace: QueueKeyspace, jobs: Batch) -> Answers:
    """Add jobs in one call; return what became of each."""
    stream = _streams.get(keyspace)
    if stream is None:
        stream = _streams[keyspace] = AddStream(keyspace)
        await stream.open()
    stream.write(jobs)
    # No durability was asked for, so that none is missing.
    return await stream.read()


def stored(queue: BlockingQueue, job_id: str) -> Job[Any]:
    """Read a job that is there."""
    job = queue.get_job(job_id)
    assert job is not None
    return job
