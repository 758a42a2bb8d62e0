"""``JobScheduler`` of the port's interface, on a real server."""

import time
from typing import Any

import pytest

from stockyard.compat.bullmq import Job, JobScheduler, Queue
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually


async def test_a_scheduler_is_made_and_read(queue: Queue) -> None:
    run = await queue.upsertJobScheduler("hourly", {"every": 3_600_000}, "sync", {"v": 1}, {"attempts": 3})
    assert run is not None
    assert str(run.id).startswith("repeat:hourly:")
    assert (run.name, run.data, run.attempts, run.repeatJobKey) == ("sync", {"v": 1}, 3, "hourly")
    found = await queue.getJobScheduler("hourly")
    assert found is not None
    assert (found["key"], found["name"], found["every"]) == ("hourly", "sync", 3_600_000)
    assert (found["iterationCount"], found["template"]["data"]) == (1, {"v": 1})
    assert found["template"]["opts"]["attempts"] == 3
    assert await queue.isJobScheduler("hourly")
    assert await queue.getJobSchedulersCount() == 1


async def test_a_pattern_is_one_of_utc(queue: Queue) -> None:
    assert await queue.upsertJobScheduler("daily", {"pattern": "0 18 * * *"}) is not None
    found = await queue.getJobScheduler("daily")
    assert found is not None
    assert (found["pattern"], found["tz"], found["name"]) == ("0 18 * * *", "UTC", "daily")
    hour = 3_600_000
    assert found["next"] % (24 * hour) == 18 * hour
    await queue.upsertJobScheduler("daily", {"pattern": "0 18 * * *", "tz": "America/New_York", "limit": 5})
    found = await queue.getJobScheduler("daily")
    assert found is not None
    assert (found["tz"], found["limit"]) == ("America/New_York", 5)


async def test_a_worker_makes_the_next_runs(queue: Queue, work: MakeWorker) -> None:
    ran: list[Any] = []

    async def process(job: Job, token: str) -> None:
        ran.append((job.opts["repeat"]["count"], job.id))

    await queue.upsertJobScheduler("tick", {"every": 20, "limit": 3}, "tick")
    work(process)
    await eventually(lambda: len(ran) == 3)
    assert [number for number, _ in ran] == [1, 2, 3]
    assert len(set(ran)) == 3


async def test_schedulers_in_order(queue: Queue, work: MakeWorker) -> None:
    worker = work(None)
    start = int(time.time() * 1000) + 60_000
    for number in range(3):
        await queue.upsertJobScheduler(f"s{number}", {"every": 60_000, "startDate": start + number * 1000})
    keys = [each["key"] for each in await queue.getJobSchedulers(asc=True)]
    assert keys == ["s0", "s1", "s2"]
    assert [each["key"] for each in await worker.jobScheduler.getJobSchedulers(0, 0)] == ["s2"]
    assert isinstance(worker.jobScheduler, JobScheduler)
    assert worker.jobScheduler is worker.jobScheduler


async def test_a_scheduler_ends(queue: Queue) -> None:
    await queue.upsertJobScheduler("x", {"every": 60_000})
    assert [await queue.removeJobScheduler("x"), await queue.removeJobScheduler("x")] == [0, 1]
    assert await queue.getJobScheduler("x") is None
    past = int(time.time() * 1000) - 1000
    assert await queue.upsertJobScheduler("x", {"every": 1000, "endDate": past}) is None
    assert await queue.upsertJobScheduler("x", {"every": 1000, "limit": 1, "count": 1}) is None
    assert await queue.getJobSchedulersCount() == 0


@pytest.mark.parametrize(
    ("repeat", "words"),
    [
        ({"every": 1, "pattern": "* * * * *"}, "Both .pattern and .every"),
        ({}, "Either .pattern or .every"),
        ({"pattern": "* * * * *", "immediately": True, "startDate": 1}, "Both .immediately and .startDate"),
        ({"pattern": "not a pattern"}, "cron pattern"),
        ({"pattern": "* * * * *", "tz": "Not/AZone"}, "Not/AZone"),
    ],
)
async def test_what_a_scheduler_cannot_be(queue: Queue, repeat: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        await queue.upsertJobScheduler("x", repeat)
