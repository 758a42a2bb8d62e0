"""Waiting for the end of a job."""

import asyncio
import itertools
from typing import Any

import pytest
import redis

from stockyard import Job, JobFailed, JobNotFound, Queue, ResultTimeout
from stockyard._store.jobs import reading
from stockyard._store.jobs.streams import EventStream
from stockyard.errors import SharedWorkCancelled
from stockyard.events.results import Results
from tests.support.waiting import eventually, results_awaited, stays
from tests.support.yard import Yard


async def double(job: Job[Any]) -> Any:
    return job.data * 2


async def fail(job: Job[Any]) -> None:
    raise ValueError("too dear")


async def test_a_result_is_awaited_before_and_after_the_end(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", 21)
    waiting = [asyncio.create_task(job.wait_for_result(25)) for _ in range(3)]
    await yard.work(double)
    assert await asyncio.gather(*waiting) == [42] * 3
    assert await job.wait_for_result() == 42
    assert await job.wait_for_result("1s") == 42


async def test_the_end_of_an_earlier_run_is_not_taken_for_this_one_s(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader is behind: it reads of the first end when somebody waits for the second."""
    queue = yard.queue()
    job = await queue.add("x", 4)
    reader_is_behind = asyncio.Event()
    read = EventStream.read

    async def slow_read(stream: EventStream, seconds: float) -> Any:
        await reader_is_behind.wait()
        return await read(stream, seconds)

    monkeypatch.setattr(EventStream, "read", slow_read)
    other = asyncio.create_task((await queue.add("x", 5, delay="1h")).wait_for_result())
    await results_awaited(other)
    worker = await yard.work(double)
    await eventually(lambda: _is_completed(job))
    await worker.stop()
    await job.update_data(50)
    await job.retry(state="completed")
    waiting = asyncio.create_task(job.wait_for_result(25))
    await results_awaited(waiting)
    reader_is_behind.set()
    await stays(lambda: not waiting.done())
    await yard.work(double)
    assert await waiting == 100
    other.cancel()


async def _is_completed(job: Job[Any]) -> bool:
    return await job.state() == "completed"


async def test_many_wait_at_once(yard: Yard) -> None:
    queue = yard.queue()
    jobs = await queue.add_many([("x", n) for n in range(500)])
    waiting = [asyncio.create_task(job.wait_for_result(25)) for job in jobs]
    await yard.work(double, concurrency=50)
    assert await asyncio.gather(*waiting) == [2 * n for n in range(500)]


async def test_waiting_again_and_again_never_misses_an_end(yard: Yard) -> None:
    """Readers that end as soon as nobody waits, and begin again: no end may fall between."""
    queue = yard.queue()
    await yard.work(double)
    seconds = itertools.count(step=10.0)
    results = Results(queue._keyspace, monotonic=lambda: next(seconds))
    for n in range(200):
        job = await queue.add("x", n)
        assert await results.wait(job.id, 25) == 2 * n
    await results.aclose()


async def test_waiting_for_one_result_after_another_takes_one_connection(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue = yard.queue()
    await yard.work(double)
    now = [0.0]
    results = Results(queue._keyspace, monotonic=lambda: now[0])
    readers = set[str]()
    for n in range(20):
        job = await queue.add("x", n)
        assert await results.wait(job.id, 25) == 2 * n
        readers |= _readers(raw, prefix)
    assert len(readers) == 1
    await stays(lambda: _readers(raw, prefix) == readers)
    now[0] += 1.1
    await eventually(lambda: not _readers(raw, prefix))
    await eventually(lambda: not _reading())
    await results.aclose()


async def test_closing_the_app_closes_the_connection_that_nobody_waits_on(
    redis_url: str, prefix: str, raw: "redis.Redis"
) -> None:
    async with Yard(redis_url, prefix) as yard:
        job = await yard.queue().add("x", 4)
        await yard.work(double)
        assert await job.wait_for_result(25) == 8
        # Though a second may have passed on a slow machine: what is not there need not be closed.
        reading = _reading()
    assert all(task.done() for task in reading)
    await eventually(lambda: not _readers(raw, prefix))


def _readers(raw: "redis.Redis", prefix: str) -> set[str]:
    """Ids of the connections that read the queue's events."""
    clients: Any = raw.client_list()
    return {each["id"] for each in clients if each["name"].startswith(prefix) and each["name"].endswith(":qe")}


def _reading() -> list["asyncio.Task[Any]"]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("results of ")]


async def test_a_failure_is_raised_with_its_reason(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(fail)
    job = await queue.add("x")
    for _ in range(2):
        with pytest.raises(JobFailed, match="job 1 failed: ValueError: too dear") as failed:
            await job.wait_for_result(25)
        assert (failed.value.job_id, failed.value.reason) == ("1", "ValueError: too dear")


async def test_no_end_in_time_is_an_error_and_the_job_goes_on(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", 1)
    with pytest.raises(ResultTimeout, match=r"job 1 did not end within 0.05 s"):
        await job.wait_for_result("50ms")
    with pytest.raises(TimeoutError):
        await job.wait_for_result(0)
    await yard.work(double)
    assert await job.wait_for_result(25) == 2


async def test_a_job_removed_while_awaited_is_an_error(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    waiting = asyncio.create_task(job.wait_for_result(25))
    await results_awaited(waiting)
    await job.remove()
    with pytest.raises(JobNotFound, match="job 1 does not exist"):
        await waiting
    with pytest.raises(JobNotFound):
        await job.wait_for_result(25)


async def test_a_result_is_had_though_its_record_is_removed_at_once(yard: Yard) -> None:
    queue = yard.queue(remove_on_complete=True)
    job = await queue.add("x", 4)
    waiting = asyncio.create_task(job.wait_for_result(25))
    await results_awaited(waiting)
    await yard.work(double)
    assert await waiting == 8
    assert await job.wait_for_result(25) == 8


async def test_a_cancelled_wait_leaves_the_others(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", 4)
    lost, kept = (asyncio.create_task(job.wait_for_result(25)) for _ in range(2))
    await results_awaited(lost, kept)
    lost.cancel()
    await yard.work(double)
    assert await kept == 8


async def test_an_end_that_the_trimmed_stream_lost_is_found(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    job = await queue.add("x", 4)
    waiting = asyncio.create_task(job.wait_for_result(25))
    await results_awaited(waiting)
    # The end is in the records but not in the stream.
    raw.lrem(f"{prefix}:q:wait", 1, job.id)
    raw.hset(f"{prefix}:q:{job.id}", "returnvalue", "8")
    raw.zadd(f"{prefix}:q:completed", {job.id: 1})
    assert await waiting == 8


async def test_the_result_of_a_job_that_is_removed_at_its_end_is_in_the_stream(yard: Yard) -> None:
    """The record is gone before anybody waits; every tenth job fails."""

    async def run(job: Job[Any]) -> Any:
        if job.data % 10 == 0:
            raise ValueError(f"no {job.data}")
        return job.data

    queue = yard.queue(remove_on_complete=True, remove_on_fail=True)
    jobs = await queue.add_many([("x", n) for n in range(300)])
    await yard.work(run, concurrency=50)
    await eventually(lambda: _are_gone(queue))
    found = await asyncio.gather(*(job.wait_for_result(25) for job in jobs), return_exceptions=True)
    for number, result in enumerate(found):
        if number % 10:
            assert result == number
        else:
            assert isinstance(result, JobFailed)
            assert f"no {number}" in result.reason
    await queue.trim_events(1)
    with pytest.raises(JobNotFound, match="event stream does not hold its end"):
        await jobs[1].wait_for_result(25)


async def _are_gone(queue: Queue) -> bool:
    return sum((await queue.counts()).values()) == 0


@pytest.mark.parametrize("removal", ["drain", "clean", "obliterate"])
async def test_who_waits_learns_of_a_removal_that_names_no_job(
    yard: Yard, removal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody looks by himself: only an event can tell.
    monkeypatch.setattr("stockyard.events.results._LOOK_AGAIN", 3600.0)
    queue = yard.queue()
    jobs = await queue.add_many([("x", 1), ("x", 2)])
    waiting = [asyncio.create_task(job.wait_for_result(60)) for job in jobs]
    results = yard.app.queue("q")._jobs._results._readers  # type: ignore[attr-defined]
    await eventually(lambda: len(results.get()._waiters) == 2 and results.get()._task is not None)
    removals = {
        "drain": queue.drain,
        "clean": lambda: queue.clean("waiting"),
        "obliterate": queue.obliterate,
    }
    await removals[removal]()  # type: ignore[operator]
    async with asyncio.timeout(60):
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [JobNotFound] * 2


async def test_closing_the_app_ends_those_who_wait(yard: Yard) -> None:
    job = await yard.queue().add("x", delay="1h")
    waiting = asyncio.create_task(job.wait_for_result())
    results = yard.app.queue("q")._jobs._results._readers  # type: ignore[attr-defined]
    await eventually(lambda: [each for each in results.get()._waiters.get(job.id, ()) if each._since])
    await yard.app.aclose()
    with pytest.raises(SharedWorkCancelled):
        await waiting


async def test_large_results_do_not_stay_in_the_stream(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    """Who waits gets each of them in full, and the stream keeps about what its limit says."""
    queue = yard.queue(remove_on_complete=True)
    await queue.set_event_limits(size=2_000_000)

    async def run(job: Job[Any]) -> str:
        return str(job.data) * 200_000

    await yard.work(run)
    for number in range(10, 40):
        job = await queue.add("x", number)
        assert await job.wait_for_result(25) == str(number) * 200_000
    assert (raw.memory_usage(f"{prefix}:q:events", samples=0) or 0) < 4_000_000


async def test_a_very_long_reason_is_cut(yard: Yard) -> None:
    async def run(job: Job[Any]) -> None:
        raise ValueError("x" * 1_000_000)

    queue = yard.queue()
    await yard.work(run)
    job = await queue.add("x")
    with pytest.raises(JobFailed, match=r"xx… \([\d,]+ more characters\)$") as failed:
        await job.wait_for_result(25)
    assert 20_000 <= len(failed.value.reason) < 20_100


async def test_a_job_that_was_just_added_is_not_asked_for(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read_state = reading.read_state

    async def counted(keyspace: Any, job_id: str) -> Any:
        asked.append(job_id)
        return await read_state(keyspace, job_id)

    monkeypatch.setattr(reading, "read_state", counted)
    queue = yard.queue()
    await yard.work(double)
    assert [await (await queue.add("x", number)).wait_for_result(25) for number in range(100)] == [
        2 * number for number in range(100)
    ]
    # The event that a job was added comes with the reply, on another connection: seldom a moment later.
    assert len(asked) < 50


async def test_an_id_that_is_given_again_stands_for_the_new_job(yard: Yard) -> None:
    queue = yard.queue(remove_on_complete=True)
    await yard.work(double)
    for number in range(5):
        job = await queue.add("x", number)
        assert job.id == "1"
        assert await job.wait_for_result(25) == 2 * number
        named = await queue.add("x", number, job_id="named")
        assert await named.wait_for_result(25) == 2 * number
        await queue.obliterate(force=True)
        again = await queue.add("x", -number)
        assert (again.id, await again.wait_for_result(25)) == ("1", -2 * number)
        await queue.obliterate(force=True)
