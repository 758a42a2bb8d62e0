"""Runs each job as soon as it is added, before the add returns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from stockyard.app.app import App
from stockyard.errors import InvalidOption
from stockyard.model.job import Job
from stockyard.produce.queue import JobTuple, Queue
from stockyard.testing.draining import drain

_ADD, _ADD_MANY = "add", "add_many"


@asynccontextmanager
async def inline(app: App, *queues: str) -> AsyncIterator[None]:
    """Run jobs as they are added: in the block, ``Queue.add`` and ``add_many`` return when their jobs have run.

    Each job goes through the server all the same: its payload and its result are written and read, its retries
    count, and what its handler adds runs inline as well. Jobs with a delay wait for
    ``drain(app, with_scheduled=True)``. A job that fails for good raises its error where it was added.

    Args:
        app: where the queues are.
        queues: their names. Defaults to all that declare handlers.

    Raises:
        UnknownQueue: the topology declares no such queue.
        InvalidOption: one of them runs inline already.

    Example:
        async with inline(app):
            job = await app.queue("mail").add("welcome", {"to": "a@b.c"})
        assert job.return_value == "sent"
    """
    chosen = [app.queue(name) for name in queues or [spec.name for spec in app.topology if spec.router]]
    for queue in chosen:
        if _ADD in vars(queue):
            raise InvalidOption(f"queue {queue.name!r} runs inline already: one block is enough")
    for queue in chosen:
        _run_inline(app, queue)
    try:
        yield
    finally:
        for queue in chosen:
            del vars(queue)[_ADD], vars(queue)[_ADD_MANY]


def _run_inline(app: App, queue: Queue) -> None:
    """Let a queue's own methods, which hide those of its class, run what they add."""
    plain_add, plain_add_many = queue.add, queue.add_many

    async def add(name: str, *args: Any, **options: Any) -> Job[Any]:
        job = await plain_add(name, *args, **options)
        await drain(app, queue.name)
        return await _as_it_is(queue, job)

    async def add_many(jobs: Iterable[JobTuple], **options: Any) -> list[Job[Any]]:
        added = await plain_add_many(jobs, **options)
        await drain(app, queue.name)
        return [await _as_it_is(queue, job) for job in added]

    vars(queue).update({_ADD: add, _ADD_MANY: add_many})


async def _as_it_is(queue: Queue, job: Job[Any]) -> Job[Any]:
    """Return a job as it is now; as it was added where its record is removed."""
    return await queue.get_job(job.id) or job
