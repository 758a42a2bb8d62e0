"""Adds batches of jobs the way producers do, without their queue."""

from weakref import WeakKeyDictionary

from stockyard._store.add_stream import AddStream
from stockyard._store.adding import Answers, Batch
from stockyard._store.link import QueueLink

_streams: WeakKeyDictionary[QueueLink, AddStream] = WeakKeyDictionary()


async def add_jobs(link: QueueLink, jobs: Batch) -> Answers:
    """Add jobs in one call; return their ids, or why they were refused."""
    stream = _streams.get(link)
    if stream is None:
        stream = _streams[link] = AddStream(link)
        await stream.open()
    stream.write(jobs)
    return await stream.read()
