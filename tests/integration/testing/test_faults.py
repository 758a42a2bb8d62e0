"""Faults on cue: processes that freeze, die, and lose what their server answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stockyard import ConfigError, Job, JobState, ReplyLost, Topology
from stockyard.effects import Venue
from stockyard.testing import AppProcess, ManualClock, assert_enqueued, eventually

MakeProcess = Callable[[], Awaitable[AppProcess]]


class Exchange:
    """A double of an exchange: the test may stop its caller behind the accept."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.cancelled: list[str] = []
        self.accepted: Callable[[], Awaitable[None]] | None = None

    async def place(self, order: str) -> dict[str, str]:
        self.orders.append(order)
        if self.accepted is not None:
            try:
                await self.accepted()
            except asyncio.CancelledError:
                self.cancelled.append(order)
                raise
        return {"id": order}


@pytest.fixture
def exchange(stockyard_topology: Topology) -> Exchange:
    exchange = Exchange()
    orders = stockyard_topology.queue("orders", lock="30s", venue=Venue(dedup="never"))

    @orders.handler("submit")
    async def submit(job: Job[str]) -> Any:
        async with job.effect(job.data, max_duration="10s") as effect:
            reply = await exchange.place(effect.key)
            effect.record(reply)
        return reply

    @orders.handler("plain")
    async def plain(job: Job[str]) -> Any:
        return await exchange.place(job.data)

    return exchange


async def test_a_worker_freezes_between_accept_and_record(
    stockyard_process: MakeProcess, stockyard_clock: ManualClock, exchange: Exchange
) -> None:
    first, second = await stockyard_process(), await stockyard_process()
    exchange.accepted = first.freeze_here
    async with first.running("orders"):
        job = await second.app.queue("orders").add("submit", "A1")
        await eventually(lambda: first.is_frozen)
        async with second.running("orders"):
            await stockyard_clock.advance("2m")
            assert await job.state() is JobState.FAILED
        record = await second.app.effects.get("A1")
        assert record is not None
        assert (record.outcome, exchange.orders) == ("unknown", ["A1"])
        await first.thaw()
        # What it knows is worth more than that nobody knew.
        await eventually(lambda: _outcome(second, "A1", "committed"))
    assert exchange.orders == ["A1"]


async def _outcome(process: AppProcess, key: str, outcome: str) -> bool:
    record = await process.app.effects.get(key)
    return record is not None and record.outcome == outcome


async def test_a_frozen_worker_that_thaws_in_time_keeps_its_job(
    stockyard_process: MakeProcess, stockyard_clock: ManualClock, exchange: Exchange
) -> None:
    first, second = await stockyard_process(), await stockyard_process()
    exchange.accepted = first.freeze_here
    async with first.running("orders"):
        job = await second.app.queue("orders").add("plain", "A1")
        await eventually(lambda: first.is_frozen)
        async with second.running("orders"):
            await stockyard_clock.advance("20s")
            await first.thaw()
            await stockyard_clock.advance("20s")
            assert await job.wait_for_result("5s") == {"id": "A1"}
    assert exchange.orders == ["A1"]


async def test_an_idle_worker_that_is_frozen_takes_no_job(
    stockyard_process: MakeProcess, exchange: Exchange
) -> None:
    first, second = await stockyard_process(), await stockyard_process()
    queue = second.app.queue("orders")
    async with first.running("orders") as idle:
        await eventually(lambda: idle._shards.all[0].blocking_taker.waits_until < float("inf"))
        await first.freeze()
        await queue.add("plain", "A1")
        await assert_enqueued(queue, data="A1")
        await first.thaw()
        await eventually(lambda: exchange.orders == ["A1"])


async def test_a_frozen_worker_takes_nothing_and_a_late_one_is_cancelled(
    stockyard_process: MakeProcess, stockyard_clock: ManualClock, exchange: Exchange
) -> None:
    first, second = await stockyard_process(), await stockyard_process()
    queue = second.app.queue("orders")
    async with first.running("orders"):
        calls: list[str] = []

        async def accepted() -> None:
            calls.append("")
            if len(calls) == 1:
                await first.freeze_here()
                await asyncio.Event().wait()

        exchange.accepted = accepted
        job = await queue.add("plain", "A1")
        await eventually(lambda: first.is_frozen)
        await queue.add("plain", "A2")
        await assert_enqueued(queue, data="A2", count=1)
        async with second.running("orders"):
            await stockyard_clock.advance("2m")
            assert exchange.orders == ["A1", "A2", "A1"]
            assert await job.wait_for_result("5s") == {"id": "A1"}
        await first.thaw()
        await eventually(lambda: exchange.cancelled == ["A1"])


async def test_the_job_of_a_killed_worker_is_run_by_another(
    stockyard_process: MakeProcess, stockyard_clock: ManualClock, exchange: Exchange
) -> None:
    first, second = await stockyard_process(), await stockyard_process()
    exchange.accepted = asyncio.Event().wait  # type: ignore[assignment]
    async with first.running("orders"):
        job = await second.app.queue("orders").add("plain", "A1")
        await eventually(lambda: exchange.orders == ["A1"])
        await first.kill()
        await eventually(lambda: exchange.cancelled == ["A1"])
        exchange.accepted = None
        assert await job.state() is JobState.ACTIVE
        async with second.running("orders"):
            await stockyard_clock.advance("2m")
            assert await job.wait_for_result("5s") == {"id": "A1"}
    assert exchange.orders == ["A1", "A1"]
    assert (await job.refresh()).stalled_count == 1


async def test_an_add_whose_reply_is_lost_was_made_once(
    stockyard_process: MakeProcess, stockyard_topology: Topology
) -> None:
    stockyard_topology.queue("mail")
    producer = await stockyard_process()
    queue = producer.app.queue("mail")
    await queue.add("welcome", "a")
    lost = producer.lose_reply("second mail")
    with pytest.raises(ReplyLost):
        await queue.add("welcome", "second mail", job_id="W2")
    assert lost.is_set()
    assert not (await queue.add("welcome", "second mail", job_id="W2")).was_added
    await assert_enqueued(queue, "welcome", "second mail", count=1)


async def test_a_worker_connects_again_after_a_cut(stockyard_process: MakeProcess, exchange: Exchange) -> None:
    process, producer = await stockyard_process(), await stockyard_process()
    async with process.running("orders"):
        process.cut()
        job = await producer.app.queue("orders").add("plain", "A1")
        assert await job.wait_for_result("10s") == {"id": "A1"}


async def test_faults_need_one_server_and_an_open_process() -> None:
    clock = ManualClock()
    with pytest.raises(ConfigError, match="needs one server without TLS"):
        AppProcess(Topology("t"), "redis+cluster://localhost:1", prefix="p", clock=clock)
    process = AppProcess(Topology("t"), "redis://localhost:1", prefix="p", clock=clock)
    with pytest.raises(ConfigError, match="the process is not open"):
        _ = process.app
