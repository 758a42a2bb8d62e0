"""Priority aging: a job that has waited long enough goes before one of a higher priority that is new."""

from typing import Any

import pytest

from stockyard import InvalidOption, Job, JobState, Queue
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import Yard

MINUTE = 60_000


async def order(queue: Queue) -> list[str]:
    """The names of the prioritized jobs, the next one first."""
    return [job.name for job in await queue.get_jobs("prioritized", newest_first=False)]


@pytest.fixture
def aging(timed: Yard) -> Queue:
    """A queue whose jobs age a step a minute, on a clock that is moved by hand."""
    return timed.queue(priority=10, aging="1m")


async def test_waiting_counts_like_priority(aging: Queue, clock: SteppedClock) -> None:
    await aging.add("low", priority=15)
    await aging.add("normal")
    await aging.add("high", priority=5)
    assert await order(aging) == ["high", "normal", "low"]
    clock.step(9 * MINUTE)
    await aging.add("high after 9 minutes", priority=5)
    clock.step(2 * MINUTE)
    await aging.add("high after 11 minutes", priority=5)
    assert await order(aging) == ["high", "normal", "high after 9 minutes", "low", "high after 11 minutes"]
    (low,) = [job for job in await aging.get_jobs("prioritized") if job.name == "low"]
    assert (await aging.position(low.id)).ahead == 3


async def test_jobs_of_one_priority_keep_their_order(aging: Queue, clock: SteppedClock) -> None:
    await aging.add_many([(f"{number}",) for number in range(120)])
    # The clock of another program is behind.
    clock.step(-MINUTE)
    await aging.add("120")
    assert await order(aging) == [str(number) for number in range(50)]
    assert [job.name for job in await aging.get_jobs("prioritized", size=200, newest_first=False)] == [
        str(number) for number in range(121)
    ]


async def test_jobs_of_priority_0_run_before_all(aging: Queue) -> None:
    await aging.add("high", priority=1)
    await aging.add("none", priority=0)
    assert (await aging.counts())[JobState.WAITING] == 1
    assert (await aging.counts())[JobState.PRIORITIZED] == 1


async def test_what_waits_by_bullmq_s_own_score_ages_from_when_it_is_found(
    aging: Queue, clock: SteppedClock, raw: Any, prefix: str
) -> None:
    """As after a retry, a promotion, or an add of Node: behind all others, until an add gives it its place."""
    await aging.add("low", priority=15)
    clock.step(5 * MINUTE)
    put_back = await aging.add("put back", priority=10)
    raw.zadd(f"{prefix}:q:prioritized", {put_back.id: 10 * 2**32 + 1})
    assert await order(aging) == ["low", "put back"]
    clock.step(4 * MINUTE)
    await aging.add("next", priority=10)
    assert await order(aging) == ["low", "put back", "next"]
    await put_back.change_priority(2)
    await aging.add("last", priority=10)
    assert await order(aging) == ["put back", "low", "next", "last"]


async def test_a_worker_lets_those_age_that_it_finds(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue(priority=10, aging="1m")
    await queue.pause()
    await queue.add_many([("tick",)] * 5)
    raw.zadd(f"{prefix}:q:prioritized", {str(number): 10 * 2**32 + number for number in (1, 3)})
    await yard.work(lambda job: None)
    key = f"{prefix}:q:prioritized"
    await eventually(lambda: all(score < 0 for _, score in raw.zrange(key, 0, -1, withscores=True)))
    await queue.resume()
    await eventually(lambda: raw.zcard(f"{prefix}:q:completed") == 5)


async def test_a_retry_waits_anew(yard: Yard) -> None:
    queue = yard.queue(priority=10, aging="1m", attempts=2)
    starts: list[str] = []

    async def handle(job: Job[Any]) -> None:
        starts.append(job.name)
        if job.name == "a" and job.attempts_made == 0:
            raise ValueError("once")

    for name in "abc":
        await queue.add(name)
    await yard.work(handle, concurrency=1)
    await eventually(lambda: len(starts) == 4)
    assert starts[0] == "a"
    assert sorted(starts) == ["a", "a", "b", "c"]


async def test_the_oldest_of_those_that_run_next_is_known_and_counts_by_priority_are_not(
    aging: Queue, timed: Yard, clock: SteppedClock
) -> None:
    await aging.add("low", priority=15)
    clock.step(3 * MINUTE)
    await aging.add("high", priority=1)
    (health,) = await timed.app.health("q")
    assert health.oldest_waiting_age == pytest.approx(180)
    with pytest.raises(InvalidOption, match="the scores of a queue with aging say when"):
        await aging.counts_per_priority([1])


async def test_nothing_of_it_is_left_after_an_obliteration(aging: Queue, raw: Any, prefix: str) -> None:
    await aging.add("x")
    await aging.pause()
    await aging.obliterate()
    assert list(raw.scan_iter(f"{prefix}:q:*")) == []


async def test_jobs_age_in_each_shard(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue(priority=10, aging="1m", shards=2)
    jobs = await queue.add_many([("x", number) for number in range(60)])
    sets = list(raw.scan_iter(f"*{prefix}*:prioritized"))
    scores = [score for key in sets for _, score in raw.zrange(key, 0, -1, withscores=True)]
    assert len(sets) == 2
    assert len(scores) == 60
    assert max(scores) < 0
    await yard.work(lambda job: job.data)
    for job in jobs:
        assert await job.wait_for_result("25s") == job.data
