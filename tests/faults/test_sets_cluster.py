"""A cluster whose primaries change, or whose slots move, while producers add and workers work."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.sets_load import Load
from tests.support.contention import contention
from tests.support.sets import ClusterSet, Node
from tests.support.waiting import eventually, ticks
from tests.support.yard import Yard

FOLLOWS_WITHIN = 2.0
"""Seconds from the moment when the cluster has a new primary."""

GAP = 0.5
"""Seconds in which no job ends while a slot moves."""


@pytest.fixture
async def yard(cluster_set: ClusterSet) -> AsyncIterator[Yard]:
    async with Yard(cluster_set.url, "t") as yard:
        await yard.queue().obliterate(force=True)
        yield yard


def marker_of(load: Load) -> str:
    """Return a key in the slot of a queue."""
    return load.queue._keyspace.keys["marker"]


async def new_primary(servers: ClusterSet, key: str, old: Node) -> tuple[Node, float]:
    """Return the primary that serves a key's slot in place of another, and since when."""

    async def is_other() -> bool:
        return await asyncio.to_thread(servers.primary_of, key) != old

    await eventually(is_other, within=30, every=0.02)
    return servers.primary_of(key), time.monotonic()


async def test_a_primary_that_is_killed(yard: Yard, cluster_set: ClusterSet) -> None:
    """The queue on it stands still until its replica takes over; queues on other primaries go on."""
    async with Load(yard) as load:
        old = cluster_set.primary_of(marker_of(load))
        names = [f"other{number}" for number in range(12)]
        others = [yard.queue(name) for name in names]
        other = next(each for each in others if cluster_set.primary_of(each._keyspace.keys["marker"]) != old)
        async with Load(yard, other.name) as beside:
            began = time.monotonic()
            cluster_set.kill(old)
            took: list[float] = []

            async def call() -> None:
                async for _ in ticks(0.05):
                    asked = time.monotonic()
                    await other.is_paused()
                    took.append(time.monotonic() - asked)

            calling = asyncio.create_task(call())
            _, named = await new_primary(cluster_set, marker_of(load), old)
            follows = await load.goes_on(named)
            calling.cancel()
            fate, beside_gap = await load.settle(), beside.gap(began)
            beside_fate = await beside.settle()
        print(
            f"\nkilled: goes on {follows:.2f} s after the new primary, longest gap {load.gap(began):.2f} s; {fate}"
            f"\n  on another: longest call {max(took):.2f} s, longest gap {beside_gap:.2f} s; {beside_fate}"
        )
        busy = await contention()
        assert follows < FOLLOWS_WITHIN * busy
        assert max(took) < busy
        assert beside_gap < busy
        assert (beside_fate.lost, beside_fate.doubled) == (0, 0)
    # Not in another thread: the process would end with that.
    cluster_set.restart(old)
    await asyncio.to_thread(cluster_set.wait_ready)


async def test_a_primary_that_is_frozen(yard: Yard, cluster_set: ClusterSet) -> None:
    async with Load(yard) as load:
        await load.add_long()
        old, began = cluster_set.primary_of(marker_of(load)), time.monotonic()
        cluster_set.freeze(old)
        new, named = await new_primary(cluster_set, marker_of(load), old)
        follows = await load.goes_on(named)
        await load.is_renewed_at(cluster_set.client(new))
        cluster_set.thaw(old)
        fate = await load.settle()
        print(
            f"\nfrozen: goes on {follows:.2f} s after the new primary, longest gap {load.gap(began):.2f} s; {fate}"
        )
        assert follows < FOLLOWS_WITHIN * await contention()
        assert await load.stalls_of("long") == 0
    await asyncio.to_thread(cluster_set.wait_ready)


@pytest.mark.parametrize("how", [(), ("TAKEOVER",)], ids=["agreed", "takeover"])
async def test_a_failover_by_hand(yard: Yard, cluster_set: ClusterSet, how: tuple[str, ...]) -> None:
    """The old primary lives; unless it agreed, it takes writes until it hears of the new one, which are lost."""
    async with Load(yard) as load:
        old, began = cluster_set.primary_of(marker_of(load)), time.monotonic()
        replica = cluster_set.replica_of(old)
        with cluster_set.client(replica) as client:
            client.execute_command("CLUSTER", "FAILOVER", *how)
        _, named = await new_primary(cluster_set, marker_of(load), old)
        follows = await load.goes_on(named)
        gap, fate = load.gap(began), await load.settle()
        print(f"\nby hand {how}: goes on {follows:.2f} s after the new primary, longest gap {gap:.2f} s; {fate}")
        assert follows < FOLLOWS_WITHIN * await contention()
        if not how:
            assert (fate.lost, fate.doubled) == (0, 0)
    await asyncio.to_thread(cluster_set.wait_ready)


async def test_a_slot_that_moves(yard: Yard, cluster_set: ClusterSet) -> None:
    async with Load(yard) as load:
        old = cluster_set.primary_of(marker_of(load))
        new = next(node for node in cluster_set.primaries() if node != old)
        with cluster_set.client(old) as here, cluster_set.client(new) as there:
            slot = here.execute_command("CLUSTER", "KEYSLOT", marker_of(load))
            target = there.execute_command("CLUSTER", "MYID")
            began = time.monotonic()
            here.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
        _, named = await new_primary(cluster_set, marker_of(load), old)
        follows = await load.goes_on(named)
        await eventually(lambda: len(load.ended) > 200)
        gap, fate = load.gap(began), await load.settle()
        print(f"\nslot: goes on {follows:.2f} s after the move, longest gap {gap:.2f} s; {fate}")
        assert (fate.lost, fate.doubled) == (0, 0)
        assert gap < GAP * await contention()
    assert cluster_set.primary_of(marker_of(load)) == new


async def test_a_slot_that_moves_key_by_key(yard: Yard, cluster_set: ClusterSet) -> None:
    """The older way: its queue stands still until the move is over, and loses nothing."""
    async with Load(yard) as load:
        old = cluster_set.primary_of(marker_of(load))
        new = next(node for node in cluster_set.primaries() if node != old)
        with cluster_set.client(old) as here, cluster_set.client(new) as there:
            slot = here.execute_command("CLUSTER", "KEYSLOT", marker_of(load))
            began = time.monotonic()
            there.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", here.execute_command("CLUSTER", "MYID"))
            here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", there.execute_command("CLUSTER", "MYID"))
            async for _ in ticks(0.1):
                keys = here.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 5)
                if not keys:
                    break
                here.execute_command("MIGRATE", new.host, new.port, "", 0, 5000, "KEYS", *keys)
            moved = time.monotonic()
            for client in (there, here):
                client.execute_command(
                    "CLUSTER", "SETSLOT", slot, "NODE", there.execute_command("CLUSTER", "MYID")
                )
        follows = await load.goes_on(moved)
        await eventually(lambda: len(load.ended) > 200)
        gap, fate = load.gap(began), await load.settle()
        print(
            f"\nkey by key: goes on {follows:.2f} s after a move of {moved - began:.2f} s, "
            f"longest gap {gap:.2f} s; {fate}"
        )
        assert (fate.lost, fate.doubled) == (0, 0)
        assert follows < FOLLOWS_WITHIN * await contention()
    assert cluster_set.primary_of(marker_of(load)) == new


async def test_a_worker_waits_at_the_new_place_of_its_slot(yard: Yard, cluster_set: ClusterSet) -> None:
    ran: list[float] = []
    worker = await yard.work(lambda _: ran.append(time.monotonic()), executor="thread")
    await eventually(lambda: any("waits for jobs" in check.detail for check in worker.health_checks()))
    key = yard.queue()._keyspace.keys["marker"]
    old = cluster_set.primary_of(key)
    new = next(node for node in cluster_set.primaries() if node != old)
    with cluster_set.client(old) as here, cluster_set.client(new) as there:
        slot = here.execute_command("CLUSTER", "KEYSLOT", key)
        target = there.execute_command("CLUSTER", "MYID")
        here.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
    await new_primary(cluster_set, key, old)

    def waits_there() -> bool:
        with cluster_set.client(new) as client:
            return any(each["cmd"] == "bzpopmin" for each in client.client_list())

    moved = time.monotonic()
    await eventually(waits_there)
    print(f"\nwaiting: moved {time.monotonic() - moved:.2f} s after the slot")
    added = time.monotonic()
    await yard.queue().add("x")
    await eventually(lambda: ran)
    assert ran[0] - added < await contention()
