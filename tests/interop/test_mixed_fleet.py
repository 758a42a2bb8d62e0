"""Workers of Node and of ours on one queue, with schedules, flows and retries, some of them killed: all is done.

It is ten minutes of a fleet whose schedules come every few seconds, in twenty: its periods are parts of a second.
`FLEET_SECONDS` makes it longer.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from stockyard import App, Flow
from tests.interop.conftest import Work
from tests.support.node import NodePeer
from tests.support.waiting import eventually, ticks

SECONDS = float(os.environ.get("FLEET_SECONDS", "20"))
PERIODS_MS = {"fast": 100, "quick": 250, "slow": 500}
BY_NODE = {"node-fast": 150, "node-slow": 400}
LEASE_MS = 1000


@pytest.mark.long
async def test_a_mixed_fleet_loses_nothing_and_runs_every_tick_once(
    node: NodePeer,
    start_node: Callable[..., NodePeer],
    prefix: str,
    raw: Any,
    open_app: Any,
    work: Work,
) -> None:
    app: App = open_app(q={"concurrency": 10, "lock": LEASE_MS / 1000})
    ours = app.queue("q")
    queue = await node.queue("q", streams={"events": {"maxLen": 1_000_000}})
    flows = await node.flows()
    schedules = app.schedules("q")
    node_options = {"concurrency": 5, "lockDuration": LEASE_MS, "stalledInterval": LEASE_MS}
    for name, period in PERIODS_MS.items():
        await schedules.upsert(name, every=period / 1000, name="echo", data={"of": name})
    await schedules.upsert("by the second", cron="* * * * * *", tz="UTC", name="echo")
    for name, period in BY_NODE.items():
        await queue.upsertJobScheduler(name, {"every": period}, {"name": "echo", "data": {"of": name}})

    async def produce(until: float) -> list[str]:
        parents: list[str] = []
        async for number in ticks(0.15):
            if asyncio.get_running_loop().time() > until:
                return parents
            leaves = [Flow("echo", "q", {"leaf": leaf}) for leaf in range(3)]
            tree = await app.flows.add(Flow("gather", "q", {"n": number}, children=leaves))
            children = [{"name": "echo", "queueName": "q", "data": {"leaf": leaf}} for leaf in range(3)]
            theirs = await flows.add({"name": "gather", "queueName": "q", "data": {}, "children": children})
            parents += [tree.job.id, theirs["job"]["id"]]
            await ours.add("fail_first", {"times": 1}, attempts=3, backoff=0.05)
            await queue.add("fail_first", {"times": 2}, {"attempts": 3, "backoff": 50, "priority": 2})
        raise AssertionError

    for peer in (start_node(), start_node()):
        await peer.worker("q", **node_options)
    async with work(app=app, stalled_interval=LEASE_MS / 2000):
        producing = asyncio.create_task(produce(asyncio.get_running_loop().time() + SECONDS))
        for _ in range(3):
            # Each of these ends in the middle of what it does.
            doomed = start_node()
            await doomed.worker("q", **node_options)
            async with work(app=app, stalled_interval=LEASE_MS / 2000):
                await asyncio.sleep(SECONDS / 4)
                doomed.kill()
        parents = await producing
        alive = {each.id: each for each in await schedules.list()}
        assert alive.keys() == {*PERIODS_MS, *BY_NODE, "by the second"}
        for name in PERIODS_MS:
            assert await schedules.remove(name)
        for name in (*BY_NODE, "by the second"):
            assert await queue.removeJobScheduler(name)

        async def is_done() -> bool:
            counts = await queue.getJobCounts("wait", "active", "delayed", "prioritized", "waiting-children")
            return not any(counts.values())

        await eventually(is_done, within=60)

    base = f"{prefix}:q:"
    assert raw.zcard(f"{base}failed") == 0
    assert list(raw.scan_iter(f"{base}*:lock")) == []
    ends = Counter(fields["jobId"] for _, fields in raw.xrange(f"{base}events") if fields["event"] == "completed")
    assert set(ends.values()) == {1}
    assert set(ends) == set(raw.zrange(f"{base}completed", 0, -1))
    for parent in parents:
        assert len(raw.hgetall(f"{base}{parent}:processed")) == 3
    for name, period in {**PERIODS_MS, **BY_NODE, "by the second": 1000}.items():
        slots = sorted(int(each.rpartition(":")[2]) for each in ends if each.startswith(f"repeat:{name}:"))
        assert len(slots) > 3
        assert {(later - earlier) % period for earlier, later in pairwise(slots)} <= {0}, name
