"""Many jobs, three workers, one killed and one stopped: every job ends, and ends once for the record."""

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from stockyard import App, JobState
from tests.faults.programs import Journal, WorkerProcess, topology
from tests.support.waiting import eventually

JOBS = int(os.environ.get("HERD", "10000"))
CONCURRENCY = 50


@pytest.mark.long
async def test_no_job_is_lost_when_one_worker_is_killed_and_one_is_stopped(
    redis_url: str, prefix: str, raw: "redis.Redis", worker: Callable[..., WorkerProcess], journal: Journal
) -> None:
    async with App(topology(), redis_url, prefix=prefix, call_timeout=30) as app:
        queue = app.queue("q")
        for start in range(0, JOBS, 10_000):
            await queue.add_many([("x", n) for n in range(start, min(start + 10_000, JOBS))])
        killed, stopped, _ = (worker("noted", concurrency=CONCURRENCY) for _ in range(3))

        async def completed() -> int:
            return (await queue.counts())[JobState.COMPLETED]

        async def third_done() -> bool:
            return await completed() >= JOBS // 3

        async def half_done() -> bool:
            return await completed() >= JOBS // 2

        async def all_done() -> bool:
            return await completed() >= JOBS

        await eventually(third_done, within=300)
        killed.send(signal.SIGKILL)
        await eventually(half_done, within=300)
        stopped.send(signal.SIGTERM)
        assert stopped.wait() == 0
        await eventually(all_done, within=300)

        counts = await queue.counts()
    assert counts.pop(JobState.COMPLETED) == JOBS
    assert set(counts.values()) == {0}
    assert list(raw.scan_iter(f"{prefix}:q:*:lock", count=10_000)) == []
    runs = Counter(journal.of("ran"))
    assert len(runs) == JOBS
    again = {job_id: number for job_id, number in runs.items() if number > 1}
    # What ran twice was in the hands of the killed one; the stopped one hands back what it has not begun to write.
    assert len(again) <= CONCURRENCY
    assert set(again.values()) <= {2}
