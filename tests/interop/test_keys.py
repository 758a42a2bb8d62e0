"""Order per key with Node workers on the queue, whose ends let no job out of a line: a repair does."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from stockyard import App, Job
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts
from tests.support.waiting import eventually

KEYS, JOBS = "ABCDEF", 12


@pytest.fixture
def ordered(open_app: Any) -> App:
    """An App of ours whose queue ``q`` is in order by key."""
    app: App = open_app(q={"ordered": True, "concurrency": 3})
    return app


def runs(raw: Any, prefix: str, key_of: dict[str, str]) -> dict[str, list[tuple[str, str, int]]]:
    """For each key the starts and ends of its jobs in the order of the server: event, id, time in ms."""
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for entry, fields in raw.xrange(f"{prefix}:q:events"):
        if fields["event"] in ("active", "completed"):
            found[key_of[fields["jobId"]]].append((fields["event"], fields["jobId"], int(entry.partition("-")[0])))
    return found


async def test_order_by_key_holds_over_both(
    node: NodePeer, queue: NodeObject, ordered: App, work: Work, raw: Any, prefix: str
) -> None:
    ours = ordered.queue("q")
    jobs = await ours.add_many([("slow", {"ms": 2}, {"key": key}) for _ in range(JOBS) for key in KEYS])
    key_of = {job.id: KEYS[at % len(KEYS)] for at, job in enumerate(jobs)}
    await node.worker("q", name="node", concurrency=3)
    async with work(app=ordered, name="ours"):
        await eventually(lambda: has_counts(queue, completed=len(jobs)), within=60)
        await eventually(lambda: _is_empty(ordered))
    found = runs(raw, prefix, key_of)
    for key in KEYS:
        ids = [job.id for job in jobs if key_of[job.id] == key]
        assert [each[:2] for each in found[key]] == [
            (what, job) for job in ids for what in ("active", "completed")
        ]
    assert {raw.hget(f"{prefix}:q:{job.id}", "pb") for job in jobs} == {"node", "ours"}


async def test_a_key_goes_on_within_a_second_of_an_end_by_node(
    node: NodePeer, queue: NodeObject, ordered: App, work: Work, raw: Any, prefix: str
) -> None:
    ours, gate = ordered.queue("q"), asyncio.Event()

    async def hold(job: Job[Any]) -> None:
        await gate.wait()

    async with work(hold, app=ordered, concurrency=1):
        # Our worker has its hands full, so that Node's runs all others.
        await ours.add("hold", {})
        await eventually(lambda: ours.count("active"))
        await node.worker("q", name="node")
        jobs = await ours.add_many([("echo", {"n": n}, {"key": "A"}) for n in range(4)])
        await eventually(lambda: has_counts(queue, completed=4))
        gate.set()
    found = runs(raw, prefix, defaultdict(str, {job.id: "A" for job in jobs}))["A"]
    assert [job_id for what, job_id, _ in found if what == "active"] == [job.id for job in jobs]
    waits = [later[2] - before[2] for before, later in zip(found[1::2], found[2::2], strict=False)]
    assert len(waits) == 3
    assert max(waits) < 1000


async def _is_empty(app: App) -> bool:
    return not await app.queue("q").keys.list()
