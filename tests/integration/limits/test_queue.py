"""Jobs leave their queue when the limits of their calls admit them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from stockyard import App, Flow, Job, Topology, Worker
from stockyard.errors import InvalidOption
from stockyard.limits import Fixed, Gap, InFlight, Limits, Rolling
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually

Open = Callable[..., App]
ORDERS = Limits("x", [Fixed("orders", 1, per="10s", scope="account", used_header="X-Used", refused="refund")])
A, B = ({"account": account} for account in "AB")


def desk(limits: Limits = ORDERS, **options: Any) -> Topology:
    topology = Topology("desk")
    topology.queue("orders", limits=limits, **options)
    return topology


@asynccontextmanager
async def working(app: App, handler: Callable[[Job[Any]], Any], **options: Any) -> AsyncIterator[Worker]:
    worker = app.worker("orders", handler, **options)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await running


async def test_a_limited_scope_keeps_its_order_and_holds_no_other(open_app: Open, clock: SteppedClock) -> None:
    app = open_app(desk(), clock=clock)
    ran: list[str] = []

    async def run(job: Job[Any]) -> None:
        if job.name != "wake":
            ran.append(job.name)

    jobs = [("a1", A), ("a2", A), ("b1", B), ("a3", A)]
    for name, scope in jobs:
        await app.queue("orders").add(name, scope=scope)
    async with working(app, run):
        await eventually(lambda: len(ran) == 2)
        assert ran == ["a1", "b1"]
        for expected in ("a2", "a3"):
            await eventually(lambda: is_delayed(app, len(jobs) - len(ran)))
            clock.step(10_000)
            # The worker waits by the machine's clock, and this one is moved by hand.
            await app.queue("orders").add("wake", cost=0, scope=A)
            await eventually(partial(ran.count, expected))
    assert [name for name in ran if name.startswith("a")] == ["a1", "a2", "a3"]


async def is_delayed(app: App, number: int) -> bool:
    return await app.queue("orders").count("delayed") == number


async def test_a_job_starts_at_the_time_that_its_limit_names(open_app: Open) -> None:
    limits = Limits("x", [Rolling("orders", 1, per="400ms")])
    app = open_app(desk(limits))
    times: list[float] = []

    async def run(job: Job[Any]) -> None:
        times.append(await admitted_at(app, limits, job))

    await app.queue("orders").add_many([("buy", None)] * 5)
    async with working(app, run, concurrency=5):
        await eventually(lambda: len(times) == 5)
    gaps = [later - earlier for earlier, later in pairwise(sorted(times))]
    # Not a drain delay of five seconds, nor a poll.
    assert all(0.4 <= gap < 2 for gap in gaps), gaps


async def admitted_at(app: App, limits: Limits, job: Job[Any]) -> float:
    """The server's time, in seconds, at which a job left the queue."""
    call = await app.limits(limits).call_of(job)
    return float(call.tickets[0]["at"]) / 1e6


async def test_a_handler_observes_the_reply_to_its_call(open_app: Open, clock: SteppedClock) -> None:
    limits = Limits("x", [Fixed("weight", 100, per="1m", used_header="X-Used"), Gap("gap", "1s")])
    app = open_app(desk(limits, cost={"weight": 5, "gap": 1}), clock=clock)
    used: list[float] = []

    async def run(job: Job[Any]) -> None:
        opened = app.limits(limits)
        call = await opened.call_of(job)
        await opened.observe({"X-Used": "70"}, call)
        await call.settle(refund={"weight": 3})
        used.extend(each.used for each in (await opened.status()).usage if each.limit == "weight")

    job = await app.queue("orders").add("buy")
    assert job.options.use is not None
    async with working(app, run):
        await eventually(lambda: used == [67])


async def test_a_job_that_cost_nothing_has_no_call(open_app: Open) -> None:
    app = open_app(desk())
    failed: list[BaseException] = []

    async def run(job: Job[Any]) -> None:
        try:
            await app.limits(ORDERS).call_of(job)
        except InvalidOption as error:
            failed.append(error)

    await app.queue("orders").add("free", cost=0, scope=A)
    async with working(app, run):
        await eventually(lambda: len(failed) == 1)


async def test_a_retry_is_another_call(open_app: Open) -> None:
    limits = Limits("x", [Rolling("orders", 1, per="300ms")])
    app = open_app(desk(limits, attempts=3))
    times: list[float] = []

    async def run(job: Job[Any]) -> None:
        times.append(await admitted_at(app, limits, job))
        raise ValueError("refused")

    job = await app.queue("orders").add("buy")
    async with working(app, run):
        await eventually(lambda: is_failed(job))
    assert len(times) == 3
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(times))


async def is_failed(job: Job[Any]) -> bool:
    return await job.state() == "failed"


async def test_a_freeze_holds_the_queue_that_declares_its_limits(open_app: Open) -> None:
    app = open_app(desk())
    await app.limits(ORDERS).freeze("1h")
    assert await app.queue("orders").rate_limit_left_ms() > 3_000_000
    assert (await app.all_limits.status("x")).frozen
    await app.all_limits.thaw("x")
    assert await app.queue("orders").rate_limit_left_ms() == 0


async def test_what_the_limits_cannot_admit_is_refused_at_every_door(open_app: Open) -> None:
    app = open_app(desk())
    queue = app.queue("orders")
    wrong: list[dict[str, Any]] = [
        {},
        {"cost": 2, "scope": A},
        {"cost": {"fees": 1}, "scope": A},
        {"cost": -1, "scope": A},
        {"cost": "much", "scope": A},
        {"scope": {"account": 5}},
        {"scope": A, "lane": 7},
    ]
    for options in wrong:
        with pytest.raises(InvalidOption):
            await queue.add("buy", **options)
        with pytest.raises(InvalidOption):
            await queue.add_many([("buy", None, options)])
    with pytest.raises(InvalidOption):
        await app.flows.add(Flow("buy", "orders"))
    with pytest.raises(InvalidOption):
        await app.schedules("orders").upsert("hourly", every="1h")
    assert await queue.count("waiting") == 0
    await app.schedules("orders").upsert("hourly", every="1h", offset="1m", scope=A)
    await app.flows.add(Flow("buy", "orders", scope=A))
    assert await queue.count("waiting") == 1


def test_a_queue_declares_what_its_jobs_use() -> None:
    topology = Topology("t")
    with pytest.raises(InvalidOption, match="declares no limits"):
        topology.queue("a", cost=1)
    with pytest.raises(InvalidOption, match="InFlight"):
        topology.queue("a", limits=Limits("x", [InFlight("open", 1)]))
    with pytest.raises(InvalidOption):
        topology.queue("a", limits="x")  # type: ignore[arg-type]
    spec = topology.queue("a", limits=ORDERS, scope=A, lane="submit")
    assert spec.defaults.use is not None
    assert (spec.defaults.use.cost, spec.defaults.use.scope, spec.defaults.use.lane) == (
        1.0,
        (("account", "A"),),
        "submit",
    )


async def test_a_job_comes_back_as_it_was_added(open_app: Open) -> None:
    app = open_app(desk())
    added = await app.queue("orders").add("buy", cost={"orders": 1}, scope=A, lane="submit")
    found = await app.queue("orders").get_job(added.id)
    assert found is not None
    assert found.options.use == added.options.use
    assert found.options.use is not None
    assert found.options.use.costs == {"orders": 1}


async def test_a_removed_job_and_a_drained_queue_leave_nothing(open_app: Open, raw: Any, prefix: str) -> None:
    app = open_app(desk())
    for _ in range(4):
        await app.queue("orders").add("buy", scope=A)
    ran: list[str] = []

    async def run(job: Job[Any]) -> None:
        ran.append(job.id)

    async with working(app, run):
        await eventually(lambda: is_delayed(app, 3))
    (first, *_) = await app.queue("orders").get_jobs("delayed")
    await first.remove()
    await app.queue("orders").obliterate()
    keys = [key for key in raw.scan_iter(f"{prefix}:*", count=1000) if f"{prefix}::limits" not in key]
    assert keys == []
