"""The commands of `stockyard queue` that look at a queue: its workers, its minutes, its events."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from stockyard._store.jobs.event_decoding import kind_of, name_of
from stockyard._store.snapshots import QueueMetrics
from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import say, seconds, show_json, show_table, when
from stockyard.cli.options import AsJson
from stockyard.events import Event
from stockyard.model.printable import printable_lines

_MINUTE = 60_000


async def workers(*names: str, connection: Connection = DEFAULT, json: AsJson = False) -> None:
    """List the workers that are connected, Node's and ours.

    Args:
        names: the queues. Defaults to all.
    """
    async with connection.open() as app:
        found = [each for name in names or app.topology.names for each in await app.queue(name).workers()]
    if json:
        show_json(found)
        return
    rows = [(each.queue, each.name or None, each.address, seconds(each.age), seconds(each.idle)) for each in found]
    show_table(("queue", "worker", "address", "connected", "idle"), rows, right=("connected", "idle"))


async def metrics(
    name: str,
    /,
    *,
    minutes: int = 15,
    prometheus: Annotated[bool, Parameter(help="Print the text for Prometheus, by BullMQ's names.")] = False,
    connection: Connection = DEFAULT,
    json: AsJson = False,
) -> None:
    """Count the jobs that ended in each of the last minutes, as far as workers with metrics on counted them.

    Args:
        name: the queue.
        minutes: how many; 15 by default.
    """
    if prometheus:
        async with connection.open() as app:
            print(printable_lines(await app.queue(name).prometheus()), end="")
        return
    async with connection.open() as app:
        queue = app.queue(name)
        found = {
            "completed": await queue.metrics("completed", 0, minutes - 1),
            "failed": await queue.metrics("failed", 0, minutes - 1),
        }
    if json:
        show_json(found)
        return
    completed, failed = (_by_minute(each) for each in found.values())
    shown = sorted(completed | failed, reverse=True)[:minutes]
    rows = [(when(at * _MINUTE), completed.get(at, 0), failed.get(at, 0)) for at in shown]
    rows.append(("in all", found["completed"].count, found["failed"].count))
    show_table(("minute", "completed", "failed"), rows, right=("completed", "failed"))


async def events(
    name: str,
    /,
    *,
    last: int = 20,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), help="Go on with what happens from now on.")
    ] = False,
    after: str | None = None,
    only: tuple[str, ...] = (),
    job: tuple[str, ...] = (),
    connection: Connection = DEFAULT,
    json: Annotated[bool, Parameter(name="--json", help="Print a JSON document a line.")] = False,
) -> None:
    """Show what happened in a queue, and what goes on happening.

    Args:
        name: the queue.
        last: how many of the latest events to begin with; 20 by default.
        after: follow from behind the event of this id instead; a gap is printed if some are gone.
        only: events of this name, as in completed; may be given again.
        job: events of the job of this id; may be given again.
    """
    kinds = tuple(kind_of(each) for each in only)
    async with connection.open() as app, app.events(name, after, only=kinds, job_ids=job) as found:
        if after is None and last:
            for event in await found.earlier(last):
                _show(event, as_json=json)
        if follow or after is not None:
            async for event in found:
                _show(event, as_json=json)


VIEWS = (workers, metrics, events)
"""In the order of help."""


def _by_minute(metrics: QueueMetrics) -> dict[int, int]:
    """Count by minutes since the epoch; the running one holds what came since the last was closed."""
    if not metrics.prev_ts:
        return {}
    running = metrics.prev_ts // _MINUTE
    closed = {running - 1 - place: count for place, count in enumerate(metrics.data)}
    return closed | {running: metrics.count - metrics.prev_count}


def _show(event: Event, *, as_json: bool) -> None:
    facts: dict[str, Any] = msgspec.structs.asdict(event)
    place, name = facts.pop("id"), name_of(event)
    del facts["queue"]
    if as_json:
        show_json({"event": name, "id": place, "timestamp": event.timestamp, **facts}, on_one_line=True)
    else:
        fields = "  ".join(f"{key}={_text(value)}" for key, value in facts.items() if value is not None)
        say(f"{when(event.timestamp)}  {name:<17}  {fields}".rstrip())


def _text(value: Any) -> str:
    """Text as it is, unless it would break the line."""
    if isinstance(value, str) and value.isprintable():
        return value
    return msgspec.json.encode(value).decode()
