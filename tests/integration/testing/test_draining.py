"""Jobs that a test runs itself, until nothing more can start."""

import asyncio
from typing import Any

import pytest

from stockyard import App, ConfigError, Delay, Hooks, Job, Topology, UnknownQueue
from stockyard.testing import Drained, ManualClock, all_enqueued, assert_enqueued, drain, make_app, refute_enqueued


def names(jobs: list[Job[Any]]) -> list[str]:
    return [job.name for job in jobs]


async def test_jobs_run_in_order_and_so_do_those_that_they_add(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    mail, sms = stockyard_topology.queue("mail"), stockyard_topology.queue("sms")
    ran: list[Any] = []

    @mail.handler("welcome")
    async def welcome(job: Job[str]) -> str:
        ran.append(job.data)
        await stockyard_app.queue("sms").add("code", job.data)
        return "sent"

    @sms.handler("code")
    def code(job: Job[str]) -> None:
        ran.append(f"code of {job.data}")

    for to in "abc":
        await stockyard_app.queue("mail").add("welcome", to)
    await stockyard_app.queue("mail").add("welcome", "later", delay="1h")
    drained = await drain(stockyard_app)
    assert [to for to in ran if len(to) == 1] == ["a", "b", "c"]
    assert sorted(ran) == ["a", "b", "c", "code of a", "code of b", "code of c"]
    assert sorted(names(drained.completed)) == ["code"] * 3 + ["welcome"] * 3
    assert {job.return_value for job in drained.completed if job.name == "welcome"} == {"sent"}
    await assert_enqueued(stockyard_app.queue("mail"), data="later", count=1)
    assert (await drain(stockyard_app)) == Drained()


async def test_a_batch_does_not_wait_for_jobs_that_cannot_come(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    prices = stockyard_topology.queue("prices", concurrency=10)
    calls: list[list[int]] = []

    @prices.handler("tick", batch=5, wait="1h")
    async def write(jobs: list[Job[int]]) -> None:
        calls.append([job.data for job in jobs])

    @prices.handler("open")
    async def begin(job: Job[int]) -> None:
        await stockyard_app.queue("prices").add("tick", job.data)

    queue = stockyard_app.queue("prices")
    await queue.add_many([("tick", number) for number in range(7)])
    await queue.add("open", 7)
    await queue.add("tick", 8, delay="5m")
    drained = await drain(stockyard_app)
    assert sorted(number for call in calls for number in call) == [*range(8)]
    assert max(map(len, calls)) == 5
    assert len(drained.completed) == 9
    await drain(stockyard_app, with_scheduled=True)
    assert calls[-1] == [8]


async def test_only_the_named_queues_are_run(stockyard_topology: Topology, stockyard_app: App) -> None:
    for name in ("a", "b"):

        @stockyard_topology.queue(name).handler("x")
        async def handle(job: Job[Any]) -> None:
            """Do nothing."""

        await stockyard_app.queue(name).add("x")
    assert len((await drain(stockyard_app, "b")).completed) == 1
    await assert_enqueued(stockyard_app.queue("a"))
    await refute_enqueued(stockyard_app.queue("b"))
    with pytest.raises(UnknownQueue):
        await drain(stockyard_app, "c")


async def test_a_job_that_fails_raises_its_error_when_all_have_run(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    spec = stockyard_topology.queue("mail", attempts=2)

    @spec.handler("welcome")
    async def welcome(job: Job[int]) -> None:
        if job.data:
            raise KeyError(f"attempt {job.attempt}")

    queue = stockyard_app.queue("mail")
    await queue.add_many([("welcome", 1), ("welcome", 0)])
    with pytest.raises(KeyError, match="attempt 2"):
        await drain(stockyard_app)
    assert {state: number for state, number in (await queue.counts()).items() if number} == {
        "completed": 1,
        "failed": 1,
    }
    await queue.add("welcome", 1)
    drained = await drain(stockyard_app, raise_failures=False)
    assert (names(drained.failed), drained.retried, drained.completed) == (["welcome"], 1, [])
    assert [type(error) for error in drained.errors] == [KeyError]


async def test_delayed_jobs_are_promoted_where_the_clock_is_the_machine_s(
    stockyard_topology: Topology, stockyard_url: str, stockyard_prefix: str
) -> None:
    spec = stockyard_topology.queue("mail", attempts=3, backoff="1h")
    attempts: list[int] = []

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        attempts.append(job.attempt)
        if job.attempt < 3:
            raise ValueError("again")

    async with make_app(stockyard_topology, stockyard_url, prefix=stockyard_prefix) as app:
        await app.queue("mail").add("welcome", delay="1d")
        drained = await drain(app, with_scheduled=True)
    assert attempts == [1, 2, 3]
    assert (len(drained.completed), drained.retried) == (1, 2)


async def test_a_clock_that_is_moved_by_hand_is_moved_to_each_job(
    stockyard_topology: Topology, stockyard_url: str, stockyard_prefix: str
) -> None:
    clock = ManualClock(1_000_000_000_000)
    ran: list[tuple[str, int]] = []
    spec = stockyard_topology.queue("mail")

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        ran.append((job.data, clock.now - 1_000_000_000_000))
        if job.data == "twice" and job.attempts_started == 1:
            raise Delay("30s")

    async with make_app(stockyard_topology, stockyard_url, prefix=stockyard_prefix, clock=clock) as app:
        queue = app.queue("mail")
        for data, delay in {"late": "2h", "soon": "1m", "now": "0s", "twice": "1h"}.items():
            await queue.add("welcome", data, delay=delay)
        await drain(app, with_scheduled=True)
    assert ran == [("now", 0), ("soon", 60_000), ("twice", 3_600_000), ("twice", 3_630_000), ("late", 7_200_000)]


async def test_the_next_run_of_a_schedule_runs_and_those_behind_it_do_not(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    runs: list[str] = []
    spec = stockyard_topology.queue("reports")

    @spec.handler("daily")
    async def daily(job: Job[Any]) -> None:
        runs.append(job.id)

    await stockyard_app.schedules("reports").upsert("daily", every="1d", name="daily")
    await drain(stockyard_app, with_scheduled=True)
    assert len(runs) == 1
    await drain(stockyard_app)
    assert len(runs) == 1
    assert len(await all_enqueued(stockyard_app.queue("reports"))) == 1


async def test_batches_hooks_and_shards_are_those_of_a_worker(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    spec = stockyard_topology.queue("prices", concurrency=10)
    sharded = stockyard_topology.queue("ticks", shards=2)
    batches: list[int] = []
    heard: list[str] = []

    @spec.handler("price", batch=5, wait=0)
    async def store(jobs: list[Job[int]]) -> list[int]:
        batches.append(len(jobs))
        return [job.data for job in jobs]

    @sharded.handler("tick")
    async def tick(job: Job[int]) -> int:
        return job.data

    await stockyard_app.queue("prices").add_many([("price", number) for number in range(10)])
    await stockyard_app.queue("ticks").add_many([("tick", number) for number in range(10)])
    hooks = Hooks(completed=lambda job, result: heard.append(job.name))
    drained = await drain(stockyard_app, hooks=hooks)
    assert sum(batches) == 10
    assert max(batches) > 1
    assert len(drained.completed) == 20
    assert sorted(heard) == ["price"] * 10 + ["tick"] * 10


async def test_what_may_not_start_stays(stockyard_topology: Topology, stockyard_app: App) -> None:
    spec = stockyard_topology.queue("mail", rate="2/1h")

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        """Do nothing."""

    queue = stockyard_app.queue("mail")
    await queue.add_many([("welcome", number) for number in range(5)])
    await queue.pause()
    assert (await drain(stockyard_app)).completed == []
    await queue.resume()
    assert len((await drain(stockyard_app)).completed) == 2
    assert len(await all_enqueued(queue)) == 3


async def test_a_handler_may_wait_for_a_job_of_another_queue(
    stockyard_topology: Topology, stockyard_app: App
) -> None:
    ask, answer = stockyard_topology.queue("ask"), stockyard_topology.queue("answer")

    @ask.handler("x")
    async def asks(job: Job[int]) -> Any:
        child = await stockyard_app.queue("answer").add("y", job.data)
        return await child.wait_for_result("10s")

    @answer.handler("y")
    async def answers(job: Job[int]) -> int:
        return 2 * job.data

    await stockyard_app.queue("ask").add("x", 21)
    drained = await drain(stockyard_app)
    assert [job.return_value for job in drained.completed] == [42, 42]


async def test_a_handler_that_does_not_end_is_named(stockyard_topology: Topology, stockyard_app: App) -> None:
    spec = stockyard_topology.queue("mail")

    @spec.handler("welcome")
    async def welcome(job: Job[Any]) -> None:
        await asyncio.Event().wait()

    await stockyard_app.queue("mail").add("welcome", job_id="W1")
    with pytest.raises(TimeoutError, match="these jobs still run: W1 of queue 'mail'"):
        await drain(stockyard_app, timeout="50ms")
    await assert_enqueued(stockyard_app.queue("mail"), job_id="W1")


async def test_a_topology_without_handlers_is_refused(stockyard_topology: Topology, stockyard_app: App) -> None:
    stockyard_topology.queue("mail")
    with pytest.raises(ConfigError, match="no queue of topology 'kit' declares handlers"):
        await drain(stockyard_app)
