"""What can be measured, by the name that `--only` takes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.rows import (
    adding,
    caching,
    cpu,
    flows,
    latency,
    memory,
    observing,
    processing,
    rhythms,
    scaling,
    telling,
)
from benchmarks.table import Row

ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "process": processing.process,
    "observed": observing.observed,
    "add": adding.add,
    "add-many": adding.add_many,
    "latency": latency.latency,
    "backlog": scaling.backlog,
    "priority": scaling.priority,
    "flood": latency.flood,
    "server-memory": memory.of_the_server,
    "worker-memory": memory.of_the_worker,
    "cpu": cpu.cpu,
    "flows": flows.flows,
    "schedules": rhythms.schedules,
    "limits": rhythms.limits,
    "cache": caching.cache,
    "channels": telling.channels,
}
