"""Jobs that ended in each of the last minutes, as the workers counted them on the server. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from stockyard._store.snapshots import QueueMetrics
from stockyard.dashboard.charts import Series, stacked_bars

MINUTE = 60_000
SHOWN = 60


def by_minute(metrics: QueueMetrics) -> dict[int, int]:
    """Count by minutes since the epoch; the running one holds what came since the last was closed."""
    if not metrics.prev_ts:
        return {}
    running = metrics.prev_ts // MINUTE
    closed = {running - 1 - place: number for place, number in enumerate(metrics.data)}
    return closed | {running: metrics.count - metrics.prev_count}


def throughput_chart(completed: Iterable[QueueMetrics], failed: Iterable[QueueMetrics], *, now: int) -> Markup:
    """Return bars of the jobs that ended in each minute.

    Args:
        completed, failed: of one queue, or of several together.
        now: ms since the epoch.
    """
    minutes = range(now // MINUTE - SHOWN + 1, now // MINUTE + 1)
    rows = []
    for name, several in (("completed", completed), ("failed", failed)):
        counted = [by_minute(each) for each in several]
        rows.append(Series(name, [float(sum(each.get(at, 0) for each in counted)) for at in minutes]))
    names = [_ago(minutes[-1] - at) for at in minutes]
    return stacked_bars(
        "Jobs that ended in each of the last 60 minutes", rows, ends=("60 min ago", "now"), names=names
    )


def _ago(minutes: int) -> str:
    return "this minute" if not minutes else f"{minutes} min ago"
