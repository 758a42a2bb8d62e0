"""Outages on cue: a kill switch, and a failover of a Sentinel set."""

from typing import Any

import pytest

from stockyard import App, ConfigError, Job, Topology
from stockyard.testing import all_enqueued, drain, eventually, failover, halted, make_app, running


async def test_halted_queues_start_nothing_within_the_block(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    spec = stockyard_topology.queue("orders")

    @spec.handler("submit")
    async def submit(job: Job[Any]) -> None:
        """Do nothing."""

    queue = stockyard_app.queue("orders")
    await queue.add("submit")
    async with halted(stockyard_app, "ord*") as halt:
        assert halt.queues == "ord*"
        assert (await drain(stockyard_app)).completed == []
        assert len(await all_enqueued(queue)) == 1
    assert len((await drain(stockyard_app)).completed) == 1


async def test_one_server_cannot_fail_over(stockyard_app: App) -> None:
    with pytest.raises(ConfigError, match="a failover needs a Sentinel set"):
        await failover(stockyard_app)


@pytest.mark.long
async def test_a_worker_goes_on_at_the_new_primary(
    stockyard_topology: Topology, stockyard_sentinel_url: str, stockyard_prefix: str
) -> None:
    spec = stockyard_topology.queue("orders")
    ran: list[str] = []

    @spec.handler("submit")
    async def submit(job: Job[str]) -> None:
        ran.append(job.data)

    app = make_app(stockyard_topology, stockyard_sentinel_url, prefix=stockyard_prefix)
    async with app, running(app.worker("orders")):
        await app.queue("orders").add("submit", "before")
        await eventually(lambda: ran == ["before"])
        await failover(app)
        await app.queue("orders").add("submit", "after")
        await eventually(lambda: "after" in ran, within="25s")
    assert set(ran) == {"before", "after"}
