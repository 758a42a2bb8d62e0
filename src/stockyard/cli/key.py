"""`stockyard key`: keys of a queue whose jobs run in order, and letting parked ones go on."""

from __future__ import annotations

from typing import Literal

from cyclopts import App as Command

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, seconds, show_facts, show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.errors import QueueStateError

key = Command(name="key", help="List the keys of a queue whose jobs run in order, and let parked ones go on.")


@key.command(name="list")
async def list_keys(
    queue: str,
    /,
    *,
    state: Literal["waiting", "running", "held", "parked"] | None = None,
    count: int = 100,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """List the keys that have jobs, the parked ones first, then those with the longest lines.

    Args:
        queue: name of the queue.
        state: only keys whose first job is waiting, running, held (by its delay or its children) or parked.
        count: so many at most; 100 by default.
    """
    async with connection.open() as app:
        found = await app.queue(queue).keys.list(state, count=count)
    if json:
        show_json(found)
        return
    rows = [
        (each.key, each.state, each.head, each.length, seconds(each.oldest_age), each.reason or "")
        for each in found
    ]
    show_table(("key", "state", "first job", "behind it", "age", "reason"), rows, right=("behind it", "age"))


@key.command
async def show(
    queue: str, name: str, /, *, count: int = 20, connection: Connection = DEFAULT, json: AsJson = False
) -> None:
    """Show one key: its first job, and the next ones of its line.

    Args:
        queue: name of the queue.
        name: the key.
        count: so many of the line at most; 20 by default.
    """
    async with connection.open() as app:
        keys = app.queue(queue).keys
        found, waiting = await keys.get(name), await keys.waiting(name, count=count)
    if found is None:
        raise QueueStateError(queue, f"key {name!r} of queue {queue!r} has no job")
    if json:
        show_json({"key": found, "waiting": waiting})
        return
    show_facts(
        {
            "key": found.key,
            "state": found.state,
            "first job": found.head,
            "age": seconds(found.oldest_age),
            "behind it": found.length,
            "next": " ".join(waiting) or None,
            "reason": found.reason,
        }
    )


@key.command
async def resume(queue: str, name: str, /, *, connection: Connection = DEFAULT) -> None:
    """Let a parked key go on with its next job; the failed one stays failed.

    Args:
        queue: name of the queue.
        name: the key.
    """
    async with connection.open() as app:
        job_id = await app.queue(queue).keys.resume(name)
    say(f"key {name} goes on; job {job_id} stays failed")


@key.command
async def skip(queue: str, name: str, /, *, connection: Connection = DEFAULT) -> None:
    """Remove the failed job of a parked key, and let the key go on with the next.

    Args:
        queue: name of the queue.
        name: the key.
    """
    async with connection.open() as app:
        job_id = await app.queue(queue).keys.skip(name)
    say(f"key {name} goes on; job {job_id} is removed")


@key.command
async def replay(queue: str, name: str, /, *, connection: Connection = DEFAULT) -> None:
    """Run the failed job of a parked key again, before the next.

    Args:
        queue: name of the queue.
        name: the key.
    """
    async with connection.open() as app:
        job_id = await app.queue(queue).keys.replay(name)
    say(f"key {name} goes on; job {job_id} runs again first")
