"""A queue with shards is one queue: for those who add, work, look and administer."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import (
    Deduplication,
    Flow,
    InvalidOption,
    Job,
    JobFailed,
    JobNotFound,
    JobState,
    ParentRef,
    Queue,
    Topology,
)
from stockyard.errors import ConfigError, QueueStateError
from stockyard.events import CompletedEvent
from stockyard.model.sharding import part_of, shards_of
from tests.support.waiting import eventually
from tests.support.yard import Yard

QUEUE = "market:ticks"
KEEP: dict[str, Any] = {"remove_on_complete": False, "remove_on_fail": False}


def tags(number: int = 4) -> list[str]:
    return [shard.tag for shard in shards_of(QUEUE, number)]


@pytest.fixture
def ticks(yard: Yard) -> Queue:
    """A queue with four shards."""
    return yard.queue(QUEUE, shards=4, **KEEP)


def waiting(raw: "redis.Redis", prefix: str, number: int = 4) -> list[int]:
    """How many jobs wait in each shard."""
    return [int(raw.llen(f"{prefix}:{shard.queue}:wait")) for shard in shards_of(QUEUE, number)]


def has_completed(queue: Queue, number: int) -> Callable[[], Any]:
    async def is_so() -> bool:
        return await queue.count("completed") == number

    return is_so


async def test_jobs_spread_evenly_however_they_are_added(ticks: Queue, raw: "redis.Redis", prefix: str) -> None:
    await asyncio.gather(*(ticks.add("x", at) for at in range(500)))
    for at in range(60):
        await ticks.add("x", at)
    await ticks.add_many([("x", at) for at in range(440)])
    await asyncio.to_thread(lambda: [ticks.sync.add("x", at) for at in range(40)])
    counts = waiting(raw, prefix)
    assert sum(counts) == 1040
    assert all(abs(count - 260) <= 26 for count in counts), counts


async def test_jobs_of_a_key_are_in_one_shard_in_the_order_added(
    ticks: Queue, raw: "redis.Redis", prefix: str
) -> None:
    keys = [f"SYM{at}" for at in range(40)]
    jobs = await ticks.add_many([("x", at, {"key": keys[at % 40]}) for at in range(200)])
    jobs += [await ticks.add("x", 200 + at, key=keys[at]) for at in range(40)]
    of_key: defaultdict[str, list[Job[Any]]] = defaultdict(list)
    for at, job in enumerate(jobs):
        of_key[keys[at % 40]].append(job)
    for key, its in of_key.items():
        (tag,) = {job.id.partition("@")[2] for job in its}
        assert tag == tags()[part_of(key, 4)]
        numbers = [int(job.id.partition("@")[0]) for job in its]
        assert numbers == sorted(numbers)
    assert all(waiting(raw, prefix))


async def test_ids_lead_to_their_jobs(yard: Yard, ticks: Queue) -> None:
    async def run(job: Job[Any]) -> str:
        if job.name == "fail":
            raise ValueError("broken")
        return job.id

    plain = await ticks.add("x", 1)
    own = await ticks.add("x", 2, job_id="order-7")
    keyed = await ticks.add("x", 3, job_id="order-8", key="BTCUSDT")
    again = await ticks.add("x", 9, job_id="order-7")
    assert (again.id, again.data, again.was_added) == ("order-7", 2, False)
    for job in (plain, own, keyed):
        found = await ticks.get_job(job.id)
        assert found is not None
        assert (found.id, found.data, found.queue) == (job.id, job.data, QUEUE)
        assert (await ticks.position(job.id)).state is JobState.WAITING
    assert await ticks.get_job("order-9") is None
    assert (await ticks.position("order-9")).state is JobState.UNKNOWN
    assert await ticks.get_job(f"99@{tags()[0]}") is None
    with pytest.raises(InvalidOption, match="looks like those that the shards"):
        await ticks.add("x", job_id=f"17@{tags()[0]}")

    await yard.work(run, QUEUE)
    assert await own.wait_for_result(25) == "order-7"
    failed = await ticks.add("fail", attempts=1)
    with pytest.raises(JobFailed, match="broken"):
        await failed.wait_for_result(25)
    assert await (await failed.refresh()).state() is JobState.FAILED
    await failed.log("a line")
    assert await failed.logs() == ["a line"]
    await ticks.remove(failed.id)
    with pytest.raises(JobNotFound):
        await ticks.remove(failed.id)


async def test_deduplication_holds_over_all_shards(ticks: Queue) -> None:
    first = await ticks.add("x", 1, deduplication="BTC")
    for at in range(8):
        other = await ticks.add("x", at, deduplication=Deduplication("BTC"))
        assert (other.id, other.was_added) == (first.id, False)
    assert await ticks.deduplication_owner("BTC") == first.id
    assert await ticks.release_deduplication("BTC")
    assert (await ticks.add("x", deduplication="BTC")).was_added


async def test_one_view_of_jobs_and_counts(yard: Yard, ticks: Queue) -> None:
    await ticks.add_many([("x", at) for at in range(100)])
    await ticks.add_many([("x", at, {"priority": 1 + at % 3}) for at in range(30)])
    await ticks.add_many([("x", at, {"delay": f"{at + 1}h"}) for at in range(20)])
    counts = await ticks.counts()
    assert (counts[JobState.WAITING], counts[JobState.PRIORITIZED], counts[JobState.DELAYED]) == (100, 30, 20)
    assert await ticks.count() == 150
    assert await ticks.counts_per_priority([0, 1, 3]) == {0: 100, 1: 10, 3: 10}
    (health,) = await yard.app.health(QUEUE)
    assert (health.name, health.waiting, health.delayed, health.prioritized) == (QUEUE, 130, 20, 30)

    delayed = [
        job.data
        for page in (1, 2, 3)
        for job in await ticks.get_jobs("delayed", page=page, size=7, newest_first=False)
    ]
    assert delayed == list(range(20))
    pages = [await ticks.get_jobs(["waiting", "prioritized"], page=page, size=45) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [45, 45, 40, 0]
    assert len({job.id for page in pages for job in page}) == 130
    assert [job.priority for job in await ticks.get_jobs("prioritized", newest_first=False)] == sorted(
        1 + at % 3 for at in range(30)
    )


async def test_administration_reaches_all_shards(yard: Yard, ticks: Queue) -> None:
    async def run(job: Job[int]) -> int:
        return job.data

    await ticks.pause()
    assert await ticks.is_paused()
    assert (await ticks.settings()).paused
    await yard.work(run, QUEUE, concurrency=4)
    await ticks.add_many([("x", at) for at in range(40)])
    assert await ticks.count("waiting") == 40
    await ticks.resume()
    await eventually(has_completed(ticks, 40))
    assert (await ticks.metrics()).count == 40
    assert "bullmq_job_count" in await ticks.prometheus()
    assert len(await ticks.clean("completed", limit=15)) == 15
    assert await ticks.count("completed") == 25
    assert await ticks.retry_all("completed", limit=5) == 5
    await eventually(has_completed(ticks, 25))
    await ticks.pause()
    await ticks.add_many([("x", at, {"delay": "1h"}) for at in range(8)])
    assert await ticks.promote_all() == 8
    assert await ticks.drain() == 8
    await ticks.obliterate(force=True)
    assert await ticks.count() == 0


async def test_obliterate_leaves_running_jobs_alone(
    yard: Yard, ticks: Queue, raw: "redis.Redis", prefix: str
) -> None:
    go = asyncio.Event()

    async def run(job: Job[Any]) -> None:
        await go.wait()

    await yard.work(run, QUEUE)
    job = await ticks.add("x")
    await eventually(lambda: _is_active(job))
    with pytest.raises(QueueStateError, match="has running jobs"):
        await ticks.obliterate()
    assert not await ticks.is_paused()
    go.set()
    await job.wait_for_result(25)
    await yard.aclose()
    async with Yard(str(yard.app.settings.address), prefix, topology=yard.topology) as after:
        await after.app.queue(QUEUE).obliterate()
        assert [key for key in raw.scan_iter(f"{prefix}*") if not key.endswith(":marker")] == []


async def _is_active(job: Job[Any]) -> bool:
    return await job.state() is JobState.ACTIVE


async def test_limits_over_all_workers_are_refused(ticks: Queue) -> None:
    for refused in (ticks.set_rate("10/s"), ticks.set_concurrency(3)):
        with pytest.raises(InvalidOption, match="has 4 shards, and each would count its own jobs"):
            await refused
    with pytest.raises(InvalidOption, match="has shards"):
        await ticks.set_canary(2, 0.5)
    assert (await ticks.clear_canary(), await ticks.canary(), await ticks.count_versions()) == (None, None, [])
    await ticks.set_rate(None)
    await ticks.set_concurrency(None)
    await ticks.rate_limit("1h")
    assert await ticks.rate_limit_left_ms(1) > 3_000_000
    await ticks.clear_rate_limit()
    assert await ticks.rate_limit_left_ms(1) == 0


async def test_schedules_run_in_one_shard_each(yard: Yard, ticks: Queue) -> None:
    ran: Counter[str] = Counter()

    async def run(job: Job[str]) -> None:
        ran[job.data] += 1

    schedules = yard.app.schedules(QUEUE)
    for at in range(6):
        await schedules.upsert(f"s{at}", every="100ms", name="x", data=f"s{at}")
    await schedules.upsert("daily", cron="0 0 * * *", name="x", data="daily")
    assert (await schedules.count(), len(await schedules.list())) == (7, 7)
    assert [each.id for each in await schedules.list(-1)] == ["daily"]
    found = await schedules.get("s3")
    assert found is not None
    assert (found.queue, found.data) == (QUEUE, "s3")
    pending = await ticks.get_job((await schedules.list(-1))[0].next_job_id)
    assert pending is not None
    await yard.work(run, QUEUE)
    await eventually(lambda: all(ran[f"s{at}"] >= 2 for at in range(6)), within=20)
    assert await schedules.remove("s3")
    assert not await schedules.remove("s3")
    assert await schedules.get("s3") is None


async def test_events_of_all_shards_come_in(yard: Yard, ticks: Queue) -> None:
    async def run(job: Job[int]) -> int:
        return job.data

    async with yard.app.events(QUEUE, only=[CompletedEvent]) as events:
        await yard.work(run, QUEUE, concurrency=4)
        jobs = await ticks.add_many([("x", at) for at in range(120)])
        seen = {}
        async for event in events:
            assert isinstance(event, CompletedEvent)
            assert event.queue == QUEUE
            seen[event.job_id] = event.return_value
            if len(seen) == 120:
                break
    assert seen == {job.id: job.data for job in jobs}
    async with yard.app.events(QUEUE, only=[CompletedEvent]) as later:
        last = await later.earlier(1000)
        assert len(last) == 120
        assert [event.timestamp for event in last] == sorted(event.timestamp for event in last)
        assert await later.earlier(0 + 5) != []
    with pytest.raises(InvalidOption, match="each numbers its events by itself"):
        yard.app.events(QUEUE, after="1700000000000-3")


async def test_flows_and_parents_are_refused(yard: Yard, ticks: Queue) -> None:
    yard.queue("market:sums")
    with pytest.raises(InvalidOption, match="'market:ticks' has shards: it takes no part in flows"):
        await yard.app.flows.add(Flow("sum", "market:sums", children=[Flow("x", QUEUE)]))
    with pytest.raises(InvalidOption, match="cannot have a parent: the queue has shards"):
        await ticks.add("x", parent=ParentRef("market:sums", "1"))
    with pytest.raises(InvalidOption, match="no part in flows"):
        await yard.app.flows.get(QUEUE, "1")
    job = await ticks.add("x")
    with pytest.raises(JobNotFound, match="does not exist"):
        await yard.app.queue("market:sums").add("x", parent=job)
    keyed = await yard.app.queue("market:sums").add("x", key="A")
    assert (await keyed.refresh()).options.key == "A"


def test_a_prefix_with_a_tag_is_refused(redis_url: str) -> None:
    from stockyard import App

    topology = Topology("desk")
    topology.queue(QUEUE, shards=2)
    app = App(topology, redis_url, prefix="{t}")
    with pytest.raises(ConfigError, match=r"the prefix '\{t\}' has a hash tag"):
        app.queue(QUEUE)
    app.close()


@pytest.mark.parametrize(("before", "after"), [(1, 4), (2, 4), (4, 2), (4, 6)])
async def test_jobs_of_another_number_of_shards_are_seen_and_worked_on(
    redis_url: str, prefix: str, before: int, after: int
) -> None:
    async def run(job: Job[int]) -> int:
        return job.data

    async with Yard(redis_url, prefix) as old, Yard(redis_url, prefix) as new:
        queue = old.queue(QUEUE, shards=before, **KEEP)
        jobs = await queue.add_many([("x", at) for at in range(60)])
        schedules = old.app.schedules(QUEUE)
        await schedules.upsert("daily", cron="0 0 * * *", name="x")

        grown = new.queue(QUEUE, shards=after, **KEEP)
        assert await grown.count("waiting") == 60
        assert {job.id for job in await grown.get_jobs("waiting", size=100)} == {job.id for job in jobs}
        assert await grown.get_job(jobs[0].id) is not None
        await new.app.schedules(QUEUE).upsert("daily", cron="0 0 * * *", name="x")
        assert await new.app.schedules(QUEUE).count() == 1
        added = await grown.add_many([("x", at) for at in range(60)])
        await new.work(run, QUEUE, concurrency=5)
        await eventually(has_completed(grown, 120), within=60)
        assert len(await grown.get_jobs("completed", size=200)) == 120
        assert {job.id.partition("@")[2] for job in added} == set(tags(after))
