"""Retries, promotes and removes many jobs: those that were selected, or all of a state that match a filter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from stockyard.app import App
from stockyard.dashboard.fingerprints import fingerprint
from stockyard.dashboard.operations import Operation, Operations
from stockyard.errors import InvalidOption, JobNotFound
from stockyard.model.job import Job
from stockyard.model.job_query import matches, query_of
from stockyard.produce.queue import Queue
from stockyard.produce.search import PAGE

_REMOVED_AT_ONCE = 500
_MOST = 100_000
"""Jobs that one operation with a filter changes; it can be begun again."""


class Filter(NamedTuple):
    """Which jobs of a state are meant; empty texts are all.

    Attributes:
        find: as on the page of a queue: text of the id, the name or the payload, or ``data.path:value``.
        fingerprint: of the error.
    """

    find: str = ""
    fingerprint: str = ""

    def __bool__(self) -> bool:
        return bool(self.find or self.fingerprint)

    def fits(self, job: Job[Any]) -> bool:
        """Say whether a job is meant."""
        if self.fingerprint and fingerprint(job.failed_reason, job.stacktrace).key != self.fingerprint:
            return False
        return matches(job, self.find)


async def _retried(queue: Queue, state: str, job_id: str) -> None:
    job = await _found(queue, job_id)
    await job.retry(state="completed" if state == "completed" else "failed", reset_attempts=True)


async def _promoted(queue: Queue, _state: str, job_id: str) -> None:
    await (await _found(queue, job_id)).promote()


async def _removed(queue: Queue, _state: str, job_id: str) -> None:
    await queue.remove(job_id)


async def _found(queue: Queue, job_id: str) -> Job[Any]:
    job = await queue.get_job(job_id)
    if job is None:
        raise JobNotFound(job_id, "it does not exist (any more)")
    return job


VERBS: dict[str, tuple[str, Callable[[Queue, str, str], Awaitable[None]], tuple[str, ...]]] = {
    "retry": ("Retry", _retried, ("failed", "completed")),
    "promote": ("Run now", _promoted, ("delayed",)),
    "remove": (
        "Remove",
        _removed,
        ("waiting", "prioritized", "delayed", "waiting-children", "completed", "failed"),
    ),
}
"""Name in forms → label, what is done to one job, the states that allow it."""


def verbs_of(state: str) -> list[tuple[str, str]]:
    """Return names and labels of what can be done to jobs of a state."""
    return [(name, label) for name, (label, _, states) in VERBS.items() if state in states]


def _verb(name: str) -> tuple[str, Callable[[Queue, str, str], Awaitable[None]], tuple[str, ...]]:
    found = VERBS.get(name)
    if found is None:
        raise InvalidOption(f"jobs cannot be {name!r}: expected one of {', '.join(VERBS)}")
    return found


def change_selected(
    app: App, operations: Operations, who: str, queue_name: str, verb: str, job_ids: Sequence[str]
) -> Operation:
    """Change the jobs of these ids.

    Raises:
        InvalidOption: none is selected, or the verb is not known.
        UnknownQueue: the topology does not declare the queue.
    """
    label, change, _ = _verb(verb)
    if not job_ids:
        raise InvalidOption("no job is selected: tick some first")
    queue = app.queue(queue_name)

    async def work(operation: Operation) -> None:
        operation.total = len(job_ids)

        async def one(job_id: str) -> None:
            state = ""
            if verb == "retry":
                state = (await (await _found(queue, job_id)).state()).value
            await change(queue, state, job_id)

        await operation.change_each(job_ids, one)

    return operations.start(f"{label}: {len(job_ids)} selected jobs", who=who, queue=queue_name, work=work)


def change_matching(
    app: App, operations: Operations, who: str, queue_name: str, verb: str, state: str, chosen: Filter
) -> Operation:
    """Change all jobs of a state, or those that fit a filter.

    Raises:
        InvalidOption: jobs of this state cannot be changed so, or the filter cannot be read.
        UnknownQueue: the topology does not declare the queue.
    """
    label, change, states = _verb(verb)
    if state not in states:
        raise InvalidOption(f"jobs that are {state} cannot be changed by {label!r}")
    if chosen.find.strip():
        query_of(chosen.find)
    queue = app.queue(queue_name)
    # What comes after the beginning is not meant.
    before = datetime.now(UTC)

    async def work(operation: Operation) -> None:
        if not chosen and verb == "retry":
            operation.total = await queue.count(state)
            await operation.repeat(lambda: queue.retry_all(state, limit=PAGE, before=before))
        elif not chosen and verb == "remove":
            operation.total = await queue.count(state)
            await operation.repeat(partial(_cleaned, queue, state))
        else:
            job_ids: list[str] = []
            async for jobs in pages_of(queue, state):
                operation.looked_at += len(jobs)
                job_ids += [job.id for job in jobs if chosen.fits(job)]
                if operation.is_stopped or len(job_ids) >= _MOST:
                    break
            operation.total = len(job_ids)
            await operation.change_each(job_ids, partial(change, queue, state))

    what = f"{label}: all {state} jobs" + (" that match" if chosen else "")
    return operations.start(what, who=who, queue=queue_name, work=work)


async def _cleaned(queue: Queue, state: str) -> int:
    return len(await queue.clean(state, limit=_REMOVED_AT_ONCE))


async def pages_of(queue: Queue, state: str, first: int = 1) -> AsyncIterator[Sequence[Job[Any]]]:
    """Yield the jobs of a state page by page, the newest first, from a page on."""
    page = first
    while jobs := await queue.get_jobs(state, page=page, size=PAGE):
        yield jobs
        page += 1
