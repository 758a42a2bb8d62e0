"""A search finds jobs by id, name, error and payload, step by step, in every state."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import App, Flow, InvalidOption, Job, JobState, Topology
from stockyard.monitoring import SearchStep
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def work(job: Job[Any]) -> None:
    if job.name == "bad":
        raise ValueError("no margin")


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> Any:
    async with Yard(redis_url, prefix) as yard:
        yield yard


async def all_steps(yard: Yard, text: str, queue: str = "q", **options: Any) -> list[SearchStep]:
    steps = [await yard.queue(queue).search(text, **options)]
    while steps[-1].after is not None:
        steps.append(await yard.queue(queue).search(text, after=steps[-1].after, **options))
    return steps


async def found(yard: Yard, text: str, queue: str = "q", **options: Any) -> list[tuple[str, str | None]]:
    steps = await all_steps(yard, text, queue, **options)
    return [(each.job.id, each.state) for step in steps for each in step.found]


async def test_jobs_are_found_in_every_state(yard: Yard) -> None:
    queue = yard.queue("q", attempts=1)
    await queue.add("bad", {"symbol": "BTCUSDT"}, job_id="failed-1")
    await queue.add("good", {"symbol": "BTCUSDT"}, job_id="done-1")
    worker = await yard.work(work, "q")
    await eventually(lambda: has_ended(yard, 2))
    await worker.stop()
    await queue.add("good", {"symbol": "BTCUSDT"}, job_id="waiting-1")
    await queue.add("good", {"symbol": "BTCUSDT"}, job_id="first-1", priority=1)
    await queue.add("good", {"symbol": "ETHUSDT", "legs": [{"venue": "X"}]}, job_id="later-1", delay="1h")
    assert await found(yard, "data.symbol:BTCUSDT") == [
        ("waiting-1", JobState.WAITING),
        ("first-1", JobState.PRIORITIZED),
        ("failed-1", JobState.FAILED),
        ("done-1", JobState.COMPLETED),
    ]
    assert await found(yard, "data.legs.0.venue:X") == [("later-1", JobState.DELAYED)]
    assert await found(yard, "error:MARGIN") == [("failed-1", JobState.FAILED)]
    assert await found(yard, "id:done-1") == [("done-1", None)]
    assert await found(yard, "done-1") == [("done-1", None)]
    assert await found(yard, "name:bad", states=["completed", "failed"]) == [("failed-1", JobState.FAILED)]
    assert await found(yard, "id:done") == []


async def has_ended(yard: Yard, number: int) -> bool:
    return await yard.queue("q").count("completed", "failed") == number


async def test_a_search_goes_on_where_a_step_ended(yard: Yard) -> None:
    queue = yard.queue("q")
    await queue.add_many([("job", {"n": n % 10}, {"job_id": f"j{n}"}) for n in range(950)])
    steps = await all_steps(yard, "data.n:3", seconds=0)
    assert [step.looked_at for step in steps] == [0, 200, 200, 200, 200, 150, 0, 0, 0, 0, 0, 0]
    assert sorted(each.job.id for step in steps for each in step.found) == sorted(
        f"j{n}" for n in range(3, 950, 10)
    )
    few = await queue.search("data.n:3", count=5)
    assert len(few.found) == 20
    assert few.after is not None
    assert few.after.startswith("1-0-2-0-200-")


async def test_a_job_that_starts_during_a_search_is_found(yard: Yard) -> None:
    queue = yard.queue("q", concurrency=1)
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(450)])
    running, may_end = asyncio.Event(), asyncio.Event()

    async def hold(job: Job[Any]) -> None:
        running.set()
        await may_end.wait()

    # The first step looks at what runs; the oldest job, which starts first, is on the last page of what waits.
    steps = [await queue.search("data.n:0", seconds=0)]
    worker = await yard.work(hold, "q")
    await asyncio.wait_for(running.wait(), 10)
    while steps[-1].after is not None:
        steps.append(await queue.search("data.n:0", after=steps[-1].after, seconds=0))
    assert [(each.job.id, each.state) for step in steps for each in step.found] == [("j0", JobState.ACTIVE)]
    again = [each.job.id for step in await all_steps(yard, "data.n:0", seconds=0) for each in step.found]
    assert again == ["j0"]
    may_end.set()
    await worker.stop()


async def test_jobs_of_shards_are_found(yard: Yard) -> None:
    queue = yard.queue("spread", shards=3)
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(30)])
    assert await found(yard, "data.n:7", "spread") == [("j7", JobState.WAITING)]
    assert await found(yard, "id:j7", "spread") == [("j7", None)]


@pytest.mark.parametrize(
    "options",
    [
        {"text": ""},
        {"text": 5},
        {"after": "x"},
        {"after": "7-1"},
        {"after": "0-0"},
        {"after": "0-0-1-0-0"},
        {"after": "0-0-1-0-9999999999-1"},
        {"states": ["lost"]},
        {"states": []},
        {"seconds": -1},
        {"count": 0},
    ],
)
async def test_a_wrong_argument_is_refused(yard: Yard, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        await yard.queue("q").search(**{"text": "x", **options})


async def test_jobs_in_the_lines_of_their_keys_are_found(yard: Yard) -> None:
    queue = yard.queue("orders", ordered=True)
    await queue.add_many([("order", {"n": n}, {"key": f"k{n % 3}", "job_id": f"j{n}"}) for n in range(450)])
    for wanted in (0, 1, 2, 3, 449):
        assert await found(yard, f"data.n:{wanted}", "orders", seconds=0) == [(f"j{wanted}", JobState.WAITING)]
    steps = await all_steps(yard, "name:order", "orders", seconds=0)
    ids = [each.job.id for step in steps for each in step.found]
    assert sorted(ids) == sorted(f"j{n}" for n in range(450))
    assert sum(step.looked_at for step in steps) == 450


async def test_a_thousand_ids_without_records_end_no_search(yard: Yard, redis_url: str, prefix: str) -> None:
    """As an eviction, or a hand on the server, leaves them."""
    queue = yard.queue("q")
    (job,) = await queue.add_many([("job", {"n": 1}, {"job_id": "first"})])
    with redis.Redis.from_url(redis_url) as client:
        client.lpush(f"{prefix}:q:wait", *(f"gone-{n}" for n in range(3000)))
    assert await found(yard, "data.n:1") == [(job.id, JobState.WAITING)]
    assert [each.id for each in await queue.get_jobs("waiting")] == [job.id]


async def test_a_step_over_shards_reads_each_job_once(yard: Yard) -> None:
    queue = yard.queue("spread", shards=3)
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(1500)])
    steps = await all_steps(yard, "name:job", "spread", seconds=0)
    assert sorted(each.job.id for step in steps for each in step.found) == sorted(f"j{n}" for n in range(1500))
    assert max(step.looked_at for step in steps) <= 200


PATH = {"indexed": ("order_id", "legs.0.venue")}


async def test_an_indexed_value_is_found_at_once_and_then_what_the_index_does_not_have(
    yard: Yard, redis_url: str, prefix: str
) -> None:
    queue = yard.queue("orders", **PATH)
    await queue.add("order", {"order_id": "A1", "legs": [{"venue": "X"}]}, job_id="first")
    await queue.add_many([("order", {"order_id": f"B{n}"}) for n in range(900)])
    async with App(Topology("plain", undeclared={}), redis_url, prefix=prefix) as node:
        await node.queue("orders").add("order", {"order_id": "A1"}, job_id="of-node")
    for text in ("data.order_id:A1", 'data.order_id:"a1"', "data.legs.0.venue:x"):
        step = await queue.search(text)
        assert ([each.job.id for each in step.found], step.looked_at) == (["first"], 0)
    ids = await found(yard, "data.order_id:A1", "orders", seconds=0)
    assert ids == [("first", None), ("of-node", JobState.WAITING)]
    assert await found(yard, "data.order_id:none", "orders") == []


async def test_each_way_to_add_keeps_the_index(yard: Yard) -> None:
    queue = yard.queue("orders", **PATH)
    yard.queue("parents")
    parent = await yard.queue("parents").add("p", delay="1h")
    await asyncio.to_thread(queue.sync.add, "order", {"order_id": "thread"})
    await queue.add("order", {"order_id": "dedup"}, deduplication="d")
    await queue.add("order", {"order_id": "dropped"}, deduplication="d")
    await queue.add("order", {"order_id": "child"}, parent=parent)
    await yard.app.flows.add(Flow("p", "parents", children=[Flow("order", "orders", {"order_id": "flow"})]))
    for value in ("thread", "dedup", "child", "flow"):
        step = await queue.search(f"data.order_id:{value}")
        assert (len(step.found), step.looked_at) == (1, 0), value
    assert await found(yard, "data.order_id:dropped", "orders") == []


async def test_an_edited_job_is_found_by_its_new_value_alone(yard: Yard) -> None:
    queue = yard.queue("orders", **PATH)
    job = await queue.add("order", {"order_id": "old"})
    await job.update_data({"order_id": "new"})
    step = await queue.search("data.order_id:new")
    assert ([each.job.id for each in step.found], step.looked_at) == ([job.id], 0)
    assert await found(yard, "data.order_id:old", "orders") == []


async def test_states_hold_for_what_the_index_has(yard: Yard) -> None:
    queue = yard.queue("orders", **PATH)
    await queue.add("order", {"order_id": "A"}, job_id="now")
    await queue.add("order", {"order_id": "A"}, job_id="later", delay="1h")
    assert await found(yard, "data.order_id:A", "orders", states=["delayed"]) == [("later", JobState.DELAYED)]


async def test_a_value_of_many_jobs_is_found_page_by_page_and_each_job_once(yard: Yard) -> None:
    queue = yard.queue("spread", shards=3, **PATH)
    await queue.add_many([("order", {"order_id": "same"}, {"job_id": f"j{n}"}) for n in range(900)])
    steps = await all_steps(yard, "data.order_id:same", "spread", seconds=0)
    assert sorted(each.job.id for step in steps for each in step.found) == sorted(f"j{n}" for n in range(900))
    assert steps[0].looked_at == 0


async def test_an_index_goes_with_its_queue(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue("orders", **PATH)
    await queue.add("order", {"order_id": "A1"})
    assert raw.exists(f"{prefix}:orders::index:order_id")
    await queue.obliterate()
    assert list(raw.scan_iter(match=f"{prefix}:orders*")) == []
