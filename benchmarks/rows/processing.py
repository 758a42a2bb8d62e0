"""Emptying a queue of waiting jobs: against BullMQ on Node, bullmq for Python and the other Python peers."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.environments import BULLMQ, BULLMQ_TUNED, PEERS, Peer
from benchmarks.processes import Side, SideFailed
from benchmarks.rounds import Figures, Turn
from benchmarks.table import Row

CONCURRENCY = 100
JOBS = 50_000
WHAT = "process waiting jobs"
UNIT = "jobs/s"


def process(bench: Bench) -> list[Row]:
    """Three rows that share our turns, and one more for each Python peer that nothing is required of."""
    jobs = bench.jobs(JOBS)

    def ours() -> Mapping[str, float]:
        with bench.ours("fill", jobs=jobs) as side:
            side.end()
        return _counted(bench, bench.ours("process", jobs=jobs, concurrency=CONCURRENCY), jobs)

    def node() -> Mapping[str, float]:
        with bench.node("fill", jobs=jobs) as side:
            side.end()
        return _counted(bench, bench.node("process", jobs=jobs, concurrency=CONCURRENCY), jobs)

    def python(peer: Peer) -> Turn:
        few = max(peer.jobs // 10, 200) if bench.quick else peer.jobs
        return lambda: {"rate": bench.peer_rate(peer, few)}

    if not bench.versus:
        return [Row(f"{WHAT}, {jobs:,}", UNIT, bench.alternate({"ours": ours})["ours"]["rate"])]

    named = {peer.name: peer for peer in (BULLMQ, BULLMQ_TUNED, *PEERS)}
    chosen = {name: peer for name, peer in named.items() if not bench.peers or name in bench.peers}
    sides: dict[str, Turn] = {"ours": ours}
    if not bench.peers or "node" in bench.peers:
        sides["node"] = node
    sides |= {name: python(peer) for name, peer in chosen.items()}
    rates = {side: figures["rate"] for side, figures in bench.alternate(sides).items()}
    return _rows(rates, chosen)


def _counted(bench: Bench, side: Side, jobs: int) -> Mapping[str, float]:
    with side:
        answer = side.answer()
        side.end()
    if (completed := bench.server.completed()) != jobs:
        raise SideFailed(f"{completed:,} of {jobs:,} jobs are completed on the server")
    return {"rate": answer["rate"]}


def _rows(rates: Mapping[str, Figures], chosen: Mapping[str, Peer]) -> list[Row]:
    ours = rates["ours"]
    rows = []
    if "node" in rates:
        rows.append(Row(WHAT, UNIT, ours, rates["node"], "BullMQ on Node", ">= 2.0"))
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
