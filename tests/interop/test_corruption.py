"""Records that somebody broke by hand: the job fails, its neighbours and Node's listener do not."""

from typing import Any

import pytest
import redis

from stockyard import Queue
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("opts", '{"attempts":', "opts"),
        ("opts", '["not", "an", "object"]', "opts"),
        ("opts", '{"attempts":"three"}', "opts"),
        ("progress", "{half", "progress"),
        ("data", '{"a":', "corrupt JSON"),
        ("data", b"\xff\xfe", "corrupt JSON"),
        ("priority", "high", "number"),
        ("name", b"\xff\xfe", "text"),
    ],
)
async def test_a_broken_field_fails_its_job_alone(
    queue: NodeObject, events: NodeObject, prefix: str, raw: Any, work: Work, field: str, value: Any, named: str
) -> None:
    await queue.addBulk([{"name": "echo", "data": at, "opts": {"attempts": 3}} for at in range(5)])
    raw.hset(f"{prefix}:q:3", field, value)
    async with work(concurrency=5):
        await eventually(lambda: has_counts(queue, completed=4, failed=1))
    assert await is_in(queue, "failed", "3")
    assert named in raw.hget(f"{prefix}:q:3", "failedReason")
    assert await events.read("errors") == []


@pytest.mark.parametrize(
    ("field", "value"), [("atm", "many"), ("stacktrace", "broken"), ("stc", "x"), ("delay", "x")]
)
@pytest.mark.parametrize("name", ["fail", "echo"])
async def test_no_broken_counter_loses_a_job(
    queue: NodeObject, prefix: str, raw: Any, work: Work, name: str, field: str, value: str
) -> None:
    await queue.add(name, {"reason": "no"}, {"attempts": 3, "backoff": 10})
    raw.hset(f"{prefix}:q:1", field, value)
    async with work():
        await eventually(lambda: has_counts(queue, waiting=0, active=0, delayed=0))
    assert sum((await queue.getJobCounts("completed", "failed")).values()) == 1


async def test_a_broken_tie_to_a_parent_does_not_lose_the_child(
    node: NodePeer, queue: NodeObject, prefix: str, raw: Any, work: Work
) -> None:
    flows = await node.flows()
    children = [{"name": name, "queueName": "q", "data": {"reason": "no"}} for name in ("echo", "fail")]
    gone = {"name": "echo", "queueName": "q", "data": 1, "opts": {"removeOnComplete": True}}
    await flows.add({"name": "gather", "queueName": "p", "children": [*children, gone]})
    for key in raw.scan_iter(f"{prefix}:q:*-*"):
        raw.hset(key, "parent", '{"id":')
    async with work():
        await eventually(lambda: has_counts(queue, waiting=0, active=0))
    assert await has_counts(queue, completed=1, failed=1)


async def test_an_id_without_a_record_is_passed_over(queue: NodeObject, prefix: str, raw: Any, work: Work) -> None:
    await queue.addBulk([{"name": "echo", "data": at} for at in range(3)])
    raw.delete(f"{prefix}:q:1")
    raw.delete(f"{prefix}:q:2")
    raw.set(f"{prefix}:q:2", "not a record")
    async with work(concurrency=5):
        await eventually(lambda: has_counts(queue, completed=1, waiting=0, active=0))
    assert not raw.exists(f"{prefix}:q:1")


async def test_a_value_too_deep_for_us_does_not_hide_the_others(
    queue: NodeObject, ours: Queue, prefix: str, raw: Any, work: Work
) -> None:
    deep = "[" * 3000 + "]" * 3000
    await queue.addBulk([{"name": "echo", "data": at} for at in range(2)])
    raw.hset(f"{prefix}:q:1", "data", deep)
    async with work():
        await eventually(lambda: has_counts(queue, completed=1, failed=1))
    assert {each.id: each.data for each in await ours.get_jobs(["completed", "failed"])} == {"1": deep, "2": 1}
    assert "too deep" in raw.hget(f"{prefix}:q:1", "failedReason")


@pytest.mark.parametrize("where", ["wait", "prioritized"])
async def test_a_job_whose_id_is_no_utf8_fails_once_and_its_neighbours_run(
    queue: NodeObject, prefix: str, redis_url: str, work: Work, where: str
) -> None:
    job_id = b"\xff\xfe\x80"
    with redis.Redis.from_url(redis_url) as client:
        await queue.addBulk([{"name": "echo", "data": 1}] * 3)
        fields = {"name": "echo", "data": "1", "opts": "{}", "timestamp": 1, "delay": 0, "priority": 0}
        client.hset(f"{prefix}:q:".encode() + job_id, mapping=fields)
        if where == "wait":
            client.rpush(f"{prefix}:q:wait", job_id)
        else:
            client.zadd(f"{prefix}:q:prioritized", {job_id: 1})
        async with work(concurrency=2):
            await eventually(lambda: has_counts(queue, waiting=0, prioritized=0, active=0, completed=3, failed=1))
        record: Any = client.hgetall(f"{prefix}:q:".encode() + job_id)
        assert (record[b"ats"], record[b"atm"]) == (b"1", b"1")
        assert b"its id" in record[b"failedReason"]
        assert b"is no UTF-8" in record[b"failedReason"]
        assert not client.exists(f"{prefix}:q:".encode() + job_id + b":lock")


async def test_a_dead_worker_s_job_whose_id_is_no_utf8_is_handed_back_and_listed(
    queue: NodeObject, ours: Queue, prefix: str, redis_url: str, work: Work
) -> None:
    job_id = b"\xff"
    with redis.Redis.from_url(redis_url) as client:
        fields = {"name": "echo", "data": "1", "opts": "{}", "timestamp": 1, "delay": 0, "priority": 0}
        client.hset(f"{prefix}:q:".encode() + job_id, mapping=fields)
        client.lpush(f"{prefix}:q:active", job_id)
        client.sadd(f"{prefix}:q:stalled", job_id)
        async with work():
            await eventually(lambda: has_counts(queue, active=0, failed=1))
    (job,) = await ours.get_jobs("failed")
    assert job.id == "\ufffd"
    assert job.stalled_count == 1
    assert await ours.clean("failed") == ["\ufffd"]
