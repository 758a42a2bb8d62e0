"""`stockyard job`: add one, look at it, change it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, show_facts, show_json, show_table, when
from stockyard.cli.job_control import CONTROLS, found_job
from stockyard.cli.options import AsJson, Span, StateName
from stockyard.cli.payload import payload_of
from stockyard.model.job import Job, JobState
from stockyard.model.options import AddOptions
from stockyard.model.printable import printable_lines

job = Command(name="job", help="Add, show, list, change, retry or remove jobs, and read their logs.")
for control in CONTROLS:
    job.command(control)


@job.command
def add(
    queue: str,
    name: str,
    data: str = "{}",
    /,
    *,
    job_id: Annotated[str | None, Parameter(name="--id")] = None,
    delay: Span = None,
    priority: int | None = None,
    attempts: int | None = None,
    timeout: Span = None,
    lifo: bool = False,
    check: Annotated[bool, Parameter(negative="--no-check")] = True,
    wait: Span = None,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Add a job and print its id, or with --wait its result.

    Args:
        queue: where.
        name: chooses the handler.
        data: the payload as JSON text, {} by default; @FILE reads it from a file, @- from standard input.
        job_id: your own id; adding it again adds nothing.
        delay: wait before it may run, as in 5m.
        priority: 1 runs before 2.
        attempts: tries in all.
        timeout: limit of one run, as in 30s.
        lifo: run it before what already waits.
        check: refuse a name or a payload that the App's declared handlers do not take.
        wait: wait for its end at most so long, as in 30s.
    """
    given = {
        "job_id": job_id,
        "delay": delay,
        "priority": priority,
        "attempts": attempts,
        "timeout": timeout,
        "lifo": lifo or None,
    }
    options: AddOptions = {key: value for key, value in given.items() if value is not None}  # type: ignore[assignment]
    payload = payload_of(data)
    added, result = asyncio.run(_add(connection, queue, name, payload, options, None if check else False, wait))
    if json:
        show_json(
            {"queue": added.queue, "id": added.id, "name": added.name, **({"result": result} if wait else {})}
        )
    elif wait:
        show_json(result)
    else:
        say(added.id)


@job.command
async def show(queue: str, job_id: str, /, *, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Show one job: its record and where it is.

    Args:
        queue: its queue.
        job_id: its id.
    """
    async with connection.open() as app:
        found = await found_job(app, queue, job_id)
        record = _record(found, await found.state())
    if json:
        show_json(record)
        return
    for moment in ("timestamp", "processed_on", "finished_on"):
        record[moment] = when(record[moment])
    trace = record.pop("stacktrace")
    show_facts(record)
    if trace:
        print(f"\n{printable_lines(trace[-1].rstrip())}")


@job.command(name="list")
async def list_jobs(
    queue: str,
    state: StateName = "failed",
    /,
    *,
    page: int = 1,
    size: int = 20,
    oldest_first: bool = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """List the jobs of a queue in one state, newest first.

    Args:
        queue: the queue.
        state: where they are; failed by default.
        page: from 1, which is the default.
        size: jobs of a page, up to 1000; 20 by default.
        oldest_first: the oldest first, or the next to run.
    """
    async with connection.open() as app:
        jobs = await app.queue(queue).get_jobs(state, page=page, size=size, newest_first=not oldest_first)
    if json:
        show_json([_record(each, JobState(state)) for each in jobs])
        return
    columns = ("id", "name", "added", "attempts", "data", "failed_reason")
    rows = [
        (each.id, each.name, when(each.timestamp), each.attempts_made, _short(each.data), each.failed_reason)
        for each in jobs
    ]
    show_table(columns, rows, right=("attempts",))


@job.command
async def logs(queue: str, job_id: str, /, *, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Print the lines that a job's handler logged.

    Args:
        queue: its queue.
        job_id: its id.
    """
    async with connection.open() as app:
        lines = await (await found_job(app, queue, job_id)).logs()
    if json:
        show_json(lines)
    else:
        for line in lines:
            say(line)


async def _add(
    connection: Connection,
    queue: str,
    name: str,
    data: Any,
    options: AddOptions,
    check: bool | None,
    wait: str | None,
) -> tuple[Job[Any], Any]:
    async with connection.open() as app:
        added = await app.queue(queue).add(name, data, check=check, **options)
        return added, None if wait is None else await added.wait_for_result(wait, result_type=Any)


def _record(found: Job[Any], state: JobState) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "queue": found.queue,
        "state": state.value,
        "data": found.data,
        "timestamp": found.timestamp,
        "processed_on": found.processed_on,
        "finished_on": found.finished_on,
        "processed_by": found.processed_by,
        "priority": found.priority,
        "delay_ms": found.delay_ms,
        "attempts": found.options.attempts,
        "attempts_made": found.attempts_made,
        "attempts_started": found.attempts_started,
        "stalled_count": found.stalled_count,
        "progress": found.progress,
        "return_value": found.return_value,
        "failed_reason": found.failed_reason,
        "parent_key": found.parent_key,
        "stacktrace": found.stacktrace,
    }


def _short(data: Any) -> str:
    text = msgspec.json.encode(data).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
