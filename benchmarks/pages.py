"""The command `python -m benchmarks.pages`: how long the dashboard takes for each page, with a million jobs."""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from stockyard import App, Job, Topology
from stockyard.dashboard import Dashboard

_MOST_MS, _BY_ID_MS, _BY_VALUE_MS = 300, 50, 1000
_BATCH = 5_000
_MENU = (
    "/ /search /keys /schedules /limits /halts /effects /workers /alerts /caches /channels /server /audit "
    "/failures /failures?queue=desk:ended"
).split()
_STATES = (
    ("desk:ticks", ("waiting", "prioritized", "delayed")),
    ("desk:orders", ("waiting",)),
    ("desk:ended", ("failed", "completed")),
)


class Timing(NamedTuple):
    """What was measured of one page, in milliseconds."""

    path: str
    most: int
    median: float
    slowest: float


def _topology() -> Topology:
    desk = Topology("desk")
    desk.queue("desk:ticks")
    desk.queue("desk:orders", ordered=True)
    desk.queue("desk:fills", indexed=("order_id",))
    ended = desk.queue("desk:ended", remove_on_complete=False, remove_on_fail=False, concurrency=200)

    @ended.handler("job")
    async def end(job: Job[dict[str, Any]]) -> None:
        number = job.data["n"]
        if number % 2:
            raise ValueError(f"no margin for order {number}" if number % 3 else f"kind {number % 40} is late")

    return desk


async def _fill(app: App, jobs: int) -> None:
    """Add so many jobs: a tenth each ended well and badly, two tenths are in lines of keys, the others wait."""
    tenth = jobs // 10
    ticks: list[dict[str, Any]] = [{}] * 3 * tenth + [{"priority": 5}] * tenth + [{"delay": "5h"}] * tenth
    await _add(app, "desk:ended", [{}] * 2 * tenth)
    await _add(app, "desk:ticks", ticks)
    await _add(app, "desk:orders", [{"key": f"k{n % max(tenth // 5, 1)}"} for n in range(2 * tenth)])
    await _add(app, "desk:fills", [{}] * tenth)
    worker = app.worker("desk:ended")
    working = asyncio.create_task(worker.run())
    while await app.queue("desk:ended").count("failed", "completed") < 2 * tenth:
        await asyncio.sleep(0.5)
    await worker.stop()
    await working


async def _add(app: App, name: str, options: list[dict[str, Any]]) -> None:
    for at in range(0, len(options), _BATCH):
        await app.queue(name).add_many(
            [
                ("job", {"n": n, "order_id": f"A{n}", "symbol": f"S{n % 500}", "note": "x" * 40}, each)
                for n, each in enumerate(options[at : at + _BATCH], start=at)
            ]
        )


async def _paths(app: App) -> list[tuple[str, int]]:
    paths = [(path, _MOST_MS) for path in _MENU]
    for name, states in _STATES:
        counts = await app.queue(name).counts()
        for state in states:
            total = next(number for each, number in counts.items() if each == state)
            base = f"/queue?name={name}&state={state}"
            paths += [(f"{base}&size=25", _MOST_MS), (f"{base}&size=250", _MOST_MS)]
            paths += [(f"{base}&size=250&page={max(total // divisor // 250, 1)}", _MOST_MS) for divisor in (2, 1)]
            paths += [(f"{base}&size=250&find={find}", _MOST_MS) for find in ("data.n:7", "no-such-text")]
            (job, *_) = await app.queue(name).get_jobs(state, size=1, page=max(total // 2, 1))
            paths += [(f"/job?queue={name}&id={job.id}", _MOST_MS), (f"/search?q=id:{job.id}", _BY_ID_MS)]
    paths += [(f"/search?q=data.{value}", _BY_VALUE_MS) for value in ("order_id:A77", "symbol:S7", "n:none")]
    return [*paths, ("/search?q=order&queue=desk:ticks", _BY_VALUE_MS), ("/flow?queue=desk:ticks&id=1", _MOST_MS)]


async def _timed(ask: Callable[[], Awaitable[httpx.Response]], path: str, most: int) -> Timing:
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        reply = await ask()
        taken.append((time.perf_counter() - began) * 1000)
        assert reply.status_code in (200, 404), (path, reply.status_code)
    return Timing(path, most, statistics.median(taken), max(taken))


async def _measure(url: str, jobs: int, filled: bool) -> list[Timing]:
    async with App(_topology(), url, prefix="pages") as app:
        if not filled:
            await _fill(app, jobs)
        board = Dashboard(app, unprotected=True)
        transport = httpx.ASGITransport(app=board)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            return [
                await _timed(lambda path=path: client.get(path), path, most)  # type: ignore[misc]
                for path, most in await _paths(app)
            ]


def main() -> int:
    """Fill a server, measure each page, and return 1 when one is slower than it may be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--url", default="embedded://")
    parser.add_argument("--filled", action="store_true", help="the server has the jobs of an earlier run")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        url = f"embedded://{folder}" if options.url == "embedded://" else options.url
        timings = asyncio.run(_measure(url, options.jobs, options.filled))
    table = Table("page", "ms", "slowest", "at most", box=box.SIMPLE)
    for each in sorted(timings, key=lambda timing: -timing.median):
        mark = " *" if each.median > each.most else ""
        table.add_row(each.path, f"{each.median:.0f}{mark}", f"{each.slowest:.0f}", str(each.most))
    Console(width=120).print(table)
    return int(any(each.median > each.most for each in timings))


if __name__ == "__main__":
    raise SystemExit(main())
