"""Looks at the jobs that wait in a queue, and asserts what is among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.job import Job, JobState
from stockyard.model.payload import json_of
from stockyard.produce.queue import Queue

_WAITING = (JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED, JobState.WAITING_CHILDREN)
_PAGE, _SHOWN = 1000, 20


async def all_enqueued(queue: Queue, name: str | None = None, data: Any = UNSET) -> list[Job[Any]]:
    """Return the jobs of a queue that have not started: those that wait, are delayed, or wait for children.

    Args:
        queue: the queue.
        name: of the jobs. Defaults to any.
        data: what their payload holds: of an object these fields at least, at any depth; any other value, and each
            list, as it is. A Struct, a dataclass or a model stands for its JSON. Defaults to any.

    Returns:
        The jobs, those of each state together, the next to run first.

    Raises:
        PayloadError: ``data`` is not JSON-able.
    """
    wanted = UNSET if data is UNSET else _plain(data)
    return [
        job
        for job in await _waiting(queue)
        if (name is None or job.name == name) and (wanted is UNSET or _holds(_plain(job.data), wanted))
    ]


async def assert_enqueued(
    queue: Queue,
    name: str | None = None,
    data: Any = UNSET,
    *,
    count: int | None = None,
    delay: Duration | None = None,
    priority: int | None = None,
    key: str | None = None,
    job_id: str | None = None,
) -> Job[Any]:
    """Assert that a job has been added that has not started, and return it; of several, the next to run.

    Args:
        queue, name, data: those of ``all_enqueued``.
        count: how many such jobs there are. Defaults to one or more.
        delay: that of the job, to the millisecond. Defaults to any; so do the following.
        priority, key, job_id: those of the job.

    Raises:
        AssertionError: there is none, or another number of them; it lists the jobs of the queue.
        InvalidOption: ``count`` or ``delay`` is not what it should be.

    Example:
        await assert_enqueued(app.queue("mail"), "welcome", {"to": "a@b.c"}, delay="5m")
    """
    if count is not None:
        checks.whole("count", count, least=1)
    conditions = _conditions(delay=delay, priority=priority, key=key, job_id=job_id)
    found = [job for job in await all_enqueued(queue, name, data) if _meets(job, conditions)]
    if len(found) == count or (found and count is None):
        return found[0]
    wanted = "a job" if count is None else f"{count} jobs"
    raise AssertionError(
        f"expected {wanted} {_described(name, data, conditions)} in queue {queue.name!r}, and found {len(found)}. "
        + await _listing(queue)
    )


async def refute_enqueued(queue: Queue, name: str | None = None, data: Any = UNSET) -> None:
    """Assert that no such job waits in a queue.

    Args:
        queue, name, data: those of ``all_enqueued``; without name and data, the queue has to be empty.

    Raises:
        AssertionError: there is one; it lists the jobs of the queue.
    """
    found = await all_enqueued(queue, name, data)
    if found:
        raise AssertionError(
            f"expected no job {_described(name, data, {})} in queue {queue.name!r}, and found {len(found)}. "
            + await _listing(queue)
        )


async def _waiting(queue: Queue) -> list[Job[Any]]:
    jobs: list[Job[Any]] = []
    for state in _WAITING:
        page = 1
        while True:
            some = await queue.get_jobs(state, page=page, size=_PAGE, newest_first=False)
            jobs += some
            if len(some) < _PAGE:
                break
            page += 1
    return jobs


def _plain(value: Any) -> Any:
    """Return a value as its JSON reads."""
    return msgspec.json.decode(json_of(value, what="the data of an assertion"))


def _holds(value: Any, part: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(part, Mapping):
        return all(field in value and _holds(value[field], inner) for field, inner in part.items())
    return bool(value == part)


def _conditions(
    *, delay: Duration | None, priority: int | None, key: str | None, job_id: str | None
) -> dict[str, Any]:
    delay_ms = None if delay is None else milliseconds(delay, option="delay")
    asked = {"delay_ms": delay_ms, "priority": priority, "key": key, "id": job_id}
    return {field: value for field, value in asked.items() if value is not None}


def _meets(job: Job[Any], conditions: Mapping[str, Any]) -> bool:
    return all(_value(job, field) == value for field, value in conditions.items())


def _value(job: Job[Any], field: str) -> Any:
    return getattr(job.options if field == "key" else job, field)


def _described(name: str | None, data: Any, conditions: Mapping[str, Any]) -> str:
    parts = ["of any name" if name is None else repr(name)]
    if data is not UNSET:
        parts.append(f"with data {checks.shown(_plain(data))}")
    parts += [f"with {field} {value!r}" for field, value in conditions.items()]
    return ", ".join(parts)


async def _listing(queue: Queue) -> str:
    """Say what waits in a queue, and how many jobs it has in other states."""
    jobs = await _waiting(queue)
    others = {state.value: number for state, number in (await queue.counts()).items() if state not in _WAITING}
    ran = ", ".join(f"{number} {state}" for state, number in others.items() if number)
    lines = [f"There wait {len(jobs)} jobs{':' if jobs else ''}"]
    for job in jobs[:_SHOWN]:
        delay = f" in {job.delay_ms} ms" if job.delay_ms else ""
        lines.append(f"  {job.name!r} {checks.shown(_plain(job.data))} (id {job.id}{delay})")
    if len(jobs) > _SHOWN:
        lines.append(f"  and {len(jobs) - _SHOWN} more")
    if ran:
        lines.append(f"In other states: {ran}")
    return "\n".join(lines)
