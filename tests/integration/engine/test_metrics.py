"""How many jobs ended in each minute, as workers count them."""

from typing import Any

import pytest
import redis

from stockyard import InvalidOption, Job, JobFailed
from stockyard.model.clock import SteppedClock
from tests.support.yard import Yard

NOW = 1_800_000_000_000


async def fail_if_told(job: Job[Any]) -> None:
    if job.data:
        raise ValueError("no")


async def end(yard: Yard, *failing: bool) -> None:
    for job in await yard.queue().add_many([("x", each) for each in failing]):
        if job.data:
            with pytest.raises(JobFailed):
                await job.wait_for_result(25)
        else:
            await job.wait_for_result(25)


def counts(raw: Any, prefix: str, target: str) -> tuple[dict[str, str], list[str]]:
    key = f"{prefix}:q:metrics:{target}"
    return raw.hgetall(key), raw.lrange(f"{key}:data", 0, -1)


async def test_workers_count_by_the_minute_unasked(redis_url: str, raw: "redis.Redis", prefix: str) -> None:
    clock = SteppedClock(NOW)
    async with Yard(redis_url, prefix, clock=clock) as yard:
        yard.queue()
        await yard.work(fail_if_told, concurrency=5)
        await end(yard, False, False, True)
        clock.step(60_000)
        await end(yard, False)
        clock.step(120_000)
        await end(yard, False, True)
    # Of those that follow a pause, the first belongs to the minute that it begins.
    assert counts(raw, prefix, "completed")[1] == ["0", "1", "2"]
    assert counts(raw, prefix, "completed")[0]["count"] == "4"
    assert counts(raw, prefix, "failed") == (
        {"count": "2", "prevTS": str(NOW + 180_000), "prevCount": "1"},
        ["0", "0", "1"],
    )


@pytest.mark.parametrize("off", [0, None])
async def test_a_worker_can_be_told_not_to_count(
    yard: Yard, raw: "redis.Redis", prefix: str, off: int | None
) -> None:
    yard.queue()
    await yard.work(fail_if_told, metrics_minutes=off)
    await end(yard, False, True)
    assert raw.keys(f"{prefix}:q:metrics:*") == []


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "10"])
@pytest.mark.parametrize("option", ["metrics_minutes", "max_started_attempts"])
async def test_a_wrong_number_is_refused(yard: Yard, option: str, wrong: Any) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match=f"{option} must be a whole number, 0 or more"):
        yard.app.worker("q", fail_if_told, **{option: wrong})
