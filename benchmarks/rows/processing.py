"""Emptying a queue of waiting jobs: against BullMQ on Node, bullmq for Python and the other Python peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.bench import Bench
from benchmarks.environments import BULLMQ, BULLMQ_TUNED, PEERS, Peer
from benchmarks.processes import Side
from benchmarks.rounds import Figures, Turn
from benchmarks.table import Row

CONCURRENCY = 100
JOBS = 50_000
WHAT = "process waiting jobs"
UNIT = "jobs/s"


def process(bench: Bench) -> list[Row]:
    """Rates and processor time per job, all of the same turns; each Python peer has a row of its own."""
    jobs = bench.jobs(JOBS)

    def ours() -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs) as side:
            side.end()
        return measured_process(bench, bench.ours, jobs)

    def node() -> Mapping[str, float]:
        with bench.node("fill", jobs=jobs) as side:
            side.end()
        return measured_process(bench, bench.node, jobs)

    def python(peer: Peer) -> Turn:
        few = max(peer.jobs // 10, 200) if bench.quick else peer.jobs
        return lambda: {"rate": bench.peer_rate(peer, few)}

    if not bench.versus:
        alone = bench.alternate({"ours": ours})["ours"]
        return [Row(f"{WHAT}, {jobs:,}", UNIT, alone["rate"]), *_cpu_rows(alone, None)]

    named = {peer.name: peer for peer in (BULLMQ, BULLMQ_TUNED, *PEERS)}
    chosen = {name: peer for name, peer in named.items() if not bench.peers or name in bench.peers}
    sides: dict[str, Turn] = {"ours": ours}
    if not bench.peers or "node" in bench.peers:
        sides["node"] = node
    sides |= {name: python(peer) for name, peer in chosen.items()}
    seen = bench.alternate(sides)
    rates = {side: figures["rate"] for side, figures in seen.items()}
    rows = _rows(rates, chosen)
    if "node" in seen:
        rows[1:1] = _cpu_rows(seen["ours"], seen["node"])
    return rows


def measured_process(bench: Bench, start: Callable[..., Side], jobs: int, **arguments: Any) -> Mapping[str, float]:
    """Let one worker process empty the queue; return the rate, and microseconds of processor time per job.

    `server_us` is that of all threads of the server, `worker_us` that of the worker's process between its first
    handler and its last, `started_us` that of the worker from its start to its end with all of its children.
    """
    before = bench.server.cpu_seconds()
    with start("process", jobs=jobs, concurrency=CONCURRENCY, **arguments) as side:
        answer = side.answer()
        side.end()
    bench.server.await_completed(jobs)
    return {
        "rate": answer["rate"],
        "server_us": (bench.server.cpu_seconds() - before) / jobs * 1e6,
        "worker_us": answer["cpu_seconds"] / jobs * 1e6,
        "started_us": side.cpu_seconds / jobs * 1e6,
    }


def _cpu_rows(ours: Mapping[str, Figures], node: Mapping[str, Figures] | None) -> list[Row]:
    rows = []
    for figure, whose, required in (
        ("server_us", "server CPU per job", "<= 0.4"),
        ("started_us", "worker CPU per job with its start", "<= 0.4"),
        ("worker_us", "worker CPU per job between handlers", None),
    ):
        what = f"{WHAT}, {whose}"
        if node is None:
            rows.append(Row(what, "µs", ours[figure]))
        else:
            name = "BullMQ on Node" if required else "(BullMQ on Node)"
            rows.append(Row(what, "µs", ours[figure], node[figure], name, required))
    return rows


def _rows(rates: Mapping[str, Figures], chosen: Mapping[str, Peer]) -> list[Row]:
    ours = rates["ours"]
    rows = []
    if "node" in rates:
        rows.append(Row(WHAT, UNIT, ours, rates["node"], "BullMQ on Node", ">= 2.4"))
    if "bullmq" in rates:
        rows.append(Row(WHAT, UNIT, ours, rates["bullmq"], "bullmq for Python", ">= 12"))
    others = {peer.name: rates[peer.name] for peer in PEERS if peer.name in rates}
    if others:
        best = max(others, key=lambda name: others[name].median)
        rows.append(Row(WHAT, UNIT, ours, others[best], f"{best}, best of {len(others)}", ">= 8"))
    for name in (BULLMQ_TUNED.name, *others):
        if name in rates:
            label = "bullmq for Python with uvloop and hiredis" if name == BULLMQ_TUNED.name else name
            rows.append(Row(WHAT, UNIT, ours, rates[name], f"({label})"))
    return rows
