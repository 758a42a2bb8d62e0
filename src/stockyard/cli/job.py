"""`stockyard job`: add one, look at it, change it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from cyclopts import App as Command
from cyclopts import Parameter

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, seconds, show_facts, show_json, show_table, when
from stockyard.cli.job_control import CONTROLS, found_job
from stockyard.cli.options import AsJson, Span, StateName
from stockyard.cli.payload import payload_of
from stockyard.errors import InvalidOption
from stockyard.model.job import Job, JobState
from stockyard.model.job_query import query_of
from stockyard.model.options import AddOptions
from stockyard.model.printable import printable_lines
from stockyard.model.search_index import is_indexed

job = Command(name="job", help="Add, show, find, list, change, retry or remove jobs, and read their logs.")
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
    key: str | None = None,
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
        key: of a queue with shards: all jobs of a key are in one.
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
        "key": key,
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
        position = await app.queue(queue).position(job_id)
    record |= {"ahead": position.ahead, "starts_in": position.starts_in}
    if json:
        show_json(record)
        return
    if position.ahead is not None and not position.is_exact:
        record["ahead"] = f"{position.ahead:,} or more"
    record["starts_in"] = None if position.starts_in is None else f"about {seconds(position.starts_in)}"
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
async def search(
    text: str,
    /,
    *queues: str,
    count: int = 20,
    connection: Connection = DEFAULT,
    json: Annotated[bool, Parameter(name="--json", help="Print a JSON document a line.")] = False,
) -> int:
    """Find jobs by id, name, error or data, in steps that do not hold up the server; exit status 1: none.

    Args:
        text: id:17, name:submit, error:margin, data.symbol:BTCUSDT, correlation:order-7, or other text.
        queues: where to look. Defaults to all.
        count: ends after so many; 20 by default.
    """
    if count < 1:
        raise InvalidOption(f"--count must be 1 or more; got {count}")
    left = count
    async with connection.open() as app:
        path = query_of(text).path
        # What an index has is there at once.
        chosen = [app.queue(name) for name in queues or app.topology.names]
        for queue in sorted(chosen, key=lambda each: not is_indexed(each.spec.indexed, path)):
            step = await queue.search(text, count=left)
            seen: set[str] = set()
            while True:
                for each in step.found[:left]:
                    if each.job.id not in seen:
                        seen.add(each.job.id)
                        left -= 1
                        _show_found(each.job, each.state or await each.job.state(), as_json=json)
                if left <= 0:
                    return 0
                if step.after is None:
                    break
                step = await queue.search(text, after=step.after, count=left)
    return 0 if left < count else 1


def _show_found(found: Job[Any], state: JobState, *, as_json: bool) -> None:
    if as_json:
        show_json(_record(found, state), on_one_line=True)
    else:
        say(f"{found.queue}  {found.id}  {state}  {found.name}  {when(found.timestamp)}  {_short(found.data)}")


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
        "correlation_id": found.correlation_id if found.has_lineage else None,
        "causation_id": found.causation_id,
        "stacktrace": found.stacktrace,
    }


def _short(data: Any) -> str:
    text = msgspec.json.encode(data).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"
