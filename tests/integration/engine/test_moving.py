"""Runs that end without an end of their job: later, next in line again, after its children, after a limit."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import (
    Delay,
    Hooks,
    InvalidOption,
    Job,
    JobFailed,
    JobState,
    RateLimited,
    Requeue,
    WaitForChildren,
)
from stockyard.errors import RunSignal
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def move_once(job: Job[dict[str, Any]]) -> str:
    if job.data["step"] == 0:
        await job.update_data({**job.data, "step": 1})
        await getattr(job, job.data["how"])(*job.data["with"])
    return f"step {job.data['step']}, start {job.attempts_started}"


def move_once_plain(job: Job[dict[str, Any]]) -> str:
    if job.data["step"] == 0:
        job.sync.update_data({**job.data, "step": 1})
        getattr(job.sync, job.data["how"])(*job.data["with"])
    return f"step {job.data['step']}, start {job.attempts_started}"


async def gather(job: Job[Any]) -> Any:
    await job.wait_for_children()
    return list((await job.children_values()).values())


def gather_plain(job: Job[Any]) -> Any:
    job.sync.wait_for_children()
    return list(job.sync.children_values().values())


async def echo(job: Job[Any]) -> Any:
    return job.data


async def fail(job: Job[Any]) -> None:
    raise ValueError("no")


def told(raw: Any, prefix: str, job_id: str) -> list[str]:
    """Names of the job's events."""
    return [fields["event"] for _, fields in raw.xrange(f"{prefix}:q:events") if fields.get("jobId") == job_id]


@pytest.mark.parametrize(("executor", "handler"), [("async", move_once), ("thread", move_once_plain)])
@pytest.mark.parametrize("child", [False, True])
@pytest.mark.parametrize(
    ("how", "arguments", "through"),
    [
        ("move_to_delayed", ["30ms"], ["delayed", "waiting"]),
        ("move_to_delayed", [0], ["delayed", "waiting"]),
        ("move_to_wait", [], ["waiting"]),
        ("rate_limit", ["30ms"], ["waiting"]),
        ("wait_for_children", [], None),
    ],
)
async def test_a_handler_goes_on_from_what_it_kept(
    yard: Yard,
    raw: "redis.Redis",
    prefix: str,
    executor: Any,
    handler: Any,
    child: bool,
    how: str,
    arguments: list[Any],
    through: list[str] | None,
) -> None:
    queue = yard.queue()
    ends: list[Any] = []
    hooks = Hooks(
        completed=lambda job, result: ends.append("completed"),
        failed=lambda job, error: ends.append(error),
        retried=lambda job, error, delay: ends.append(error),
    )
    await yard.work(handler, executor="process" if child else executor, hooks=hooks)
    job = await queue.add("x", {"step": 0, "how": how, "with": arguments}, priority=5 if child else 0)
    result = await job.wait_for_result(25)
    starts = 1 if through is None else 2
    assert result == f"step 1, start {starts}"
    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started, done.failed_reason) == (1, starts, None)
    between = [] if through is None else [*through, "active"]
    assert told(raw, prefix, job.id) == ["added", "waiting", "active", *between, "completed"]
    await eventually(lambda: ends == ["completed"])


@pytest.mark.parametrize(
    ("executor", "handler"), [("async", gather), ("thread", gather_plain), ("process", gather_plain)]
)
async def test_a_parent_waits_for_children_that_came_after_it(
    yard: Yard, raw: "redis.Redis", prefix: str, executor: Any, handler: Any
) -> None:
    queue, kids = yard.queue(), yard.queue("kids")
    parent = await queue.add("parent")
    children = await kids.add_many([("kid", n, {"parent": parent}) for n in (1, 2)])
    await yard.work(handler, executor=executor)
    await eventually(lambda: raw.zscore(f"{prefix}:q:waiting-children", parent.id), within=25)
    assert await parent.state() is JobState.WAITING_CHILDREN
    await yard.work(echo, "kids")
    assert sorted(await parent.wait_for_result(25)) == [1, 2]
    assert [await each.wait_for_result(25) for each in children] == [1, 2]
    done = await parent.refresh()
    assert (done.attempts_made, done.attempts_started) == (1, 2)


async def test_a_parent_whose_children_end_in_the_last_moment_is_not_left_waiting(yard: Yard) -> None:
    """The children end after the parent looked, and before its run is written."""
    queue, kids = yard.queue(), yard.queue("kids")

    async def race(job: Job[Any]) -> int:
        if job.attempts_started == 1:
            await child.wait_for_result(25)
            raise WaitForChildren
        return job.attempts_started

    parent = await queue.add("parent")
    child = await kids.add("kid", 1, parent=parent)
    await yard.work(race)
    await yard.work(echo, "kids")
    assert await parent.wait_for_result(25) == 2


@pytest.mark.parametrize("handler", [gather, echo])
async def test_a_child_that_fails_its_parent_lets_it_neither_wait_nor_complete(yard: Yard, handler: Any) -> None:
    queue, kids = yard.queue(attempts=3), yard.queue("kids")
    has_failed = asyncio.Event()

    async def parent_of_the_failed(job: Job[Any]) -> Any:
        await has_failed.wait()
        return await handler(job)

    await yard.work(parent_of_the_failed)
    parent = await queue.add("parent")
    await eventually(lambda: _is_active(parent))
    child = await kids.add("kid", parent=parent, on_failure="fail_parent")
    await yard.work(fail, "kids")
    with pytest.raises(JobFailed, match="no"):
        await child.wait_for_result(25)
    has_failed.set()
    step = "moveToWaitingChildren" if handler is gather else "moveToFinished"
    with pytest.raises(
        JobFailed, match=f"Cannot complete job .* because it has at least one failed child. {step}"
    ):
        await parent.wait_for_result(25)
    done = await parent.refresh()
    assert (done.attempts_made, len(done.stacktrace)) == (1, 1)


async def test_a_parent_that_returns_before_its_children_is_tried_again(yard: Yard) -> None:
    queue = yard.queue(attempts=2)
    kids = yard.queue("kids")
    failed: list[tuple[int, str]] = []
    hooks = Hooks(
        retried=lambda job, error, delay: failed.append((job.attempt, str(error))),
        failed=lambda job, error: failed.append((job.attempt, str(error))),
    )
    parent = await queue.add("parent")
    await kids.add("kid", parent=parent)
    await yard.work(echo, hooks=hooks)
    said = f"Job {parent.id} has pending dependencies. moveToFinished"
    with pytest.raises(JobFailed, match=said):
        await parent.wait_for_result(25)
    await eventually(lambda: failed == [(1, said), (2, said)])
    assert (await parent.refresh()).attempts_made == 2


async def _is_active(job: Job[Any]) -> bool:
    return await job.state() is JobState.ACTIVE


@pytest.mark.parametrize("signal", [Delay("20ms"), Requeue(), RateLimited("20ms"), RunSignal()])
async def test_a_middleware_moves_jobs_and_sees_them_moved(yard: Yard, signal: RunSignal) -> None:
    queue = yard.queue()
    seen: list[str] = []

    async def watch(job: Job[Any], call_next: Any) -> Any:
        try:
            return await call_next(job)
        except RunSignal as moved:
            seen.append(type(moved).__name__)
            raise

    async def gate(job: Job[Any], call_next: Any) -> Any:
        if job.attempts_started == 1:
            raise signal
        return await call_next(job)

    await yard.work(echo, middleware=[watch, gate])
    assert await (await queue.add("x", 7)).wait_for_result(25) == 7
    assert seen == [type(signal).__name__]


@pytest.mark.parametrize("move", ["move_to_delayed", "rate_limit"])
async def test_a_wrong_duration_fails_the_run(yard: Yard, move: str) -> None:
    queue = yard.queue()
    await yard.work(move_once)
    job = await queue.add("x", {"step": 0, "how": move, "with": ["soon"]})
    with pytest.raises(JobFailed, match=r"(delay|duration) must be a duration.*'soon'"):
        await job.wait_for_result(25)
    with pytest.raises(InvalidOption):
        await getattr(job, move)("soon")


async def test_a_job_that_started_too_often_is_failed(yard: Yard) -> None:
    queue = yard.queue(attempts=9)
    runs: list[int] = []

    async def step_aside(job: Job[Any]) -> None:
        runs.append(job.attempts_started)
        await job.move_to_wait()

    await yard.work(step_aside, max_started_attempts=3)
    job = await queue.add("x")
    with pytest.raises(JobFailed, match="job started more than allowable limit"):
        await job.wait_for_result(25)
    assert runs == [1, 2, 3]
    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started) == (1, 4)


async def test_a_job_is_not_tried_again_after_its_last_start(yard: Yard) -> None:
    queue = yard.queue(attempts=9)
    await yard.work(fail, max_started_attempts=2)
    job = await queue.add("x")
    with pytest.raises(JobFailed, match="no"):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 2


async def test_only_the_newest_traces_are_kept(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(fail)
    job = await queue.add("x", attempts=3, stack_trace_limit=1)
    with pytest.raises(JobFailed, match="no"):
        await job.wait_for_result(25)
    assert len((await job.refresh()).stacktrace) == 1
