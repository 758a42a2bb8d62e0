"""The commands of `stockyard queue` that change a queue as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal

from stockyard.cli.confirmation import Yes, is_agreed
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json
from stockyard.cli.options import AsJson, EndedStateName, Span, StateName
from stockyard.errors import InvalidOption
from stockyard.produce.queue import Queue

DECLINED = 1
"""Exit status when the answer was no."""


async def pause(*names: str, connection: Connection = DEFAULT) -> None:
    """Let no job of these queues start, on any worker; what runs goes on.

    Args:
        names: the queues; at least one.
    """
    await _each(connection, names, lambda queue: queue.pause())


async def resume(*names: str, connection: Connection = DEFAULT) -> None:
    """Let jobs of paused queues start again.

    Args:
        names: the queues; at least one.
    """
    await _each(connection, names, lambda queue: queue.resume())


async def limit(
    name: str,
    /,
    *,
    concurrency: int | Literal["none"] | None = None,
    rate: str | None = None,
    pause_for: Span = None,
    clear_rate_limit: bool = False,
    connection: Connection = DEFAULT,
) -> None:
    """Limit all workers of a queue together.

    Args:
        name: the queue.
        concurrency: jobs that run at a time; none takes the limit off.
        rate: jobs that start in a time, as in 100/s; none takes the limit off.
        pause_for: start nothing for so long, as in 30s.
        clear_rate_limit: end what --pause-for began, and begin a new window of the rate.
    """
    if isinstance(concurrency, int) and concurrency < 1:
        raise InvalidOption(
            f"--concurrency must be 1 or more, or none for no limit; got {concurrency}: "
            "`stockyard queue pause` lets nothing start"
        )
    orders: list[Callable[[Queue], Awaitable[object]]] = []
    if concurrency is not None:
        orders.append(lambda queue: queue.set_concurrency(None if concurrency == "none" else concurrency))
    if rate is not None:
        orders.append(lambda queue: queue.set_rate(None if rate == "none" else rate))
    if pause_for is not None:
        orders.append(lambda queue: queue.rate_limit(pause_for))
    if clear_rate_limit:
        orders.append(lambda queue: queue.clear_rate_limit())
    if not orders:
        raise InvalidOption("give at least one of --concurrency, --rate, --pause-for and --clear-rate-limit")

    async def give(queue: Queue) -> None:
        for order in orders:
            await order(queue)

    await _do(connection, name, give)


def drain(
    name: str,
    /,
    *,
    delayed: bool = False,
    yes: Yes = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> int:
    """Remove the jobs that wait, but not the next runs of schedules.

    Args:
        name: the queue.
        delayed: remove the delayed jobs as well.
    """
    also = " and all that are delayed" if delayed else ""
    if not is_agreed(f"Remove all waiting jobs{also} of queue {name!r}?", yes=yes):
        return DECLINED
    removed = asyncio.run(_do(connection, name, lambda queue: queue.drain(delayed=delayed)))
    _report(name, "removed", removed, removed, json)
    return 0


def clean(
    name: str,
    state: StateName,
    /,
    *,
    older_than: Span = None,
    limit: int = 0,
    yes: Yes = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> int:
    """Remove the jobs of one state, the oldest first.

    Args:
        name: the queue.
        state: where they are; of the active ones only those go that no worker holds.
        older_than: only what has been there so long, as in 7d.
        limit: so many at most; all by default.
    """
    since = f" since {older_than} or longer" if older_than else ""
    if not is_agreed(f"Remove the jobs of queue {name!r} that are {state}{since}?", yes=yes):
        return DECLINED
    ids = asyncio.run(
        _do(connection, name, lambda queue: queue.clean(state, older_than=older_than or 0, limit=limit))
    )
    _report(name, "removed", ids, len(ids), json)
    return 0


def obliterate(name: str, /, *, force: bool = False, yes: Yes = False, connection: Connection = DEFAULT) -> int:
    """Remove a queue with all its jobs, schedules, events and settings.

    Args:
        name: the queue.
        force: even if jobs are running.
    """
    if not is_agreed(f"Remove queue {name!r} with everything in it?", yes=yes):
        return DECLINED
    asyncio.run(_do(connection, name, lambda queue: queue.obliterate(force=force)))
    return 0


async def retry(
    name: str,
    state: EndedStateName = "failed",
    /,
    *,
    limit: int | None = None,
    before: datetime | None = None,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Put all jobs that failed back to wait, the oldest first.

    Args:
        name: the queue.
        state: failed by default, or completed.
        limit: so many at most.
        before: only what had ended by then, as in 2030-01-31T18:00:00+01:00; UTC if it has no zone.
    """
    if before is not None and before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    again = await _do(connection, name, lambda queue: queue.retry_all(state, limit=limit, before=before))
    _report(name, "retried", again, again, json)


async def promote(name: str, /, *, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """Let all delayed jobs run now.

    Args:
        name: the queue.
    """
    promoted = await _do(connection, name, lambda queue: queue.promote_all())
    _report(name, "promoted", promoted, promoted, json)


CONTROLS = (pause, resume, limit, drain, clean, obliterate, retry, promote)
"""In the order of the help."""


def _report(name: str, done: str, what: Any, number: int, as_json: bool) -> None:
    if as_json:
        show_json({"queue": name, done: what})
    else:
        print(f"{number:,} {'job' if number == 1 else 'jobs'} {done}")


async def _each(
    connection: Connection, names: tuple[str, ...], order: Callable[[Queue], Awaitable[object]]
) -> None:
    if not names:
        raise InvalidOption("give the name of at least one queue")
    async with connection.open() as app:
        # All names are looked up before the first order.
        for queue in [app.queue(name) for name in names]:
            await order(queue)


async def _do(connection: Connection, name: str, order: Callable[[Queue], Awaitable[Any]]) -> Any:
    async with connection.open() as app:
        return await order(app.queue(name))
