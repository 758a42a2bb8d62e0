"""What can be asked of a job and of its queue, in every state."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from stockyard import Flow, InvalidOption, Job, JobNotFound, JobState, JobStateError, PayloadError
from stockyard.errors import JobLocked
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def nothing(job: Job[Any]) -> None: ...


async def fail(job: Job[Any]) -> None:
    raise ValueError("no")


class Gate:
    """A handler that waits until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered: list[str] = []

    async def __call__(self, job: Job[Any]) -> None:
        self.entered.append(job.id)
        await self.opened.wait()


async def test_progress_and_log_are_stored_and_read_back(yard: Yard) -> None:
    queue = yard.queue()

    async def report(job: Job[Any]) -> list[int]:
        await job.update_progress(10)
        lines = [await job.log("one"), await job.log("zwei — ü")]
        await job.update_progress({"done": [1, None]})
        return lines

    await yard.work(report)
    job = await queue.add("x")
    assert await job.wait_for_result(25) == [1, 2]
    done = await job.refresh()
    assert done.progress == {"done": [1, None]}
    assert await done.logs() == ["one", "zwei — ü"]
    assert (await done.logs(1, 1), await done.logs(-1, -1)) == (["zwei — ü"], ["zwei — ü"])


@pytest.mark.parametrize("value", [object(), float("nan")])
async def test_progress_must_be_json(yard: Yard, value: Any) -> None:
    job = await yard.queue().add("x")
    with pytest.raises(PayloadError, match="progress of job 1"):
        await job.update_progress(value)
    assert (await job.refresh()).progress is None


async def test_every_call_on_a_removed_job_says_that_it_is_gone(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    await job.remove()
    for call in (job.update_progress(1), job.log("x"), job.retry(), job.promote(), job.remove(), job.refresh()):
        with pytest.raises(JobNotFound, match="job 1 of queue 'q' does not exist") as missing:
            await call
        assert missing.value.job_id == "1"
    assert await queue.get_job("1") is None
    assert await job.state() is JobState.UNKNOWN


async def test_state_and_counts_follow_a_job_through_its_life(yard: Yard) -> None:
    queue = yard.queue()
    gate = Gate()
    waiting, delayed, prioritized = await queue.add_many(
        [("w",), ("d", None, {"delay": "1h"}), ("p", None, {"priority": 2})]
    )
    assert [await job.state() for job in (waiting, delayed, prioritized)] == ["waiting", "delayed", "prioritized"]
    worker = await yard.work(gate, concurrency=1)
    await eventually(lambda: gate.entered)
    assert await waiting.state() == "active"
    assert worker.running == 1
    counts = await queue.counts()
    assert {state.value: count for state, count in counts.items() if count} == {
        "active": 1,
        "delayed": 1,
        "prioritized": 1,
    }
    gate.opened.set()
    await prioritized.wait_for_result(25)
    assert await waiting.state() == "completed"


async def test_jobs_are_listed_by_page_in_both_directions(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x", n) for n in range(25)])
    await queue.add_many([("p", n, {"priority": 1 + n}) for n in range(5)])

    async def ids(state: str, **page: Any) -> list[str]:
        return [job.id for job in await queue.get_jobs(state, **page)]

    assert await ids("waiting", size=10) == [str(n) for n in range(25, 15, -1)]
    assert await ids("waiting", size=10, page=3) == [str(n) for n in range(5, 0, -1)]
    assert await ids("waiting", size=10, newest_first=False) == [str(n) for n in range(1, 11)]
    assert await ids("waiting", size=10, page=3, newest_first=False) == [str(n) for n in range(21, 26)]
    assert await ids("waiting", size=10, page=4) == []
    assert await ids("prioritized", newest_first=False) == ["26", "27", "28", "29", "30"]
    assert await ids(JobState.FAILED) == []


@pytest.mark.parametrize(
    "asked", [{"state": "done"}, {"state": "waiting", "page": 0}, {"state": "waiting", "size": 1001}]
)
async def test_a_page_that_cannot_be_is_refused(yard: Yard, asked: Any) -> None:
    with pytest.raises(InvalidOption, match="must be"):
        await yard.queue().get_jobs(**asked)


async def test_a_finished_job_can_be_retried(yard: Yard) -> None:
    queue = yard.queue()
    works = False

    async def sometimes(job: Job[Any]) -> str:
        if not works:
            raise ValueError("not yet")
        return "done"

    await yard.work(sometimes)
    job = await queue.add("x")
    await eventually(lambda: _is(job, JobState.FAILED))
    works = True
    await job.retry()
    assert await job.wait_for_result(25) == "done"
    with pytest.raises(JobStateError, match=r"is completed, and not failed; retry\(state='completed'\)"):
        await job.retry()
    await job.retry(state="completed")
    await eventually(lambda: _is(job, JobState.COMPLETED))
    assert (await job.refresh()).attempts_started == 3


async def test_only_what_can_be_retried_and_promoted_is(yard: Yard) -> None:
    queue = yard.queue()
    waiting, delayed = await queue.add("w"), await queue.add("d", delay="1h")
    for job, state in ((waiting, "waiting"), (delayed, "delayed")):
        with pytest.raises(JobStateError, match=f"is {state}, and not failed"):
            await job.retry()
    with pytest.raises(InvalidOption, match="state must be one of 'failed', 'completed'; got 'active'"):
        await waiting.retry(state="active")  # type: ignore[arg-type]
    with pytest.raises(JobStateError, match="is not delayed"):
        await waiting.promote()
    await delayed.promote()
    assert await delayed.state() is JobState.WAITING
    prioritized = await queue.add("p", delay="1h", priority=4)
    await prioritized.promote()
    assert await prioritized.state() is JobState.PRIORITIZED


@pytest.mark.parametrize("state", ["waiting", "delayed", "prioritized", "completed", "failed"])
async def test_a_job_that_does_not_run_can_be_removed(yard: Yard, raw: Any, prefix: str, state: str) -> None:
    queue = yard.queue()
    special: dict[str, dict[str, Any]] = {"delayed": {"delay": "1h"}, "prioritized": {"priority": 1}}
    job = await queue.add("x", **special.get(state, {}))
    await job.log("line")
    if state in ("completed", "failed"):
        await yard.work(nothing if state == "completed" else fail)
        await eventually(lambda: _is(job, JobState(state)))
    await job.remove()
    assert raw.keys(f"{prefix}:q:{job.id}*") == []
    assert sum((await queue.counts()).values()) == 0


async def test_a_running_job_cannot_be_removed(yard: Yard) -> None:
    queue = yard.queue()
    gate = Gate()
    await yard.work(gate)
    job = await queue.add("x")
    await eventually(lambda: gate.entered)
    with pytest.raises(JobLocked, match="job 1 of queue 'q' is being run"):
        await job.remove()
    gate.opened.set()
    await job.wait_for_result(25)


async def test_a_record_that_vanishes_under_a_running_job_does_not_disturb_the_worker(
    yard: Yard, raw: Any, prefix: str
) -> None:
    queue = yard.queue()
    gate = Gate()
    await yard.work(gate, concurrency=1)
    job = await queue.add("x")
    await eventually(lambda: gate.entered)
    raw.delete(f"{prefix}:q:{job.id}", f"{prefix}:q:{job.id}:lock")
    gate.opened.set()
    other = await queue.add("y")
    assert await other.wait_for_result(25) is None
    assert raw.exists(f"{prefix}:q:{job.id}") == 0


async def test_a_deferred_failure_ends_the_job_without_running_it(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue(attempts=5)
    job = await queue.add("x")
    raw.hset(f"{prefix}:q:{job.id}", "defa", "its parent gave up")
    gate = Gate()
    await yard.work(gate)
    await eventually(lambda: _is(job, JobState.FAILED))
    done = await job.refresh()
    assert (done.failed_reason, gate.entered) == ("its parent gave up", [])
    assert not raw.hexists(f"{prefix}:q:{job.id}", "defa")


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() is state


async def test_a_log_is_read_from_either_end(yard: Yard) -> None:
    job = await yard.queue().add("x")
    assert (await job.log_count(), await job.logs(newest_first=True)) == (0, [])
    for number in range(5):
        await job.log(f"line {number}")
    assert await job.log_count() == 5
    lines = [f"line {number}" for number in range(5)]
    assert await job.logs(1, 2) == lines[1:3]
    assert await job.logs(newest_first=True) == lines[::-1]
    assert await job.logs(0, 1, newest_first=True) == lines[:2:-1]
    assert await job.logs(1, 3, newest_first=True) == lines[1:4][::-1]
    assert await job.logs(3, -1, newest_first=True) == lines[1::-1]
    assert await job.logs(-2, -1, newest_first=True) == lines[1::-1]
    assert await job.logs(7, 9, newest_first=True) == []
    with pytest.raises(InvalidOption, match="newest_first"):
        await job.logs(newest_first=1)  # type: ignore[arg-type]


async def test_a_job_may_say_when_it_was_made(yard: Yard) -> None:
    queue = yard.queue()
    made = 1_700_000_000_000
    for moment in (made, datetime.fromtimestamp(made / 1000, UTC)):
        job = await queue.add("x", timestamp=moment)
        assert (job.timestamp, (await job.refresh()).timestamp) == (made, made)
        assert (await job.refresh()).options.timestamp_ms == made
    (many,) = await queue.add_many([("x", 1, {"timestamp": made})])
    assert (await many.refresh()).timestamp == made
    later = await queue.add("x", timestamp=made, delay="1h")
    assert (await later.refresh()).delay_ms == 3_600_000
    tree = await yard.app.flows.add(Flow("x", "q", children=[Flow("y", "q", timestamp=made)]))
    (child,) = tree.children
    assert ((await child.job.refresh()).timestamp, (await tree.job.refresh()).timestamp > made) == (made, True)
    with pytest.raises(InvalidOption, match="timestamp"):
        await queue.add("x", timestamp="yesterday")  # type: ignore[arg-type]
