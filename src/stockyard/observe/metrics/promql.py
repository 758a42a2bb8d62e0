"""Writes what Prometheus is asked: expressions over the defined metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stockyard.observe.metrics.definitions import JOBS, Metric

WAITING_STATES = 'state=~"waiting|prioritized"'


def latest(metric: Metric, *matchers: str, by: Iterable[str] | None = None) -> str:
    """Return what the server says now: once, though every exporter repeats it; by all its labels, or these."""
    labels = ", ".join(metric.labels if by is None else by)
    return f"max{f' by ({labels}) ' if labels else ''}({selected(metric.name, *matchers)})"


def waiting(*matchers: str) -> str:
    """Return how many jobs wait, by queue."""
    return f"sum by (queue) ({latest(JOBS, WAITING_STATES, *matchers)})"


def selected(name: str, *matchers: str) -> str:
    """Return the series of a name that fit all matchers."""
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name


def one_of(label: str, values: Iterable[str]) -> str:
    """Return a matcher of any of these values; of none when there are none."""
    # The expression stands in a quoted string, where a backslash is written twice and a quote behind one.
    pattern = "|".join(re.escape(value) for value in sorted(values)).replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}=~"{pattern}"'
