"""What can be measured, by the name that `--only` takes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.rows import (
    adding,
    caching,
    calling,
    channels,
    cpu,
    executing,
    flows,
    latency,
    memory,
    observing,
    payloads,
    processing,
    rhythms,
    scaling,
    starting,
)
from benchmarks.table import Row

ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "process": processing.process,
    "observed": observing.observed,
    "add": adding.add,
    "add-many": adding.add_many,
    "sync-add": adding.sync_add,
    "latency": latency.latency,
    "rpc": calling.rpc,
    "executors": executing.executors,
    "payloads": payloads.payloads,
    "start": starting.start,
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
    "cache-calls": caching.cache_calls,
    "channels": channels.channels,
    "live-channel": channels.live_channel,
}
