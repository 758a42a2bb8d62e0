"""What operators do to a queue as a whole, by the public methods and with workers of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stockyard import InvalidOption, Job, JobNotFound, JobState, Queue, Rate, UnrecoverableError
from stockyard.errors import JobLocked, QueueStateError
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def nothing(job: Job[Any]) -> None:
    pass


async def fail(job: Job[Any]) -> None:
    raise UnrecoverableError("no")


class Gate:
    """A handler that waits to be let through, and counts how many wait with it."""

    def __init__(self) -> None:
        self.inside = 0
        self.opened = asyncio.Event()

    async def __call__(self, job: Job[Any]) -> None:
        self.inside += 1
        await self.opened.wait()


async def has(queue: Queue, **counts: int) -> bool:
    found = await queue.counts()
    return all(found[JobState(name.replace("_", "-"))] == number for name, number in counts.items())


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(yard: Yard) -> None:
    queue = yard.queue()
    gate = Gate()
    await yard.work(gate, drain_delay=60.0)
    running = await queue.add("x")
    await eventually(lambda: gate.inside == 1)
    await queue.pause()
    waiting = await queue.add("x")
    gate.opened.set()
    await running.wait_for_result(25)
    assert await waiting.state() is JobState.WAITING
    await queue.resume()
    await waiting.wait_for_result(5)


async def test_a_worker_that_sleeps_on_a_paused_queue_wakes_when_it_is_resumed(yard: Yard) -> None:
    queue = yard.queue()
    await queue.pause()
    await yard.work(nothing, drain_delay=60.0)
    job = await queue.add("x", priority=3)
    await queue.resume()
    await job.wait_for_result(5)


async def test_concurrency_bounds_all_workers_and_more_of_it_wakes_them(yard: Yard) -> None:
    queue = yard.queue()
    await queue.set_concurrency(2)
    gate = Gate()
    for _ in range(2):
        await yard.work(gate, concurrency=5, drain_delay=60.0)
    await queue.add_many([("x",)] * 6)
    await eventually(lambda: gate.inside == 2)
    assert await has(queue, active=2, waiting=4)
    await queue.set_concurrency(3)
    await eventually(lambda: gate.inside == 3, within=5)
    await queue.set_concurrency(None)
    await eventually(lambda: gate.inside == 6, within=5)
    gate.opened.set()


async def test_a_rate_of_the_queue_bounds_all_workers(yard: Yard) -> None:
    queue = yard.queue()
    await queue.set_rate("2/h")
    await yard.work(nothing, concurrency=5)
    await queue.add_many([("x",)] * 3)
    await eventually(lambda: has(queue, completed=2, waiting=1))
    await queue.set_rate(None)
    await queue.clear_rate_limit()
    await yard.work(nothing)
    await eventually(lambda: has(queue, completed=3))


async def test_a_limit_by_hand_holds_a_queue_without_a_rate(yard: Yard) -> None:
    queue = yard.queue()
    await queue.rate_limit("300ms")
    added = await queue.add("x")
    await yard.work(nothing)
    await added.wait_for_result(25)
    assert ((await added.refresh()).processed_on or 0) >= added.timestamp + 250


async def fill(yard: Yard, queue: Queue) -> None:
    """One job in each state but waiting-children; two have ended."""
    worker = await yard.work(nothing)
    await (await queue.add("x")).wait_for_result(25)
    await worker.stop()
    worker = await yard.work(fail)
    await queue.add("x")
    await eventually(lambda: has(queue, failed=1))
    await worker.stop()
    await queue.add("x")
    await queue.add("x", priority=1)
    await queue.add("x", delay="1h")


async def test_draining_leaves_what_does_not_wait(yard: Yard) -> None:
    queue = yard.queue()
    await fill(yard, queue)
    assert await queue.drain() == 2
    assert await has(queue, waiting=0, prioritized=0, delayed=1, completed=1, failed=1)
    assert await queue.drain(delayed=True) == 1
    assert await has(queue, delayed=0, completed=1, failed=1)


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed"])
async def test_cleaning_takes_one_state(yard: Yard, state: str) -> None:
    queue = yard.queue()
    await fill(yard, queue)
    assert await queue.clean(state, older_than="1h") == []
    (removed,) = await queue.clean(JobState(state))
    assert await queue.get_job(removed) is None
    assert await has(queue, **{state: 0})
    assert sum((await queue.counts()).values()) == 4


async def test_thousands_are_cleaned_in_parts(yard: Yard) -> None:
    queue = yard.queue()
    await queue.add_many([("x",)] * 2100)
    assert await queue.clean("waiting", limit=1500) == [str(number) for number in range(1, 1501)]
    assert await queue.drain() == 600


async def test_all_that_failed_runs_again(yard: Yard) -> None:
    queue = yard.queue()
    order = []
    works = False

    async def sometimes(job: Job[Any]) -> None:
        if not works:
            raise UnrecoverableError("not yet")
        order.append(job.data)

    await yard.work(sometimes, concurrency=1)
    for number, priority in enumerate((3, 0, 1, 2)):
        await queue.add("x", number, priority=priority)
    await eventually(lambda: has(queue, failed=4))
    works = True
    assert await queue.retry_all(before=datetime.now(UTC) - timedelta(hours=1)) == 0
    await queue.pause()
    assert await queue.retry_all(limit=3) == 3
    assert await queue.retry_all() == 1
    assert await queue.retry_all("completed") == 0
    await queue.resume()
    await eventually(lambda: has(queue, completed=4))
    assert order == [1, 2, 3, 0]


async def test_all_that_is_delayed_runs_now(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(nothing, drain_delay=60.0)
    await queue.add_many([("x", None, {"delay": "1h"})] * 3)
    assert await queue.promote_all() == 3
    await eventually(lambda: has(queue, completed=3), within=5)
    assert await queue.promote_all() == 0


async def test_an_obliterated_queue_is_as_if_it_had_never_been(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    await fill(yard, queue)
    await queue.set_rate(Rate(5, 1000))
    await queue.obliterate()
    assert raw.keys(f"{prefix}:*") == []
    assert (await queue.add("x")).id == "1"
    await yard.work(nothing)
    await eventually(lambda: has(queue, completed=1))


async def test_running_jobs_are_obliterated_by_force_alone(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    gate = Gate()
    await yard.work(gate, stalled_interval=3600)
    await queue.add("x")
    await eventually(lambda: gate.inside == 1)
    with pytest.raises(QueueStateError, match="'q' has running jobs") as caught:
        await queue.obliterate()
    assert caught.value.queue == "q"
    assert not raw.hexists(f"{prefix}:q:meta", "paused")
    await queue.obliterate(force=True)
    assert raw.keys(f"{prefix}:q:[0-9]*") == []
    gate.opened.set()
    other = await queue.add("x")
    await other.wait_for_result(25)


async def test_a_job_is_removed_by_its_id(yard: Yard) -> None:
    queue = yard.queue()
    gate = Gate()
    await yard.work(gate, concurrency=1)
    running, waiting = await queue.add("x"), await queue.add("x")
    await eventually(lambda: gate.inside == 1)
    await queue.remove(waiting.id)
    with pytest.raises(JobNotFound):
        await queue.remove(waiting.id)
    with pytest.raises(JobLocked, match="job 1 of queue 'q' is being run, or one below it"):
        await queue.remove(running.id)
    gate.opened.set()


async def test_an_event_of_ones_own_is_in_the_stream(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    entry = await queue.publish_event("opened", {"by": "Zoë", "number": 5, "rate": 0.5, "note": ""})
    expected = {"event": "opened", "by": "Zoë", "number": "5", "rate": "0.5", "note": ""}
    assert raw.xrange(f"{prefix}:q:events") == [(entry, expected)]
    assert await queue.publish_event("closed") > entry


async def test_events_are_trimmed(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    await queue.add_many([("x",)] * 500)
    gone = await queue.trim_events(100)
    assert gone >= 800
    assert raw.xlen(f"{prefix}:q:events") == 1000 - gone


async def test_a_deduplication_id_is_freed(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    raw.set(f"{prefix}:q:de:D", "1")
    assert [await queue.release_deduplication("D") for _ in range(2)] == [True, False]
    assert raw.keys(f"{prefix}:*") == []


async def test_a_deduplication_id_is_freed_by_its_owner_alone(yard: Yard) -> None:
    queue = yard.queue()
    first = await queue.add("x", deduplication="D")
    assert not await queue.release_deduplication("D", owner="another")
    assert not (await queue.add("x", deduplication="D")).was_added
    assert await queue.release_deduplication("D", owner=first.id)
    assert (await queue.add("x", deduplication="D")).was_added
    assert not await queue.release_deduplication("D", owner=first.id)


async def test_what_sets_a_limit_says_whether_it_has_changed(yard: Yard) -> None:
    queue = yard.queue()
    changes: list[Callable[[], Awaitable[bool]]] = [
        lambda: queue.set_rate("5/1m"),
        lambda: queue.set_concurrency(3),
        lambda: queue.set_event_limits(entries=500, size=2**20),
        lambda: queue.set_rate(None),
        lambda: queue.set_concurrency(None),
    ]
    for change in changes:
        assert [await change(), await change()] == [True, False]
    assert not await queue.clear_rate_limit()
    await queue.rate_limit("1m")
    assert [await queue.clear_rate_limit(), await queue.clear_rate_limit()] == [True, False]


def test_operators_may_block(yard: Yard) -> None:
    queue = yard.queue().sync
    queue.pause()
    job = queue.add("x")
    job.sync.change_priority(4)
    assert queue.clean("prioritized") == [job.id]
    queue.resume()
    queue.obliterate()
    yard.app.close()


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "concurrency": (
        lambda queue: queue.set_concurrency(0),
        "limit must be a whole number, 1 or more; got 0: None takes",
    ),
    "flag": (lambda queue: queue.set_concurrency(True), "limit must be a whole number"),
    "rate": (lambda queue: queue.set_rate("fast"), "rate must be jobs per time"),
    "no duration": (lambda queue: queue.rate_limit("soon"), "duration must be a duration"),
    "no time": (lambda queue: queue.rate_limit(0), "duration must be 1 ms or longer"),
    "clean unknown": (lambda queue: queue.clean("unknown"), "state must be one of 'waiting', 'prioritized'"),
    "clean age": (lambda queue: queue.clean("failed", older_than=-1), "older_than must not be negative"),
    "clean limit": (lambda queue: queue.clean("failed", limit=-1), "limit must be a whole number, 0 or more"),
    "retry state": (lambda queue: queue.retry_all("active"), "state must be one of 'failed', 'completed'"),
    "retry limit": (
        lambda queue: queue.retry_all(limit=1.5),
        "limit must be a whole number, 0 or more; got 1.5: None is",
    ),
    "retry time": (
        lambda queue: queue.retry_all(before=datetime.now()),
        "before must be a datetime with a time zone",
    ),
    "trim": (lambda queue: queue.trim_events(-1), "length must be a whole number, 0 or more"),
    "own event": (lambda queue: queue.publish_event("completed"), "none of the queue's own; got 'completed'"),
    "error": (lambda queue: queue.publish_event("error"), "none of the queue's own"),
    "colon": (lambda queue: queue.publish_event("completed:5"), "text without a colon"),
    "no name": (lambda queue: queue.publish_event(""), "text without a colon"),
    "field": (lambda queue: queue.publish_event("x", {"event": "completed"}), "other than 'event'"),
    "no field": (lambda queue: queue.publish_event("x", {"": "completed"}), "a field's name must be text"),
    "value": (
        lambda queue: queue.publish_event("x", {"a": None}),
        "field 'a' of an event must be text or a finite",
    ),
    "nan": (lambda queue: queue.publish_event("x", {"a": float("nan")}), "finite number"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_wrong_orders_change_nothing(yard: Yard, raw: Any, prefix: str, what: str) -> None:
    order, message = WRONG[what]
    with pytest.raises(InvalidOption, match=message):
        await order(yard.queue())
    assert raw.keys(f"{prefix}:*") == []


async def test_nothing_to_retry_is_no_error(yard: Yard) -> None:
    assert await yard.queue().retry_all() == 0
