"""The protocol's pitfalls 1 to 14, those of jobs, and how we step around each; more in test_pitfalls_queues.py."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, Flow, InvalidOption, Job, Queue
from stockyard.model.clock import SteppedClock
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_drained, is_in
from tests.support.waiting import eventually

HOUR = 3_600_000


@pytest.fixture
def key(prefix: str) -> Callable[[str], str]:
    """Names a key of ``q``."""
    return lambda suffix: f"{prefix}:q:{suffix}"


async def test_pitfall_01_a_result_is_always_json(
    queue: NodeObject, events: NodeObject, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    results: list[Any] = [None, "text", float("nan"), {"a": [1.5]}]

    async def handle(job: Job[int]) -> Any:
        return results[job.data]

    async with work(handle):
        await queue.addBulk([{"name": "x", "data": at} for at in range(4)])
        await eventually(lambda: has_counts(queue, completed=3, failed=1))
    assert [raw.hget(key(each), "returnvalue") for each in "124"] == ["null", '"text"', '{"a":[1.5]}']
    assert "not JSON-able" in raw.hget(key("3"), "failedReason")
    await eventually(lambda: is_drained(events))
    assert await events.read("errors") == []


async def test_pitfall_02_a_reason_is_plain_text(
    queue: NodeObject, events: NodeObject, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await queue.add("fail", {"reason": 'no "margin"'})
    async with work():
        await eventually(lambda: is_in(queue, "failed", "1"))
    assert raw.hget(key("1"), "failedReason") == 'no "margin"'
    assert ["failed", {"jobId": "1", "failedReason": 'no "margin"', "prev": "active"}] in await events.read(
        "events"
    )


async def test_pitfall_03_unset_options_are_left_out_and_null_is_read(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await ours.add("echo", 1, remove_on_complete=None, remove_on_fail=None)
    assert "null" not in raw.hget(key("1"), "opts")
    await queue.add("echo", 1)
    raw.hset(key("2"), "opts", '{"removeOnComplete":null,"removeOnFail":null}')
    async with work():
        await eventually(lambda: has_counts(queue, completed=2))


async def test_pitfall_04_every_push_and_every_start_wakes_one_more(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work
) -> None:
    """Two idle workers that look by themselves once a minute, and one marker for two jobs."""
    await node.worker("q", drainDelay=60)
    async with work(concurrency=1, drain_delay=60):
        await eventually(lambda: _has_workers(queue, 2))
        await ours.add_many([("hang", {})] * 2)
        await eventually(lambda: has_counts(queue, active=2), within=8)


async def test_pitfall_05_a_deferred_failure_is_not_run(
    queue: NodeObject, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await queue.add("echo", 1, {"attempts": 3})
    raw.hset(key("1"), "defa", "child failed")
    seen: list[str] = []

    async def handle(job: Job[Any]) -> None:
        seen.append(job.id)

    async with work(handle):
        await eventually(lambda: is_in(queue, "failed", "1"))
    assert seen == []
    assert raw.hmget(key("1"), "failedReason", "defa", "atm") == ["child failed", None, "1"]


async def test_pitfall_06_the_newest_is_at_the_head_and_the_tail_is_next(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await ours.add_many([("echo", 1), ("echo", 2)])
    await ours.add("echo", 3, lifo=True)
    assert raw.lrange(key("wait"), 0, -1) == ["2", "1", "3"]
    started: list[int] = []

    async def handle(job: Job[int]) -> None:
        started.append(job.data)

    async with work(handle, concurrency=1):
        await eventually(lambda: has_counts(queue, completed=3))
    assert started == [3, 1, 2]


async def test_pitfall_07_scores_are_as_peers_compute_them(
    open_app: Callable[..., App], raw: Any, key: Callable[[str], str]
) -> None:
    now = 1_700_000_000_000
    ours = open_app(q={}, clock=SteppedClock(now)).queue("q")
    await ours.add("echo", 1, delay="1h")
    await ours.add("echo", 2, priority=5)
    assert raw.zscore(key("delayed"), "1") == (now + HOUR) * 4096
    assert raw.zscore(key("marker"), "1") == now + HOUR
    assert raw.zscore(key("marker"), "0") == 0
    assert raw.zscore(key("prioritized"), "2") == 5 * 2**32 + 1


async def test_pitfall_08_a_lock_of_another_is_left_alone(
    queue: NodeObject, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    async def handle(job: Job[Any]) -> None:
        assert 0 < raw.pttl(key("1:lock")) <= 30_000
        raw.set(key("1:lock"), "another:1")

    await queue.add("echo", 1)
    async with work(handle, concurrency=1):
        await eventually(lambda: is_in(queue, "active", "1"))
        await eventually(lambda: raw.get(key("1:lock")) == "another:1")
        # It goes on with the next one.
        await queue.add("echo", 2)
        await eventually(lambda: raw.hexists(key("2"), "ats"))
    assert raw.get(key("1:lock")) == "another:1"
    assert await is_in(queue, "active", "1")
    assert raw.hmget(key("1"), "atm", "finishedOn") == [None, None]


async def test_pitfall_09_an_end_clears_the_suspicion(
    queue: NodeObject, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    async def handle(job: Job[Any]) -> None:
        raw.sadd(key("stalled"), job.id)

    await queue.add("echo", 1)
    async with work(handle):
        await eventually(lambda: is_in(queue, "completed", "1"))
        assert not raw.sismember(key("stalled"), "1")


@pytest.mark.parametrize("job_id", ["42", "0", "wait", "meta", "events", "a:b", "0:1"])
async def test_pitfall_10_poisonous_ids_are_refused(queue: NodeObject, ours: Queue, job_id: str) -> None:
    with pytest.raises(InvalidOption, match="job_id"):
        await ours.add("echo", 1, job_id=job_id)
    assert await has_counts(queue, waiting=0)


async def test_pitfall_11_ids_with_colons_have_no_place_in_a_flow(app: App, queue: NodeObject) -> None:
    with pytest.raises(InvalidOption, match="job_id"):
        await app.flows.add(Flow("gather", "q", job_id="repeat:s:1", children=[Flow("echo", "q")]))
    with pytest.raises(InvalidOption, match="job_id"):
        await app.flows.add(Flow("gather", "q", children=[Flow("echo", "q", job_id="repeat:s:1")]))
    assert await has_counts(queue, waiting=0, **{"waiting-children": 0})


async def test_pitfall_12_a_childs_flags_are_in_its_record(
    queue: NodeObject, ours: Queue, raw: Any, key: Callable[[str], str], prefix: str
) -> None:
    parent = await ours.add("gather", job_id="parent", delay="1h")
    child = await ours.add("echo", 1, parent=parent, on_failure="fail_parent")
    record, options = (json.loads(raw.hget(key(child.id), field)) for field in ("parent", "opts"))
    assert record == {"id": "parent", "queueKey": f"{prefix}:q", "fpof": True}
    assert options["parent"] == {"id": "parent", "queue": f"{prefix}:q"}
    assert raw.hget(key(child.id), "parentKey") == key("parent")


async def test_pitfall_13_moves_read_the_record_and_not_the_options(
    queue: NodeObject, ours: Queue, raw: Any, key: Callable[[str], str]
) -> None:
    added = await ours.add("echo", 1, delay="1h", priority=7)
    assert raw.hmget(key("1"), "delay", "priority") == [str(HOUR), "7"]
    await queue.job("1", "changePriority", {"priority": 3})
    await added.promote()
    assert int(raw.zscore(key("prioritized"), "1")) >> 32 == 3
    assert raw.hmget(key("1"), "delay", "priority") == ["0", "3"]


async def test_pitfall_14_an_end_frees_its_own_deduplication_id_alone(
    queue: NodeObject, ours: Queue, work: Work, raw: Any, key: Callable[[str], str]
) -> None:
    await ours.add("echo", 1, deduplication="own")
    await ours.add("echo", 2, deduplication="taken")
    assert raw.hget(key("1"), "deid") == "own"
    raw.set(key("de:taken"), "another")
    async with work():
        await eventually(lambda: has_counts(queue, completed=2))
    assert raw.mget(key("de:own"), key("de:taken")) == [None, "another"]


async def _has_workers(queue: NodeObject, number: int) -> bool:
    return bool(await queue.getWorkersCount() == number)
