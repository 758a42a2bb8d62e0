"""What readers see of a queue: its jobs page by page, counts, settings, workers, metrics."""

import asyncio
import base64
from typing import Any

import pytest
import redis

from stockyard import InvalidOption, Job, JobState, Rate, ServerRefused
from stockyard.monitoring import QueueMetrics, QueueSettings
from tests.support.waiting import eventually
from tests.support.yard import Yard


@pytest.fixture
def base(prefix: str) -> str:
    return f"{prefix}:q:"


async def test_states_follow_one_another_in_the_order_asked_for(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("w", n) for n in (1, 2)])
    await queue.add_many([("d", n, {"delay": f"{n}h"}) for n in (3, 4)])
    await queue.add("p", 5, priority=1)

    async def data(states: Any, **options: Any) -> list[Any]:
        return [job.data for job in await queue.get_jobs(states, **options)]

    assert await data(["waiting", "delayed"]) == [2, 1, 4, 3]
    oldest_first = await data((JobState.DELAYED, JobState.PRIORITIZED, "waiting"), newest_first=False)
    assert oldest_first == [3, 4, 5, 1, 2]
    assert await data(["waiting", "delayed"], page=2, size=3) == [3]
    assert await data(["waiting", "waiting"]) == [2, 1]
    assert await data({"failed"}) == []


async def test_what_version_5_set_aside_is_waiting(yard: Yard, raw: "redis.Redis", base: str) -> None:
    queue = yard.queue()
    for n in (1, 2, 3):
        await queue.add("x", n)
    raw.lmove(f"{base}wait", f"{base}paused", "RIGHT", "LEFT")
    raw.lmove(f"{base}wait", f"{base}paused", "RIGHT", "LEFT")
    assert [job.data for job in await queue.get_jobs("waiting")] == [3, 2, 1]
    assert [job.data for job in await queue.get_jobs("waiting", newest_first=False)] == [1, 2, 3]
    assert (await queue.counts())[JobState.WAITING] == 3
    assert await queue.count("waiting") == 3
    assert await queue.counts_per_priority([0]) == {0: 3}


async def test_corrupt_records_are_shown_and_ids_without_one_are_not(
    yard: Yard, raw: "redis.Redis", base: str
) -> None:
    queue = yard.queue()
    await queue.add_many([("x", n) for n in range(4)])
    raw.hset(f"{base}1", mapping={"data": "{", "opts": "[]", "timestamp": "soon", "stacktrace": "x"})
    raw.delete(f"{base}2")
    raw.delete(f"{base}3")
    raw.set(f"{base}3", "no record")
    fourth, first = await queue.get_jobs("waiting")
    assert (fourth.data, first.id, first.data, first.timestamp) == (3, "1", "{", 0)


@pytest.mark.parametrize("states", ["done", ["waiting", "done"], "unknown", [], ["unknown"]])
async def test_a_state_that_is_none_is_refused(yard: Yard, states: Any) -> None:
    queue = yard.queue()
    with pytest.raises(InvalidOption, match="state"):
        await queue.get_jobs(states)


async def test_counts_of_some_states_add_up(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x",), ("x", {}, {"delay": 60}), ("x", {}, {"priority": 2})])
    assert await queue.count() == 3
    assert await queue.count("waiting", "delayed") == 2
    assert await queue.count(JobState.FAILED) == 0
    with pytest.raises(InvalidOption):
        await queue.count("paused")


async def test_counts_by_priority_are_exact_at_the_edges(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x", {}, {"priority": n}) for n in (0, 1, 1, 2, 2_097_151)])
    assert await queue.counts_per_priority([2_097_151, 0, 1, 2, 3, 1]) == {
        2_097_151: 1,
        0: 1,
        1: 2,
        2: 1,
        3: 0,
    }
    assert await queue.counts_per_priority([]) == {}
    for wrong in (-1, 2_097_152, 1.0, True):
        with pytest.raises(InvalidOption, match="priority"):
            await queue.counts_per_priority([wrong])  # type: ignore[list-item]


async def test_an_untouched_queue(yard: Yard) -> None:
    queue = yard.queue()
    assert await queue.settings() == QueueSettings()
    assert not await queue.is_paused()
    assert await queue.rate_limit_left_ms() == 0
    assert await queue.deduplication_owner("none") is None


async def test_what_was_set_is_read(yard: Yard, raw: "redis.Redis", base: str) -> None:
    queue = yard.queue()
    await queue.add("x")
    await queue.pause()
    await queue.set_concurrency(3)
    await queue.set_rate("10/1m")
    raw.hset(f"{base}meta", "version", "bullmq:6.7.0")
    assert await queue.settings() == QueueSettings(True, 3, Rate(10, 60_000), 10_000, "bullmq:6.7.0")
    assert await queue.is_paused()


async def test_what_makes_no_sense_counts_as_unset(yard: Yard, raw: "redis.Redis", base: str) -> None:
    meta: Any = {"concurrency": "many", "max": "5", "duration": "", "opts.maxLenEvents": "x", "paused": "0"}
    raw.hset(f"{base}meta", mapping=meta)
    assert await yard.queue().settings() == QueueSettings(paused=True)


@pytest.mark.parametrize(
    ("counted", "own", "asked", "is_limited"),
    [(5, 5, None, True), (4, 5, None, False), (4, 5, 4, True), (5, None, 6, False), (1, None, None, True)],
)
async def test_the_rest_of_a_window_counts_once_it_is_full(
    yard: Yard,
    raw: "redis.Redis",
    base: str,
    counted: int,
    own: int | None,
    asked: int | None,
    is_limited: bool,
) -> None:
    raw.set(f"{base}limiter", counted, px=50_000)
    if own:
        raw.hset(f"{base}meta", mapping={"max": own, "duration": 60_000})
    left = await yard.queue().rate_limit_left_ms(asked)
    assert (40_000 < left <= 50_000) == is_limited
    assert (left == 0) == (not is_limited)


async def test_the_declared_rate_is_known(yard: Yard, raw: "redis.Redis", base: str) -> None:
    queue = yard.queue(rate="3/1m")
    raw.set(f"{base}limiter", 2, px=50_000)
    assert await queue.rate_limit_left_ms() == 0
    await queue.rate_limit("10s")
    assert 9_000 < await queue.rate_limit_left_ms() <= 10_000


async def test_the_owner_of_a_deduplication_id(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", deduplication="sync:42")
    assert await queue.deduplication_owner("sync:42") == job.id


async def test_each_worker_is_listed_once_with_its_name(yard: Yard) -> None:
    queue = yard.queue("eu:orders")
    assert await queue.workers() == []

    async def handle(job: Job[Any]) -> None: ...

    worker = await yard.work(handle, "eu:orders", name="w-1")
    (listed,) = await queue.workers()
    assert (listed.name, listed.queue) == ("w-1", "eu:orders")
    assert listed.connection > 0
    assert listed.address
    await worker.stop()
    await eventually(lambda: _is_gone(queue))


async def test_either_spelling_of_a_queue_with_a_colon_is_known(yard: Yard, redis_url: str, prefix: str) -> None:
    queue = yard.queue("eu:orders")
    names = [
        f"{prefix}:eu:{base64.b64encode(b'orders').decode()}:w:a",
        f"{prefix}:{base64.b64encode(b'eu:orders').decode()}",
        f"{prefix}:eu:{base64.b64encode(b'orders').decode()}:qe",
    ]
    clients = [redis.Redis.from_url(redis_url, client_name=name) for name in names]
    for client in clients:
        client.ping()
    assert sorted(each.name for each in await queue.workers()) == ["", "a"]
    (health,) = await yard.app.health("eu:orders")
    assert health.workers == 2
    for client in clients:
        client.close()


async def test_a_list_that_is_hidden_is_an_error(
    yard: Yard, raw: "redis.Redis", redis_url: str, prefix: str
) -> None:
    users: Any = raw
    users.execute_command("ACL", "SETUSER", f"u{prefix}", "on", ">p", "~*", "+@all", "-client|list")
    at = redis_url.replace("://", f"://u{prefix.replace(':', '%3A')}:p@", 1)
    try:
        async with Yard(at, prefix) as limited:
            queue = limited.queue()
            await queue.add("x")
            with pytest.raises(ServerRefused, match="no permissions"):
                await queue.workers()
            (health,) = await limited.app.health()
            assert (health.waiting, health.workers) == (1, 0)
    finally:
        users.execute_command("ACL", "DELUSER", f"u{prefix}")


async def test_none_were_counted(yard: Yard) -> None:
    queue = yard.queue()
    assert await queue.metrics() == QueueMetrics()
    assert await queue.metrics("failed", 0, 5) == QueueMetrics()


async def test_minutes_are_read_newest_first_and_by_page(yard: Yard, raw: "redis.Redis", base: str) -> None:
    raw.hset(f"{base}metrics:failed", mapping={"count": 9, "prevTS": 1_700_000_000_000, "prevCount": 8})
    raw.rpush(f"{base}metrics:failed:data", 4, 3, "?", 1)
    queue = yard.queue()
    whole = QueueMetrics(9, 1_700_000_000_000, 8, (4, 3, 0, 1), 4)
    assert await queue.metrics("failed") == whole
    assert (await queue.metrics("failed", 0, 1)).data == (4, 3)
    assert await queue.metrics("failed", 3, 9) == QueueMetrics(9, 1_700_000_000_000, 8, (1,), 4)
    with pytest.raises(InvalidOption, match="kind must be"):
        await queue.metrics("removed")  # type: ignore[arg-type]


async def test_the_text_for_prometheus_has_every_state_and_both_totals(
    yard: Yard, raw: "redis.Redis", base: str
) -> None:
    queue = yard.queue()
    await queue.add_many([("x",), ("x", {}, {"delay": 60})])
    raw.hset(f"{base}metrics:completed", mapping={"count": 9})
    lines = (await queue.prometheus({"env": "test"})).splitlines()
    states = [state for state in sorted(JobState) if state is not JobState.UNKNOWN]
    counts = {"waiting": 1, "delayed": 1}
    assert [line for line in lines if line.startswith("bullmq_job_count")] == [
        f'bullmq_job_count{{queue="q", state="{state}", env="test"}} {counts.get(state, 0)}' for state in states
    ]
    assert lines[-4] == 'bullmq_job_completed_total{queue="q", env="test"} 9'
    assert lines[-1] == 'bullmq_job_failed_total{queue="q", env="test"} 0'


async def test_code_without_a_loop_reads_too(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add("x")

    def read() -> tuple[Any, ...]:
        return queue.sync.count(), queue.sync.is_paused(), queue.sync.workers()

    assert await asyncio.to_thread(read) == (1, False, [])


async def _is_gone(queue: Any) -> bool:
    return not await queue.workers()
