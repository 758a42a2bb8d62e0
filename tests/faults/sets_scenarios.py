"""The faults of Sentinel sets and clusters whose histories are checked."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stockyard.embedded.layout import SetKind
from stockyard.model.durability import Durability
from stockyard.testing.judgement import HistoryReport
from tests.faults.sets_fleet import SetFleet
from tests.support.waiting import eventually

_CALM = 0.5
"""Seconds of load before a fault and after it, whose jobs are judged as well."""


@dataclass(frozen=True, slots=True)
class SetScenario:
    """One kind of fault of a set.

    Attributes:
        name: for tests and tables.
        happens: what happens, in words.
        kind: of the set.
        fault: makes it happen, returns when all servers are well again, and says when the new primary was one.
        durability: of our adds; none of these may be lost.
        is_long: whether ``make faults`` alone plays it.
    """

    name: str
    happens: str
    kind: SetKind
    fault: Callable[[SetFleet], Awaitable[float]]
    durability: Durability | None = None
    is_long: bool = False


async def play_on_set(scenario: SetScenario) -> HistoryReport:
    """Let it happen under load, and judge what became of the jobs."""
    async with SetFleet(scenario.kind, durability=scenario.durability) as fleet:
        await asyncio.sleep(_CALM)
        before, began = fleet.servers.failovers(), time.time()
        over = await scenario.fault(fleet)
        # Two of them, one behind the other, could lose what the first had kept.
        assert fleet.servers.failovers() == before + 1
        await fleet.all_go_on(over)
        await asyncio.sleep(_CALM)
        # Replication is asynchronous: what a primary answered right before it went may be nowhere else.
        return await fleet.judge([(began, over)], forgets=1, keeps_jobs=scenario.durability is not None)


async def kill_primary(fleet: SetFleet) -> float:
    """Kill the primary of the queue, wait for the new one, and let the old one come back as its replica."""
    old = fleet.primary
    new = fleet.servers.replica_of(old)
    fleet.servers.kill(old)
    await eventually(lambda: fleet.servers.is_primary(new), within=30, every=0.02)
    over = time.time()
    # As long as a Sentinel names the old one, clients would go there, and what they add would be lost.
    await eventually(lambda: fleet.servers.is_known_as_primary(new), within=30, every=0.05)
    fleet.servers.restart(old)
    await asyncio.to_thread(fleet.servers.rejoin, old, new)
    return over


SETS = (
    SetScenario("sentinel", "Sentinel: the primary killed by SIGKILL", "sentinel", kill_primary, is_long=True),
    SetScenario(
        "sentinel-durable",
        'the same, `durability="replica"`',
        "sentinel",
        kill_primary,
        durability="replica",
    ),
    SetScenario("cluster", "cluster: a primary killed by SIGKILL", "cluster", kill_primary, is_long=True),
    SetScenario(
        "cluster-durable",
        'a cluster, `durability="replica"`',
        "cluster",
        kill_primary,
        durability="replica",
    ),
)
