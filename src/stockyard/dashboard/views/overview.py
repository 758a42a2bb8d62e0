"""The overview: all queues, what they do, and which alerts fire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stockyard.dashboard.charts import Series, line_chart, sparkline
from stockyard.dashboard.formats import age
from stockyard.dashboard.latency import Latency, latency_of_histograms
from stockyard.dashboard.minutes import SHOWN, throughput_chart
from stockyard.dashboard.samples import Rates
from stockyard.dashboard.views.view import Facts, Look, PageRequest, allowed
from stockyard.observe.alerts.incidents import Status
from stockyard.observe.health import QueueHealth
from stockyard.observe.metrics.exporter import WorkerFigures
from stockyard.produce.queue import Queue

_MINUTES_EVERY = 10.0
"""Seconds between two looks at the counts of each minute, which change once a minute."""
_MOST_LINES = 5


class QueueRow(NamedTuple):
    """One queue of the table."""

    health: QueueHealth
    rates: Rates | None
    line: Any


class Overview:
    """Looks at everything, at the counts of minutes less often."""

    def __init__(self, request: PageRequest) -> None:
        self._request = request
        self._chart: Any = None
        self._charted = -_MINUTES_EVERY

    async def look(self) -> Facts:
        """Return the facts of the page."""
        app, samples = self._request.app, self._request.samples
        overview = await app.monitor.overview()
        now = time.monotonic()
        samples.add(now, overview.queues)
        if now - self._charted >= _MINUTES_EVERY:
            self._charted = now
            self._chart = await _throughput([app.queue(name) for name in app.topology.names])
        rows = [
            QueueRow(
                each,
                samples.rates(each.name),
                sparkline(f"jobs of {each.name} that ended per second, of late", samples.ended(each.name)),
            )
            for each in overview.queues
        ]
        lagging = sorted(overview.queues, key=lambda each: -max(_known(samples.oldest_waiting(each.name))))
        names = [each.name for each in lagging[:_MOST_LINES]]
        waiting = line_chart(
            "Age of the oldest waiting job",
            [Series(name, samples.oldest_waiting(name)) for name in names],
            ends=(f"{age(samples.seconds)} ago", "now"),
            spelled=age,
        )
        return {
            "rows": rows,
            "totals": _totals(rows),
            "firing": [each for each in overview.incidents if each.status is Status.FIRING],
            "pending": sum(each.status is Status.PENDING for each in overview.incidents),
            "damage": [f"{each.name}: {what}" for each in overview.queues for what in each.damage],
            "servers": overview.servers,
            "throughput": self._chart,
            "waiting": waiting,
            "waiting_names": names,
            "latency": latency_by_queue(app.monitor.figures()),
        }


def overview(request: PageRequest) -> Look:
    """Open the overview."""
    return Overview(request).look


def latency_by_queue(figures: Sequence[WorkerFigures]) -> list[tuple[str, Latency]]:
    """Return how long jobs waited and ran, as the workers of this process counted them, by queue."""
    queues: dict[str, list[WorkerFigures]] = {}
    for each in figures:
        queues.setdefault(each.queue, []).append(each)
    found = []
    for name, workers in queues.items():
        counters = [counters for worker in workers for _, counters in worker.metrics.by_name()]
        if counters:
            waits, runs = [each.wait for each in counters], [each.run for each in counters]
            found.append((name, latency_of_histograms(waits, runs)))
    return found


async def _throughput(queues: Sequence[Queue]) -> Any:
    found = await asyncio.gather(
        *(allowed(queue.metrics, kind, 0, SHOWN) for queue in queues for kind in ("completed", "failed"))
    )
    return throughput_chart(
        [each for each in found[::2] if each is not None],
        [each for each in found[1::2] if each is not None],
        now=int(time.time() * 1000),
    )


def _totals(rows: Sequence[QueueRow]) -> Mapping[str, float]:
    health = [row.health for row in rows]
    known = [row.rates for row in rows if row.rates is not None]
    return {
        "waiting": sum(each.waiting for each in health),
        "active": sum(each.active for each in health),
        "delayed": sum(each.delayed for each in health),
        "failed": sum(each.failed for each in health),
        "workers": sum(each.workers for each in health),
        "unknown": sum(each.effects_unknown for each in health),
        "rate": sum(each.completed + each.failed for each in known),
    }


def _known(values: Sequence[float | None]) -> list[float]:
    return [0.0, *(value for value in values if value is not None)]
