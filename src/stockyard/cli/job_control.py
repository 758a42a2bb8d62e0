"""The commands of `stockyard job` that change jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from stockyard.app import App
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.options import Span
from stockyard.cli.payload import payload_of
from stockyard.errors import InvalidOption, JobNotFound
from stockyard.model.job import Job


async def retry(
    queue: str,
    /,
    *job_ids: str,
    state: Literal["failed", "completed"] = "failed",
    reset_attempts: bool = False,
    connection: Connection = DEFAULT,
) -> None:
    """Put finished jobs back to wait; those in another state are refused.

    Args:
        queue: their queue.
        job_ids: their ids.
        state: the state that they are in.
        reset_attempts: count their attempts from the beginning.
    """
    await _each(connection, queue, job_ids, lambda job: job.retry(state=state, reset_attempts=reset_attempts))


async def promote(queue: str, /, *job_ids: str, connection: Connection = DEFAULT) -> None:
    """Let delayed jobs run now.

    Args:
        queue: their queue.
        job_ids: their ids.
    """
    await _each(connection, queue, job_ids, Job.promote)


async def cancel(queue: str, /, *job_ids: str, reason: str = "", connection: Connection = DEFAULT) -> None:
    """Fail jobs that have not ended; a worker that runs one of them stops it.

    Args:
        queue: their queue.
        job_ids: their ids.
        reason: why, for the jobs' records.
    """
    await _each(connection, queue, job_ids, lambda job: job.cancel(reason))


async def remove(
    queue: str, /, *job_ids: str, keep_children: bool = False, connection: Connection = DEFAULT
) -> None:
    """Remove jobs that no worker is running, with all below them.

    Args:
        queue: their queue.
        job_ids: their ids.
        keep_children: remove them alone.
    """
    await _each(connection, queue, job_ids, lambda job: job.remove(children=not keep_children))


async def log(queue: str, job_id: str, line: str, /, *, connection: Connection = DEFAULT) -> None:
    """Append a line to a job's log.

    Args:
        queue: its queue.
        job_id: its id.
        line: the line.
    """
    await _each(connection, queue, (job_id,), lambda job: job.log(line))


def data(queue: str, job_id: str, data: str, /, *, connection: Connection = DEFAULT) -> None:
    """Replace a job's payload; an attempt that runs has its own already.

    Args:
        queue: its queue.
        job_id: its id.
        data: the payload as JSON text; @FILE reads it from a file, @- from standard input.
    """
    payload = payload_of(data)
    asyncio.run(_each(connection, queue, (job_id,), lambda job: job.update_data(payload)))


async def delay(
    queue: str,
    job_id: str,
    wait: Annotated[Span, Parameter(required=True)],
    /,
    *,
    connection: Connection = DEFAULT,
) -> None:
    """Let a delayed job run so long from now.

    Args:
        queue: its queue.
        job_id: its id.
        wait: as in 5m.
    """
    await _each(connection, queue, (job_id,), lambda job: job.change_delay(wait or 0))


async def priority(
    queue: str, job_id: str, number: int, /, *, lifo: bool = False, connection: Connection = DEFAULT
) -> None:
    """Give a job another priority.

    Args:
        queue: its queue.
        job_id: its id.
        number: 1 runs before 2; 0 is none, and runs before 1.
        lifo: put it before those of the same priority.
    """
    await _each(connection, queue, (job_id,), lambda job: job.change_priority(number, lifo=lifo))


CONTROLS = (retry, promote, cancel, remove, log, data, delay, priority)
"""In the order of the help."""


async def found_job(app: App, queue: str, job_id: str) -> Job[Any]:
    """Return a job.

    Raises:
        UnknownQueue: there is no such queue.
        JobNotFound: it has no such job.
    """
    found = await app.queue(queue).get_job(job_id)
    if found is None:
        raise JobNotFound(job_id, f"queue {queue!r} has no job {job_id!r}")
    return found


async def _each(
    connection: Connection, queue: str, job_ids: tuple[str, ...], change: Callable[[Job[Any]], Awaitable[Any]]
) -> None:
    if not job_ids:
        raise InvalidOption("give the id of at least one job")
    async with connection.open() as app:
        for job_id in job_ids:
            await change(await found_job(app, queue, job_id))
