"""A Sentinel set whose primary changes while producers add and a worker works: all of them follow it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import pytest

from stockyard import App, Channel, Topology
from tests.faults.sets_load import Fate, Load
from tests.support.contention import contention
from tests.support.sets import Node, SentinelSet
from tests.support.waiting import eventually, stays, wait_until
from tests.support.yard import Yard

FOLLOWS_WITHIN = 2.0
"""Seconds from the moment when the Sentinels name a new primary."""

AWAY = 30.0
"""Seconds without Sentinels, and without a primary."""


@pytest.fixture
async def yard(sentinel_set: SentinelSet) -> AsyncIterator[Yard]:
    async with Yard(sentinel_set.url, "t") as yard:
        await yard.queue().obliterate(force=True)
        yield yard
    for node in [*sentinel_set.nodes, *sentinel_set.sentinels]:
        with contextlib.suppress(ProcessLookupError):
            sentinel_set.thaw(node)


async def new_primary(servers: SentinelSet, old: Node) -> tuple[Node, float]:
    """Return the primary that the Sentinels name in place of another, and since when."""

    async def is_named() -> bool:
        return await asyncio.to_thread(servers.primary) != old

    await eventually(is_named, within=30, every=0.02)
    return servers.primary(), time.monotonic()


def report(name: str, follows: float, load: Load, since: float, fate: Fate) -> None:
    print(f"\n{name}: goes on {follows:.2f} s after the new primary, longest gap {load.gap(since):.2f} s; {fate}")


async def test_a_primary_that_is_killed(yard: Yard, sentinel_set: SentinelSet) -> None:
    channel = yard.app.channel(Channel("live"))
    async with Load(yard) as load, yard.app.events("q") as events, channel.subscribe() as messages:
        await load.add_long()
        old, began = sentinel_set.primary(), time.monotonic()
        sentinel_set.kill(old)
        new, named = await new_primary(sentinel_set, old)
        follows = await load.goes_on(named)
        await load.is_renewed_at(sentinel_set.client(new))
        fate = await load.settle()
        report("killed", follows, load, began, fate)
        assert follows < FOLLOWS_WITHIN * await contention()
        async with asyncio.timeout(20):
            await channel.publish("heard")
            async for message in messages:
                if getattr(message, "value", None) == "heard":
                    break
            async for event in events:
                if getattr(event, "job_id", None) == "long":
                    break
    sentinel_set.restart(old)
    await asyncio.to_thread(sentinel_set.rejoin, old, new)


async def test_a_primary_that_is_frozen(yard: Yard, sentinel_set: SentinelSet) -> None:
    """Its connections stay open and silent."""
    async with Load(yard) as load:
        await load.add_long()
        old, began = sentinel_set.primary(), time.monotonic()
        sentinel_set.freeze(old)
        new, named = await new_primary(sentinel_set, old)
        follows = await load.goes_on(named)
        await load.is_renewed_at(sentinel_set.client(new))
        fate = await load.settle()
        report("frozen", follows, load, began, fate)
        assert follows < FOLLOWS_WITHIN * await contention()
        assert await load.stalls_of("long") == 0
    sentinel_set.thaw(old)
    await asyncio.to_thread(sentinel_set.rejoin, old, new)


async def test_a_worker_that_waits_at_a_frozen_primary(yard: Yard, sentinel_set: SentinelSet) -> None:
    """Nothing is added meanwhile that would show that the primary is gone."""
    cache = yard.app.cache("fx", int, ttl="1m", near="1m")
    await cache.set("eur", 1)
    assert await cache.get("eur") == 1
    ran: list[float] = []
    worker = await yard.work(lambda _: ran.append(time.monotonic()), executor="thread")
    await eventually(lambda: any("waits for jobs" in check.detail for check in worker.health_checks()))
    old = sentinel_set.primary()
    sentinel_set.freeze(old)
    new, named = await new_primary(sentinel_set, old)
    async with Yard(sentinel_set.url, "t") as other:
        await other.queue().add("x")
        await other.app.cache("fx", int, ttl="1m", near="1m").set("eur", 2)
    await eventually(lambda: ran)
    print(f"\nwaiting: a job ran {ran[0] - named:.2f} s after the new primary")
    assert ran[0] - named < FOLLOWS_WITHIN * await contention()

    async def is_fresh() -> bool:
        return await cache.get("eur") == 2

    await eventually(is_fresh)
    sentinel_set.thaw(old)
    await asyncio.to_thread(sentinel_set.rejoin, old, new)


@pytest.mark.parametrize("how", [(), ("COORDINATED",)], ids=["forced", "coordinated"])
async def test_a_failover_by_hand(yard: Yard, sentinel_set: SentinelSet, how: tuple[str, ...]) -> None:
    """The old primary lives; unless both are coordinated, it takes writes for ten seconds more, which are lost."""
    async with Load(yard) as load:
        old, began = sentinel_set.primary(), time.monotonic()
        with sentinel_set.client(sentinel_set.sentinels[0]) as client:
            client.execute_command("SENTINEL", "FAILOVER", sentinel_set.service, *how)
        new, named = await new_primary(sentinel_set, old)
        with sentinel_set.client(new) as client:
            before = client.zcard("t:q:completed")
            await eventually(lambda: client.zcard("t:q:completed") > before)
        follows = time.monotonic() - named
        await load.goes_on(time.monotonic())
        fate = await load.settle()
        report(f"by hand {how}", follows, load, began, fate)
        assert follows < FOLLOWS_WITHIN * await contention()
        if how:
            assert (fate.lost, fate.doubled) == (0, 0)
    await asyncio.to_thread(sentinel_set.rejoin, old, new)


async def test_no_sentinel_answers_for_a_while(
    yard: Yard, sentinel_set: SentinelSet, caplog: pytest.LogCaptureFixture
) -> None:
    async with Load(yard) as load:
        for sentinel in sentinel_set.sentinels:
            sentinel_set.freeze(sentinel)
        with caplog.at_level(logging.WARNING, "stockyard"):
            with sentinel_set.client(sentinel_set.primaries()[0]) as client:
                client.client_kill_filter(_type="normal", skipme=True)
            cut = time.monotonic()
            await eventually(lambda: any("no Sentinel" in each.detail for each in load.worker.health_checks()))
            assert all(check.ok for check in load.worker.health_checks() if check.is_fatal)
            await eventually(lambda: time.monotonic() > cut + 8)
            for sentinel in sentinel_set.sentinels:
                sentinel_set.thaw(sentinel)
            back = time.monotonic()
            follows = await load.goes_on(back)
            await eventually(lambda: all(check.ok for check in load.worker.health_checks()))
        gap, fate = load.gap(cut), await load.settle()
        print(f"\nno Sentinel: goes on {follows:.2f} s after they are back, longest gap {gap:.2f} s; {fate}")
        assert follows < FOLLOWS_WITHIN * await contention()
        assert (fate.lost, fate.doubled) == (0, 0)
        said = [each.getMessage() for each in caplog.records if "worker of queue" in each.getMessage()]
        assert len([text for text in said if "no Sentinel" in text]) == 1, said
    # One that stood still would take part in no failover for half a minute (TILT).
    for sentinel in sentinel_set.sentinels:
        sentinel_set.restart(sentinel)
    await asyncio.to_thread(sentinel_set.wait_ready)


@pytest.mark.long
async def test_a_worker_waits_while_neither_sentinels_nor_primary_are_there(
    yard: Yard, sentinel_set: SentinelSet, caplog: pytest.LogCaptureFixture
) -> None:
    """For longer than any timeout: it is alive, says what it waits for, and goes on at their return."""
    ran: list[float] = []
    worker = await yard.work(lambda _: ran.append(time.monotonic()), executor="thread")
    await eventually(lambda: any("waits for jobs" in check.detail for check in worker.health_checks()))
    primary = sentinel_set.primary()
    with caplog.at_level(logging.WARNING, "stockyard"):
        for node in (*sentinel_set.sentinels, primary):
            sentinel_set.kill(node)
        await eventually(lambda: any("no Sentinel" in check.detail for check in worker.health_checks()))

        def is_alive_and_says_so() -> bool:
            checks = worker.health_checks()
            return all(check.ok for check in checks if check.is_fatal) and any(not check.ok for check in checks)

        await stays(is_alive_and_says_so, during=AWAY, every=0.2)
        for node in (primary, *sentinel_set.sentinels):
            sentinel_set.restart(node)
        back = time.monotonic()
        async with Yard(sentinel_set.url, "t") as other:
            await other.queue().add("x")
        await eventually(lambda: ran)
    print(f"\nneither: a job ran {ran[0] - back:.2f} s after both were back")
    assert ran[0] - back < FOLLOWS_WITHIN * await contention()
    await eventually(lambda: all(check.ok for check in worker.health_checks()))
    said = [text for record in caplog.records if "no Sentinel" in (text := record.getMessage())]
    assert len(said) == 1, said
    await asyncio.to_thread(sentinel_set.wait_ready)


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_a_program_without_a_loop_goes_on(sentinel_set: SentinelSet, fault: str) -> None:
    """Nothing watches its connections: it asks a Sentinel at its calls, once a second."""
    topology = Topology("t")
    topology.queue("q")
    app = App(topology, sentinel_set.url, prefix="t")
    queue = app.queue("q").sync
    queue.add("x")
    old = sentinel_set.primary()
    new = sentinel_set.replica_of(old)
    getattr(sentinel_set, fault)(old)
    wait_until(lambda: sentinel_set.is_known_as_primary(new))
    began = time.monotonic()
    job = queue.add("x")
    print(f"\nwithout a loop, {fault}: the next add took {time.monotonic() - began:.2f} s")
    with sentinel_set.client(new) as client:
        assert client.exists(f"t:q:{job.id}")
    app.close()
    if fault == "kill":
        sentinel_set.restart(old)
    else:
        sentinel_set.thaw(old)
    sentinel_set.rejoin(old, new)
