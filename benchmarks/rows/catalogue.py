"""What can be measured, by the name that `--only` takes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.rows import (
    adding,
    aging,
    arranging,
    batching,
    caching,
    calling,
    channels,
    cpu,
    executing,
    flows,
    gating,
    keys,
    latency,
    memory,
    observing,
    payloads,
    porting,
    processing,
    rhythms,
    scaling,
    sharding,
    starting,
    tracing,
    upkeep,
)
from benchmarks.table import Row

ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "process": processing.process,
    "observed": observing.observed,
    "traced": tracing.traced,
    "add": adding.add,
    "add-many": adding.add_many,
    "sync-add": adding.sync_add,
    "latency": latency.latency,
    "rpc": calling.rpc,
    "port": porting.port,
    "executors": executing.executors,
    "batches": batching.batches,
    "payloads": payloads.payloads,
    "start": starting.start,
    "backlog": scaling.backlog,
    "priority": scaling.priority,
    "aging": aging.aging,
    "flood": latency.flood,
    "server-memory": memory.of_the_server,
    "worker-memory": memory.of_the_worker,
    "cpu": cpu.cpu,
    "gated": gating.gated,
    "flows": flows.flows,
    "schedules": rhythms.schedules,
    "limits": rhythms.limits,
    "cache": caching.cache,
    "cache-calls": caching.cache_calls,
    "channels": channels.channels,
    "live-channel": channels.live_channel,
    "arranged": arranging.arranged,
    "keyed": keys.keyed,
    "shards": sharding.shards,
    "upkeep": upkeep.upkeep,
}
