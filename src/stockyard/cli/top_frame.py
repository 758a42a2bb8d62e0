"""One frame of `stockyard top`: what was seen at a moment, and how it is drawn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stockyard._store.snapshots import QueueMetrics, WorkerInfo
from stockyard.app import App
from stockyard.cli.display import make_table, seconds, when
from stockyard.errors import ServerRefused
from stockyard.model.job import Job
from stockyard.model.printable import printable
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.health import QueueHealth
from stockyard.produce.queue import Queue

_MINUTE = 60_000
_HEADS = ("queue waiting active delayed failed completed done/s failed/s oldest longest workers").split()
_WIDE, _FOR_WIDE = 110, ("delayed", "completed", "failed/s")
"""Columns of a terminal from which on these are shown."""


@dataclass(frozen=True, slots=True)
class Running:
    """A job that runs.

    Attributes:
        worker: name of the worker, or None for one without.
        seconds: since it was started.
    """

    queue: str
    id: str
    name: str
    attempt: int
    worker: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The queues, workers, longest runs and alerts at one moment.

    Attributes:
        at: ms since the epoch.
        minutes: by queue, how many jobs completed and failed in the last full minute; only of a first look.
        workers: None when the server's user may not list them.
    """

    at: int
    server: str
    queues: list[QueueHealth]
    minutes: dict[str, tuple[int, int]]
    workers: list[WorkerInfo] | None
    running: list[Running]
    alerts: list[Incident]


async def look(app: App, names: Sequence[str], rows: int, *, is_first: bool) -> Dashboard:
    """Look at queues, all of the topology without names; the ``rows`` longest runs are among what is seen.

    What cannot be read of one queue is left out; its health names the damage.

    Raises:
        UnknownQueue: the topology does not declare one.
        ServerError: the server did not answer.
    """
    queues = [app.queue(name) for name in names or app.topology.names]
    health = await app.health(*names)
    now = int(time.time() * 1000)
    busy = [queue for queue, found in zip(queues, health, strict=True) if found.active]
    minutes = await asyncio.gather(*(_last_minutes(queue, now) for queue in queues)) if is_first else []
    active = await asyncio.gather(*(_longest(queue, rows) for queue in busy))
    running = [_running(job, now) for jobs in active for job in jobs if job.processed_on is not None]
    return Dashboard(
        now,
        f"{app.topology.name}  {app.url}",
        health,
        {queue.name: each for queue, each in zip(queues, minutes, strict=False)},
        await _workers(queues),
        sorted(running, key=lambda each: -each.seconds)[:rows],
        await _firing(app),
    )


def draw(
    dashboard: Dashboard, before: Dashboard | None, rows: int, *, width: int, trouble: str = ""
) -> RenderableType:
    """Return the frame; rates are since ``before``, or of the last full minute without it."""
    parts: list[RenderableType] = [Text(f"{dashboard.server}   {when(dashboard.at)}", style="bold")]
    parts += [Text(printable(trouble), style="red")] if trouble else []
    parts += [Text(f"ALERT  {printable(alert.message)}", style="red") for alert in dashboard.alerts[:rows]]
    parts += [Text(f"DAMAGE  {each}", style="red") for each in damage_of(dashboard.queues)[:rows]]
    parts += [
        _queues_table(dashboard, before, width),
        _running_table(dashboard.running),
        _workers_table(dashboard.workers, rows),
    ]
    return Group(*parts)


def shown_name(health: QueueHealth) -> str:
    """Return a queue with what keeps all of its jobs from being started."""
    why = "halted" if health.halted else "paused" if health.paused else ""
    return f"{health.name} ({why})" if why else health.name


def damage_of(queues: Iterable[QueueHealth]) -> list[str]:
    """Return what of the queues cannot be read, one line each."""
    return [f"{each.name}: {what}" for each in queues for what in each.damage]


def rates(health: QueueHealth, dashboard: Dashboard, before: Dashboard | None) -> tuple[float, float]:
    """Return how many jobs of a queue completed and failed per second."""
    if before is None or before.at >= dashboard.at:
        completed, failed = dashboard.minutes.get(health.name, (0, 0))
        return completed / 60, failed / 60
    span = (dashboard.at - before.at) / 1000
    then = next(each for each in before.queues if each.name == health.name)
    # A queue that was obliterated meanwhile counts from nothing again.
    completed = max(health.completed_total - then.completed_total, 0)
    failed = max(health.failed_total - then.failed_total, 0)
    return completed / span, failed / span


def last_minute(metrics: QueueMetrics, now: int) -> int:
    """Count the last full minute, which is closed by the first job that ends after it."""
    behind = now // _MINUTE - metrics.prev_ts // _MINUTE
    if behind == 0:
        return metrics.data[0] if metrics.data else 0
    return metrics.count - metrics.prev_count if behind == 1 else 0


def _queues_table(dashboard: Dashboard, before: Dashboard | None, width: int) -> Table:
    lines = [_cells(each, rates(each, dashboard, before)) for each in dashboard.queues]
    heads = [head for head in _HEADS if width >= _WIDE or head not in _FOR_WIDE]
    return _table(heads, [[line[head] for head in heads] for line in lines], right=heads[1:])


def _cells(health: QueueHealth, ended: tuple[float, float]) -> dict[str, object]:
    cells = (
        shown_name(health),
        health.waiting,
        health.active,
        health.delayed,
        Text(f"{health.failed:,}", style="red" if health.failed else ""),
        health.completed,
        *(f"{each:,.1f}" for each in ended),
        seconds(health.oldest_waiting_age),
        seconds(health.longest_active),
        Text(f"{health.workers:,}", style="red" if health.waiting and not health.workers else ""),
    )
    return dict(zip(_HEADS, cells, strict=True))


def _running_table(running: Sequence[Running]) -> Table:
    rows = [(each.queue, each.id, each.name, each.attempt, seconds(each.seconds), each.worker) for each in running]
    return _table(("longest runs", "job", "name", "attempt", "for", "worker"), rows, right=("attempt", "for"))


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str]) -> Table:
    table = make_table(heads, rows, right=right)
    table.padding = 0
    return table


def _workers_table(workers: Sequence[WorkerInfo] | None, rows: int) -> RenderableType:
    if workers is None:
        return Text("the workers cannot be listed: this user may not run CLIENT LIST")
    shown = [
        (each.queue, each.name or None, each.address, seconds(each.age), seconds(each.idle))
        for each in workers[:rows]
    ]
    table = _table(("workers of", "worker", "address", "connected", "idle"), shown, right=("connected", "idle"))
    more = len(workers) - len(shown)
    return Group(table, Text(f"and {more:,} more workers")) if more else table


async def _last_minutes(queue: Queue, now: int) -> tuple[int, int]:
    try:
        completed, failed = await asyncio.gather(queue.metrics("completed", 0, 0), queue.metrics("failed", 0, 0))
    except ServerRefused:
        return 0, 0
    return last_minute(completed, now), last_minute(failed, now)


async def _longest(queue: Queue, rows: int) -> list[Job[Any]]:
    try:
        return await queue.get_jobs("active", size=rows, newest_first=False)
    except ServerRefused:
        return []


async def _firing(app: App) -> list[Incident]:
    try:
        return [incident for incident in await app.alerts.incidents() if incident.status is Status.FIRING]
    except ServerRefused:
        return []


async def _workers(queues: Sequence[Queue]) -> list[WorkerInfo] | None:
    try:
        found = await asyncio.gather(*(queue.workers() for queue in queues))
    except ServerRefused:
        return None
    return [worker for workers in found for worker in workers]


def _running(job: Job[Any], now: int) -> Running:
    since = job.processed_on if job.processed_on is not None else now
    return Running(job.queue, job.id, job.name, job.attempt, job.processed_by, max(now - since, 0) / 1000)
