"""Adding jobs: one by one at once, and in bulk, against BullMQ on Node; one by one by blocking calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.environments import peer
from benchmarks.processes import Side, SideFailed
from benchmarks.rounds import Turn
from benchmarks.table import Row, best_of

JOBS = 50_000
BLOCKING = 10_000


def add(bench: Bench) -> list[Row]:
    """`queue.add` called 200 at a time."""
    return _add(bench, "add", 200, "queue.add, 200 at a time", "BullMQ on Node, Promise.all of 200 add")


def add_many(bench: Bench) -> list[Row]:
    """`queue.add_many` of 500."""
    return _add(bench, "add_many", 500, "queue.add_many of 500", "BullMQ on Node, addBulk of 500")


def sync_add(bench: Bench) -> list[Row]:
    """`queue.sync.add` one by one, from a program without a loop, against the best of the blocking peers."""
    calls = bench.jobs(BLOCKING)

    def ours() -> Mapping[str, float]:
        with bench.ours("sync_add", calls=calls) as side:
            answer = side.answer()
            side.end()
        if (added := bench.server.backlog()) != answer["added"]:
            raise SideFailed(f"{added:,} jobs wait on the server instead of {answer['added']:,}")
        return _blocking(answer, calls)

    def theirs(name: str) -> Mapping[str, float]:
        with bench.python(peer(name), "add", {"BENCH_JOBS": str(calls)}) as side:
            answer = side.answer()
            side.end()
        return _blocking(answer, calls)

    sides: dict[str, Turn] = {"ours": ours}
    if bench.versus:
        sides |= {name: partial(theirs, name) for name in ("huey", "dramatiq", "rq", "celery")}
    seen = bench.alternate(sides)
    return best_of("queue.sync.add, one by one", "calls/s", seen, "rate", ">= 1.0")


def _blocking(answer: Mapping[str, float], calls: int) -> Mapping[str, float]:
    return {"rate": answer["rate"], "client_us": answer["cpu_seconds"] / calls * 1e6}


def _add(bench: Bench, call: str, group: int, what: str, peer_name: str) -> list[Row]:
    jobs = bench.jobs(JOBS)
    sides: dict[str, Turn] = {"ours": lambda: measured_add(bench, bench.ours, jobs, group, call)}
    if bench.versus:
        sides["node"] = lambda: measured_add(bench, bench.node, jobs, group, call)
    seen = bench.alternate(sides)
    if not bench.versus:
        ours = seen["ours"]
        return [
            Row(what, "jobs/s", ours["rate"]),
            Row(f"{what}, server CPU per job", "µs", ours["server_us"]),
            Row(f"{what}, client CPU per job", "µs", ours["client_us"]),
        ]
    ours, node = seen["ours"], seen["node"]
    told = f"({peer_name})"
    return [
        Row(what, "jobs/s", ours["rate"], node["rate"], peer_name, ">= 2.0"),
        Row(f"{what}, server CPU per job", "µs", ours["server_us"], node["server_us"], told),
        Row(f"{what}, client CPU per job", "µs", ours["client_us"], node["client_us"], told),
    ]


def measured_add(
    bench: Bench, start: Callable[..., Side], jobs: int, group: int, call: str, size: int = 0
) -> Mapping[str, float]:
    """Add jobs in groups; return the rate, and microseconds of processor time per job of server and client."""
    # Ten groups come before the client's clocks are started.
    all_jobs = jobs + 10 * group
    before = bench.server.cpu_seconds()
    with start("add", jobs=jobs, group=group, call=call, size=size) as side:
        answer = side.answer()
        side.end()
    if (added := bench.server.backlog()) != all_jobs:
        raise SideFailed(f"{added:,} jobs wait on the server instead of {all_jobs:,}")
    return {
        "rate": answer["rate"],
        "server_us": (bench.server.cpu_seconds() - before) / all_jobs * 1e6,
        "client_us": answer["cpu_seconds"] / jobs * 1e6,
    }
