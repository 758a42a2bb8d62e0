"""What can be changed of one job, by its public methods."""

import asyncio
from typing import Any

import pytest

from stockyard import InvalidOption, Job, JobNotFound, JobState, JobStateError, PayloadError, UnrecoverableError
from stockyard._store.jobs import editing
from stockyard._store.net.server import Server
from stockyard.errors import JobLocked
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def test_the_next_attempt_is_given_the_new_payload(yard: Yard) -> None:
    queue = yard.queue()
    seen = []

    async def take(job: Job[Any]) -> None:
        seen.append(job.data)
        if len(seen) == 1:
            await job.update_data({"step": 2})
            assert job.data == {"step": 2}
            raise ValueError("again")

    await yard.work(take)
    job = await queue.add("x", {"step": 1}, attempts=2)
    await job.wait_for_result(25)
    assert seen == [{"step": 1}, {"step": 2}]


async def test_a_delay_may_be_shortened_and_lengthened(yard: Yard) -> None:
    queue = yard.queue()
    done: list[str] = []

    async def note(job: Job[Any]) -> None:
        done.append(job.id)

    later, sooner = await queue.add("x", delay="200ms"), await queue.add("x", delay="1h")
    await later.change_delay("1h")
    await yard.work(note, drain_delay=60.0)
    await sooner.change_delay("50ms")
    assert (later.delay_ms, sooner.delay_ms) == (3_600_000, 50)
    await sooner.wait_for_result(5)
    assert done == [sooner.id]
    with pytest.raises(JobStateError, match="is not delayed"):
        await sooner.change_delay("1h")


async def test_a_priority_may_be_changed_while_it_waits(yard: Yard) -> None:
    queue = yard.queue()
    order: list[int] = []

    async def note(job: Job[int]) -> None:
        order.append(job.data)

    await queue.pause()
    jobs = [await queue.add("x", number) for number in range(4)]
    await jobs[0].change_priority(5)
    await jobs[1].change_priority(5, lifo=True)
    await jobs[2].change_priority(0)
    assert [job.priority for job in jobs] == [5, 5, 0, 0]
    assert await jobs[0].state() is JobState.PRIORITIZED
    await yard.work(note, concurrency=1)
    await queue.resume()
    await eventually(lambda: len(order) == 4)
    assert order == [3, 2, 1, 0]


async def test_a_delayed_job_keeps_its_new_priority_for_later(yard: Yard) -> None:
    job = await yard.queue().add("x", delay="1h")
    await job.change_priority(2)
    await job.promote()
    assert await job.state() is JobState.PRIORITIZED


async def test_attempts_may_begin_again(yard: Yard) -> None:
    queue = yard.queue()

    async def refuse(job: Job[Any]) -> None:
        raise ValueError("no")

    await yard.work(refuse)
    job = await queue.add("x", attempts=2)
    await eventually(lambda: _is(job, JobState.FAILED))
    await job.retry()
    await eventually(lambda: _has_made(job, 3))
    await job.retry(reset_attempts=True)
    await eventually(lambda: _has_made(job, 2))
    assert (await job.refresh()).attempts_started == 2


async def test_attempts_made_and_started_begin_again_one_by_one(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x", attempts=1)
    manual = yard.app.manual_worker("q")

    async def fail() -> tuple[int, int]:
        taken = await manual.take()
        assert taken is not None
        await taken.fail("no")
        read = await job.refresh()
        return read.attempts_made, read.attempts_started

    assert await fail() == (1, 1)
    await job.retry()
    assert await fail() == (2, 2)
    await job.retry(reset_attempts="made")
    assert await fail() == (1, 3)
    await job.retry(reset_attempts="started")
    assert await fail() == (2, 1)


async def test_logs_may_be_cleared(yard: Yard) -> None:
    job = await yard.queue().add("x")
    for line in ("a", "b", "c"):
        await job.log(line)
    await job.clear_logs(keep=2)
    assert await job.logs() == ["b", "c"]
    await job.clear_logs()
    assert await job.logs() == []


async def test_a_long_log_is_read_in_parts(
    yard: Yard, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "_LINES", 3)
    job = await yard.queue().add("x")
    asked: list[tuple[int, int]] = []
    call = Server.call

    async def counted(server: Server, *command: Any, **more: Any) -> Any:
        if command[0] == "LRANGE":
            asked.append(command[2:])
        return await call(server, *command, **more)

    monkeypatch.setattr(Server, "call", counted)
    for length in (0, 1, 3, 7):
        await job.clear_logs()
        lines = [f"{number}" for number in range(length)]
        if lines:
            raw.rpush(f"{prefix}:q:{job.id}:logs", *lines)
        for start in range(-9, 9):
            for end in range(-9, 9):
                expected = raw.lrange(f"{prefix}:q:{job.id}:logs", start, end)
                assert await job.logs(start, end) == expected
    assert all(0 <= first <= last < first + 3 for first, last in asked)


def tie(raw: Any, prefix: str, parent: str, *children: str) -> None:
    """Let a job wait for others; names are ``queue:id``."""
    queue, parent_id = parent.split(":")
    raw.lrem(f"{prefix}:{queue}:wait", 0, parent_id)
    raw.zadd(f"{prefix}:{queue}:waiting-children", {parent_id: 1})
    for child in children:
        raw.sadd(f"{prefix}:{parent}:dependencies", f"{prefix}:{child}")
        keyspace = f'{{"id":"{parent_id}","queueKey":"{prefix}:{queue}"}}'
        raw.hset(f"{prefix}:{child}", mapping={"parentKey": f"{prefix}:{parent}", "parent": keyspace})


async def test_a_job_goes_with_all_below_it_or_not_at_all(yard: Yard, raw: Any, prefix: str) -> None:
    queue, other = yard.queue(), yard.queue("k")
    top = await queue.add("x", job_id="top")
    await other.add("x", job_id="mid")
    low = await queue.add("x", job_id="low")
    tie(raw, prefix, "q:top", "k:mid")
    tie(raw, prefix, "k:mid", "q:low")
    opened = asyncio.Event()

    async def hold(job: Job[Any]) -> None:
        await opened.wait()
        raise UnrecoverableError("no")

    await yard.work(hold)
    await eventually(lambda: _is(low, JobState.ACTIVE))
    with pytest.raises(JobLocked, match="job top of queue 'q' is being run, or one below it"):
        await top.remove()
    assert await top.state() is JobState.WAITING_CHILDREN
    opened.set()
    await eventually(lambda: _is(low, JobState.FAILED))
    await top.remove()
    assert [key for key in raw.keys(f"{prefix}:*") if key.endswith((":top", ":mid", ":low"))] == []


async def test_a_job_may_go_alone(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    top, low = await queue.add("x", job_id="top"), await queue.add("x", job_id="low")
    tie(raw, prefix, "q:top", "q:low")
    await top.remove(children=False)
    assert await low.state() is JobState.WAITING
    assert await queue.get_job("top") is None


async def test_what_a_job_waits_for_may_go(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    top = await queue.add("x", job_id="top")
    for job_id in ("a", "b"):
        await queue.add("x", job_id=job_id)
    tie(raw, prefix, "q:top", "q:a", "q:b")
    assert await top.remove_unprocessed_children() == 2
    assert await top.state() is JobState.WAITING
    assert await top.remove_unprocessed_children() == 0


async def test_what_is_gone_cannot_be_changed(yard: Yard) -> None:
    job = await yard.queue().add("x")
    await job.remove()
    for call in (
        job.update_data(1),
        job.change_delay(1),
        job.change_priority(1),
        job.retry(reset_attempts=True),
        job.remove_unprocessed_children(),
    ):
        with pytest.raises(JobNotFound, match="job 1 of queue 'q' does not exist"):
            await call


async def test_wrong_values_are_refused(yard: Yard) -> None:
    job = await yard.queue().add("x", {"a": 1}, delay="1h", priority=2)
    for value in (-1, 2_097_152, 1.5, True):
        with pytest.raises(InvalidOption, match="priority must be a whole number from 0 to"):
            await job.change_priority(value)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="delay must be a duration"):
        await job.change_delay("soon")
    with pytest.raises(InvalidOption, match="keep must be a whole number, 0 or more"):
        await job.clear_logs(-1)
    with pytest.raises(PayloadError, match="the payload of job 1"):
        await job.update_data(object())
    found = await job.refresh()
    assert (found.data, found.delay_ms, found.priority) == ({"a": 1}, 3_600_000, 2)


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() is state


async def _has_made(job: Job[Any], attempts: int) -> bool:
    found = await job.refresh()
    return found.attempts_made == attempts and await found.state() is JobState.FAILED
