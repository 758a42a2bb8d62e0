"""Limits on a Sentinel set whose primary is killed, and on a cluster with its slots."""

import asyncio
import secrets
from typing import Any

import pytest

from stockyard import App, Job, Settings, Topology
from stockyard.errors import ConfigError, LimitReached, ServerError
from stockyard.limits import Fixed, Limits, Rolling
from tests.support.sets import ClusterSet, SentinelSet
from tests.support.waiting import eventually

CALLS = Limits("calls", [Rolling("calls", 5, per="1m", scope="account"), Fixed("day", 1000, per="1d")])


def settings(servers: ClusterSet | SentinelSet) -> Settings:
    return Settings.load(servers.url, prefix=f"l{secrets.token_hex(3)}", call_timeout=15, dotenv=None)


@pytest.mark.long
async def test_after_a_failover_a_limit_counts_as_used_up(sentinel_set: SentinelSet) -> None:
    async with App(Topology("t"), settings=settings(sentinel_set)) as app:
        limits = app.limits(CALLS)
        for _ in range(2):
            await limits.take({"calls": 1, "day": 1}, scope={"account": "A"}).acquire()
        trusting = app.limits(Limits("other", CALLS.limits, after_failover="trust"))
        await trusting.take({"calls": 1}, scope={"account": "A"}).acquire()
        killed = sentinel_set.primary()
        sentinel_set.kill(killed)

        async def is_denied() -> bool:
            try:
                await limits.take({"calls": 1}, scope={"account": "A"}, timeout=0).acquire()
            except LimitReached as error:
                return error.limit == "calls"
            except ServerError:
                # The primary was killed in the middle of the call, or there is none yet.
                return False
            return False

        await eventually(is_denied, within=60)
        # What may be lost is not known of a new scope either; a day is too long to wait for it.
        with pytest.raises(LimitReached):
            await limits.take({"calls": 1}, scope={"account": "B"}, timeout=0).acquire()
        await limits.take({"day": 1}, timeout=0).acquire()
        await trusting.take({"calls": 4}, scope={"account": "A"}, timeout=0).acquire()
        sentinel_set.restart(killed)


@pytest.mark.long
async def test_limits_are_counted_on_a_cluster(cluster_set: ClusterSet) -> None:
    topology = Topology("t", slots="one")
    topology.queue("orders", limits=CALLS, cost={"calls": 1}, scope={"account": "A"})
    async with App(topology, settings=settings(cluster_set)) as app:
        limits = app.limits(CALLS)
        await limits.take({"calls": 2, "day": 1}, scope={"account": "A"}).acquire()
        for _ in range(5):
            await app.queue("orders").add("buy")
        worker = app.worker("orders", run)
        running = asyncio.create_task(worker.run())
        await eventually(lambda: is_count(app, "completed", 3))
        await eventually(lambda: is_count(app, "delayed", 2))
        await worker.stop()
        await running
        assert {(each.limit, each.used) for each in (await limits.status()).usage} == {("calls", 5), ("day", 1)}
        assert await app.all_limits.names() == ["calls"]
        await limits.freeze("1h")
        assert await app.queue("orders").rate_limit_left_ms() > 3_000_000


async def run(job: Job[Any]) -> None:
    pass


async def is_count(app: App, state: str, number: int) -> bool:
    return bool(await app.queue("orders").count(state) == number)


@pytest.mark.long
async def test_limits_in_families_of_a_cluster_are_counted_beside_queues(cluster_set: ClusterSet) -> None:
    topology = Topology("t")
    topology.queue("execution:orders", limits=CALLS, cost={"calls": 1}, scope={"account": "A"})
    async with App(topology, settings=settings(cluster_set)) as app:
        with pytest.raises(ConfigError, match="slots='one'"):
            app.worker("execution:orders", run)
        limits = app.limits(CALLS)
        async with limits.take({"calls": 1}, scope={"account": "A"}):
            await limits.freeze("1h")
        assert await app.queue("execution:orders").rate_limit_left_ms() > 3_000_000
        assert (await app.all_limits.status("calls")).frozen
