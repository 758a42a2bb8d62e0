"""Jobs remember which job's handler added them, and of which story they are."""

from typing import Any

from stockyard import App, Flow, Job, Topology
from stockyard.monitoring import jobs_of_story, lineage_of
from tests.support.yard import Yard


async def test_what_a_handler_adds_remembers_it(yard: Yard) -> None:
    candles, signals = yard.queue("candles"), yard.queue("signals", lineage=True)
    orders = yard.queue("orders")

    async def ingest(job: Job[Any]) -> str:
        return (await signals.add("evaluate", job_id="s-1")).id

    async def evaluate(job: Job[Any]) -> list[str]:
        one = await orders.add("submit", job_id="o-1")
        many = await orders.add_many([("submit",), ("submit", {}, {"correlation_id": None})])
        return [one.id, *(each.id for each in many)]

    await yard.work(ingest, "candles")
    await yard.work(evaluate, "signals")
    candle = await candles.add("ingest", job_id="c-1")
    await candle.wait_for_result("10s")
    signal = await (await signals.add("evaluate", job_id="s-1")).refresh()
    assert (candle.has_lineage, candle.correlation_id) == (False, "candles/c-1")
    assert (signal.correlation_id, signal.causation_id) == ("candles/c-1", "candles/c-1")
    one, two, other = [await orders.get_job(job_id) for job_id in await signal.wait_for_result("10s")]
    assert one is not None
    assert two is not None
    assert other is not None
    # Their queue declares nothing: the signal passes its lineage on.
    assert {(each.correlation_id, each.causation_id) for each in (one, two)} == {("candles/c-1", "signals/s-1")}
    assert (other.correlation_id, other.causation_id) == (f"orders/{other.id}", None)
    lineage = await lineage_of(yard.app, one)
    assert [(step.queue, step.id, step.relation) for step in lineage.steps] == [
        ("candles", "c-1", "cause"),
        ("signals", "s-1", "cause"),
        ("orders", "o-1", "job"),
    ]
    assert (lineage.correlation_id, lineage.origin, lineage.has_gap) == ("candles/c-1", None, False)
    story = {(each.queue, each.id) async for each in jobs_of_story(yard.app, "candles/c-1")}
    assert story == {("candles", "c-1"), ("signals", "s-1"), ("orders", "o-1"), ("orders", two.id)}


async def test_a_plain_def_in_a_thread_passes_it_on(yard: Yard) -> None:
    jobs, fills = yard.queue(), yard.queue("fills")

    def submit(job: Job[Any]) -> str:
        return fills.sync.add("fill").id

    await yard.work(submit)
    job = await jobs.add("submit", correlation_id="order-7")
    fill = await fills.get_job(await job.wait_for_result("10s"))
    assert fill is not None
    assert (fill.correlation_id, fill.causation_id) == ("order-7", f"q/{job.id}")


def submit_in_child(job: Job[Any]) -> str:
    """Add a fill from a child process, by an App of its own."""
    topology = Topology("child")
    topology.queue("fills")
    app = App(topology, job.data["url"], prefix=job.data["prefix"])
    try:
        return app.queue("fills").sync.add("fill").id
    finally:
        app.close()


async def test_a_child_process_passes_it_on(yard: Yard, redis_url: str, prefix: str) -> None:
    jobs, fills = yard.queue(), yard.queue("fills")
    await yard.work(submit_in_child, executor="process")
    job = await jobs.add("submit", {"url": redis_url, "prefix": prefix}, correlation_id="order-7")
    fill = await fills.get_job(await job.wait_for_result("25s"))
    assert fill is not None
    assert (fill.correlation_id, fill.causation_id) == ("order-7", f"q/{job.id}")


async def test_a_coalesced_job_has_the_cause_of_its_payload(yard: Yard) -> None:
    prices = yard.queue("prices", coalesce="latest")
    first = await prices.add("price", {"n": 1}, coalesce="A", causation_id="tick-1")
    await prices.add("price", {"n": 2}, coalesce="A", causation_id="tick-2")
    stored = await first.refresh()
    assert (stored.data, stored.causation_id, stored.replaced) == ({"n": 2}, "tick-2", 1)


async def test_a_queue_without_lineage_writes_what_it_always_did(yard: Yard) -> None:
    first, second = yard.queue("first"), yard.queue("second")

    async def work(job: Job[Any]) -> str:
        return (await second.add("x")).id

    await yard.work(work, "first")
    added = await second.get_job(await (await first.add("x")).wait_for_result("10s"))
    assert added is not None
    assert not added.has_lineage
    assert added.options == (await second.add("x")).options


async def test_a_flow_shares_the_correlation_of_its_root(yard: Yard) -> None:
    yard.queue("reports", lineage=True)
    trigger = yard.queue("trigger")

    async def start(job: Job[Any]) -> None:
        await yard.app.flows.add(
            Flow("gather", "reports", job_id="r", children=[Flow("fetch", "reports", job_id="f")])
        )

    tree = await yard.app.flows.add(
        Flow(
            "gather",
            "reports",
            job_id="root",
            correlation_id="day-1",
            children=[Flow("fetch", "reports", job_id="child")],
        )
    )
    child = tree.children[0].job
    assert (child.correlation_id, child.causation_id) == ("day-1", None)
    lineage = await lineage_of(yard.app, child)
    assert [(step.id, step.relation) for step in lineage.steps] == [("root", "parent"), ("child", "job")]
    await yard.work(start, "trigger")
    job = await trigger.add("start")
    await job.wait_for_result("10s")
    for job_id in ("r", "f"):
        found = await yard.app.queue("reports").get_job(job_id)
        assert found is not None
        assert found.causation_id == f"trigger/{job.id}"


async def test_records_that_are_gone_leave_a_gap(yard: Yard) -> None:
    first, second, third = yard.queue("first"), yard.queue("second", lineage=True), yard.queue("third")

    async def to_second(job: Job[Any]) -> None:
        await second.add("x", job_id="s", remove_on_complete=True)

    async def to_third(job: Job[Any]) -> None:
        await third.add("x", job_id="t")

    await yard.work(to_second, "first")
    await yard.work(to_third, "second")
    job = await first.add("x", job_id="f")
    await job.wait_for_result("10s")
    await yard.work(lambda job: None, "third")
    last = await third.add("x", job_id="t")
    await last.wait_for_result("10s")
    lineage = await lineage_of(yard.app, await last.refresh())
    assert [(step.id, step.job is None) for step in lineage.steps] == [("f", False), ("s", True), ("t", False)]
    assert lineage.has_gap


async def test_an_origin_from_outside_is_shown(yard: Yard) -> None:
    job = await yard.queue().add("x", correlation_id="day-1", causation_id="tick-9")
    lineage = await lineage_of(yard.app, job)
    assert (lineage.correlation_id, lineage.origin, len(lineage.steps)) == ("day-1", "tick-9", 1)


async def test_a_retry_keeps_it(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", correlation_id="day-1", causation_id="tick-9", attempts=2)

    async def fail(job: Job[Any]) -> tuple[str, str | None]:
        if job.attempt == 1:
            raise ValueError("again")
        return job.correlation_id, job.causation_id

    await yard.work(fail)
    assert await job.wait_for_result("10s") == ["day-1", "tick-9"]
