"""What our sides share: their arguments (one JSON object), the declared queues, an open app, their answer."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from stockyard import App, Topology

ARGUMENTS: dict[str, Any] = json.loads(sys.argv[1])
QUEUE: str = ARGUMENTS.get("queue", "bench")
RANKED = [f"ranked-{number}" for number in range(20)]

TOPOLOGY = Topology("benchmarks")

_KEPT: dict[str, Any] = {"attempts": 1, "remove_on_complete": False, "remove_on_fail": False}
TOPOLOGY.queue("bench", concurrency=100, **_KEPT)
TOPOLOGY.queue("ordered", concurrency=100, ordered=True, **_KEPT)
TOPOLOGY.queue("portfolio:high_priority", concurrency=20, priority=5, **_KEPT)
TOPOLOGY.queue("portfolio:low_priority", concurrency=5, priority=15, **_KEPT)
# Without the option, it is what it is everywhere else.
_SHARDS: dict[str, Any] = {"shards": ARGUMENTS["shards"]} if ARGUMENTS.get("shards", 1) > 1 else {}
TOPOLOGY.queue("scale:jobs", concurrency=100, **_KEPT, **_SHARDS)
TOPOLOGY.queue("ticks", coalesce="latest", **_KEPT)
TOPOLOGY.queue("bounded", max_length=100_000_000, **_KEPT)
TOPOLOGY.queue("burn", executor="process", **_KEPT)
TOPOLOGY.queue("thread", executor="thread", **_KEPT)
TOPOLOGY.queue("process", executor="process", **_KEPT)
_AGING: dict[str, Any] = {"priority": 10, "aging": ARGUMENTS["aging"]} if ARGUMENTS.get("aging") else {}
for _name in RANKED:
    TOPOLOGY.queue(_name, **_KEPT, **_AGING)


_TEXT = "x" * ARGUMENTS.get("size", 0)


def payload(number: int) -> dict[str, Any]:
    """The payload of one job, with `size` more characters where the row asks for them."""
    return {"i": number, "text": _TEXT} if _TEXT else {"i": number}


def _stand_back() -> None:
    """Run on what the others leave of the processors, as background work beside what people wait for does."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)
    # Where the kernel shares processors out by session, that counts only among those of one session.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


def main(side: Callable[[App], Awaitable[dict[str, Any]]]) -> None:
    """Run a side on an open app, under uvloop, and print its answer once everything is closed."""

    if ARGUMENTS.get("background"):
        _stand_back()

    async def opened() -> dict[str, Any]:
        async with App(TOPOLOGY, redis=ARGUMENTS["url"]) as app:
            return await side(app)

    answer(uvloop.run(opened()))


def answer(value: dict[str, Any]) -> None:
    """Print one JSON line."""
    print(json.dumps(value), flush=True)
