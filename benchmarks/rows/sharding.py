"""One queue over several shards: processor time and latency on three primaries, the rate on a single server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cluster import Cluster
from benchmarks.processes import SideFailed
from benchmarks.rounds import Figures, alternate
from benchmarks.rows.latency import RATE, WARM_UP, percentiles, timed_probes
from benchmarks.table import Row

QUEUE = "scale:jobs"
SHARDS = (1, 2, 4)
PRIMARIES = 3
JOBS, PROBES = 20_000, 1_000
JOBS_ALONE = 50_000
CONCURRENCY = 100


def shards(bench: Bench) -> list[Row]:
    """Each number of shards against one shard; then the most of them on one server."""
    with Cluster(PRIMARIES) as cluster:
        seen = alternate({f"{n} shards": partial(_on_cluster, bench, cluster, n) for n in SHARDS}, bench.rounds)
    rows = [row for n in SHARDS for row in _rows(n, seen[f"{n} shards"], seen[f"{SHARDS[0]} shards"])]
    few, many = SHARDS[0], SHARDS[-1]
    alone = bench.alternate(
        {f"{n} on one server": partial(_rate, bench, JOBS_ALONE, shards=n) for n in (few, many)}
    )
    ours, itself = (alone[f"{n} on one server"]["rate"] for n in (many, few))
    what, name = f"process, {many} shards on one server", f"itself, {few} shard"
    return [*rows, Row(what, "jobs/s", ours, itself, name, ">= 0.9")]


def _on_cluster(bench: Bench, cluster: Cluster, number: int) -> Mapping[str, float]:
    cluster.flush()
    jobs, probes = bench.jobs(JOBS), bench.jobs(PROBES) + WARM_UP
    before = cluster.cpu_seconds()
    figures = _rate(bench, JOBS, url=cluster.url, shards=number)
    used = [(after - start) / jobs * 1e6 for after, start in zip(cluster.cpu_seconds(), before, strict=True)]
    cluster.flush()
    arguments: dict[str, Any] = {
        "url": cluster.url,
        "queue": QUEUE,
        "shards": number,
        "jobs": probes,
        "rate": RATE,
        "concurrency": CONCURRENCY,
    }
    waited = timed_probes(bench.ours("listen", **arguments), lambda: bench.ours("probe", **arguments))
    return {**figures, "server_us": sum(used), "busiest_us": max(used), **percentiles(waited)}


def _rate(bench: Bench, number: int, **arguments: Any) -> Mapping[str, float]:
    """Fill the queue, let one worker process empty it, and return the rate and the worker's time per job."""
    jobs = bench.jobs(number)
    arguments |= {"queue": QUEUE}
    with bench.ours("fill", jobs=jobs, **arguments) as side:
        side.end()
    with bench.ours("process", jobs=jobs, concurrency=CONCURRENCY, **arguments) as side:
        answer = side.answer()
        side.end()
    with bench.ours("count", **arguments) as side:
        completed = side.answer()["completed"]
    if completed != jobs:
        raise SideFailed(f"{completed:,} of {jobs:,} jobs are completed on the servers")
    return {"rate": answer["rate"], "worker_us": answer["cpu_seconds"] / jobs * 1e6}


def _rows(number: int, ours: Mapping[str, Figures], one: Mapping[str, Figures]) -> list[Row]:
    rows = []
    for figure, what, unit in (
        ("server_us", "server CPU per job, all primaries, adding included", "µs"),
        ("busiest_us", "server CPU per job, busiest primary", "µs"),
        ("worker_us", "worker CPU per job between handlers", "µs"),
        ("rate", "process", "jobs/s"),
        ("p99", f"latency at {RATE} jobs/s, p99", "ms"),
    ):
        named = f"{number} shard{'s' * (number > 1)} on {PRIMARIES} primaries, {what}"
        if number == SHARDS[0]:
            rows.append(Row(named, unit, ours[figure]))
        else:
            rows.append(Row(named, unit, ours[figure], one[figure], f"(itself, {SHARDS[0]} shard)"))
    return rows
