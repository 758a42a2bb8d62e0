"""The cache: answers from the process's own copies, their truth, round trips, and what it does under pressure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from benchmarks.bench import Bench
from benchmarks.environments import CACHES, REDIS, Peer
from benchmarks.rounds import Figures, Turn
from benchmarks.table import Row, best_of

NEAR, CALLS, WRITES, PRESSED, BUDGET = 1_000_000, 50_000, 200, 100_000, "4mb"


def cache(bench: Bench) -> list[Row]:
    """Near hits, how soon a write elsewhere is seen, `get` and `set`, and the hit rate at ten times the budget."""

    def near() -> Mapping[str, float]:
        with bench.ours("remember", what="near", calls=bench.jobs(NEAR)) as side:
            return side.answer()

    def truth() -> Mapping[str, float]:
        writes = bench.jobs(WRITES)
        with bench.ours("remember", what="watch", writes=writes) as watching:
            watching.answer()
            with bench.ours("remember", what="write", writes=writes) as writing:
                answer = watching.answer()
                writing.end()
        return answer

    def calls() -> Mapping[str, float]:
        with bench.ours("remember", what="calls", calls=bench.jobs(CALLS)) as side:
            return side.answer()

    def pressed() -> Mapping[str, float]:
        with bench.ours("remember", what="press", calls=bench.jobs(PRESSED), budget=BUDGET) as side:
            return side.answer()

    seen = bench.alternate({"near": near, "truth": truth, "calls": calls, "pressed": pressed})
    million, soon = (Figures((each,) * bench.rounds) for each in (1e6, 50.0))
    return [
        Row("cache, near hits by await get", "hits/s", seen["near"]["get"], million, "a million", ">= 1.0"),
        Row("cache, near hits by peek", "hits/s", seen["near"]["peek"], million, "a million", ">= 1.0"),
        Row("cache, a write elsewhere is seen, p50", "ms", seen["truth"]["p50"], soon, "50 ms", "<= 1.0"),
        Row("cache, a write elsewhere is seen, p99", "ms", seen["truth"]["p99"], soon, "50 ms", "<= 1.0"),
        Row("cache, set of 1,000 characters, 200 at a time", "calls/s", seen["calls"]["set"]),
        Row("cache, get of 1,000 characters, 200 at a time", "calls/s", seen["calls"]["get"]),
        Row(
            "cache, hit rate at ten times the budget, Zipf",
            "%",
            seen["pressed"]["hit_rate"],
            seen["pressed"]["best"],
            "(the most asked for, always)",
        ),
    ]


def cache_calls(bench: Bench) -> list[Row]:
    """`set`, `get` and `get_or_set` of 1,000 characters, one by one and 50 at once; every `get` finds its key."""
    divisor = 20 if bench.quick else 1

    def ours() -> Mapping[str, float]:
        with bench.ours("cache_calls", divisor=divisor) as side:
            return side.answer()

    def theirs(peer: Peer) -> Mapping[str, float]:
        with bench.python(peer, "calls", {"BENCH_DIVISOR": str(divisor)}) as side:
            return side.answer()

    sides: dict[str, Turn] = {"ours": ours}
    if bench.versus:
        sides |= {peer.name: partial(theirs, peer) for peer in (*CACHES, REDIS)}
    seen = bench.alternate(sides)
    # The client library alone does less than a cache: it is shown, and counted in no row.
    bare = seen.pop(REDIS.name, None)
    rows = []
    for at_once, manner, required in ((1, "one by one", ">= 1.0"), (50, "50 at once", ">= 3.0")):
        for name in ("get", "set", "get_or_set"):
            what, figure = f"cache, {name} of 1,000 characters, {manner}", f"{name} {at_once}"
            rows += best_of(what, "calls/s", seen, figure, required)
            if bare:
                rows.append(Row(what, "calls/s", seen["ours"][figure], bare[figure], f"({REDIS.name})"))
    return rows
