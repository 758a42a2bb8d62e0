"""What follows a failed attempt: another one, when, or none; and how long finished jobs are kept."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import Backoff, Hooks, Job, JobFailed, JobState, Keep, UnrecoverableError
from stockyard.model.clock import SteppedClock
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def fail(job: Job[Any]) -> None:
    raise ValueError(f"attempt {job.attempt}")


class Waits:
    """The waits that a worker announced."""

    def __init__(self) -> None:
        self.delays: list[int] = []
        self.hooks = Hooks(retried=lambda job, error, delay: self.delays.append(delay))


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (None, [0, 0, 0]),
        (Backoff.fixed("20ms"), [20, 20, 20]),
        (Backoff.exponential("10ms"), [10, 20, 40]),
        (Backoff.custom("mine"), [11, 12, 13]),
    ],
)
async def test_a_failing_job_is_tried_again_after_its_backoff(
    yard: Yard, raw: "redis.Redis", prefix: str, backoff: Any, delays: list[int]
) -> None:
    queue = yard.queue()
    waits = Waits()
    strategies = {"mine": lambda made, *_: (10 + made) / 1000}
    await yard.work(fail, hooks=waits.hooks, backoff_strategies=strategies)
    job = await queue.add("x", attempts=4, backoff=backoff)

    with pytest.raises(JobFailed, match="attempt 4"):
        await job.wait_for_result(25)

    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started) == (4, 4)
    assert [trace.splitlines()[-1] for trace in done.stacktrace] == [
        f"ValueError: attempt {n}" for n in (1, 2, 3, 4)
    ]
    assert await job.state() is JobState.FAILED
    assert raw.llen(f"{prefix}:q:active") == 0
    events: Any = raw.xrange(f"{prefix}:q:events")
    names = [fields["event"] for _, fields in events]
    assert (names.count("failed"), names.count("retries-exhausted")) == (1, 1)
    await eventually(lambda: waits.delays == delays)


async def test_jitter_draws_each_wait_from_its_range(yard: Yard) -> None:
    queue = yard.queue()
    waits = Waits()
    await yard.work(fail, hooks=waits.hooks, concurrency=20)
    backoff = Backoff.fixed("40ms", jitter=0.5)
    jobs = await queue.add_many([("x", None, {"attempts": 2, "backoff": backoff})] * 30)
    for job in jobs:
        with pytest.raises(JobFailed):
            await job.wait_for_result(25)
    await eventually(lambda: len(waits.delays) == 30)
    assert all(20 <= delay <= 40 for delay in waits.delays)
    assert len(set(waits.delays)) > 3


async def test_a_strategy_may_give_up(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(fail, backoff_strategies={"mine": lambda made, *_: None if made == 2 else 0})
    job = await queue.add("x", attempts=10, backoff=Backoff.custom("mine"))
    with pytest.raises(JobFailed, match="attempt 2"):
        await job.wait_for_result(25)


async def test_a_strategy_that_nobody_knows_fails_the_job_and_says_so(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(fail)
    job = await queue.add("x", attempts=10, backoff=Backoff.custom("theirs"))
    with pytest.raises(JobFailed, match=r"attempt 1 \(no retry: this worker has no backoff strategy 'theirs'"):
        await job.wait_for_result(25)


@pytest.mark.parametrize("answer", ["nonsense", RuntimeError("broken strategy")])
async def test_a_broken_strategy_fails_the_job_and_the_worker_goes_on(yard: Yard, answer: Any) -> None:
    def strategy(made: int, kind: str, error: BaseException, job: Job[Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    queue = yard.queue()
    await yard.work(fail, backoff_strategies={"mine": strategy})
    for _ in range(2):
        job = await queue.add("x", attempts=10, backoff=Backoff.custom("mine"))
        with pytest.raises(JobFailed, match="attempt 1"):
            await job.wait_for_result(25)


@pytest.mark.parametrize("executor", ["async", "process"])
async def test_a_strategy_may_be_a_coroutine_that_gets_attempts_type_error_and_job(
    yard: Yard, executor: Any
) -> None:
    given: list[Any] = []

    async def strategy(made: int, kind: str, error: BaseException, job: Job[Any]) -> str | None:
        await asyncio.sleep(0)
        given.append((made, kind, str(error), job.id, job.data))
        return None if made == 3 else "10ms"

    queue = yard.queue()
    waits = Waits()
    await yard.work(fail, hooks=waits.hooks, executor=executor, backoff_strategies={"mine": strategy})
    job = await queue.add("x", {"n": 1}, attempts=10, backoff=Backoff.custom("mine"))
    with pytest.raises(JobFailed, match="attempt 3"):
        await job.wait_for_result(60)
    assert given == [(made, "mine", f"attempt {made}", job.id, {"n": 1}) for made in (1, 2, 3)]
    await eventually(lambda: waits.delays == [10, 10])


@pytest.mark.parametrize("answer", ["nonsense", RuntimeError("broken strategy")])
async def test_a_broken_coroutine_fails_the_job_and_the_worker_goes_on(yard: Yard, answer: Any) -> None:
    async def strategy(made: int, kind: str, error: BaseException, job: Job[Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    queue = yard.queue()
    await yard.work(fail, backoff_strategies={"mine": strategy})
    for _ in range(2):
        job = await queue.add("x", attempts=10, backoff=Backoff.custom("mine"))
        with pytest.raises(JobFailed, match=r"attempt 1 \(no retry: "):
            await job.wait_for_result(25)


async def test_an_unrecoverable_error_ends_the_job_at_its_first_attempt(yard: Yard) -> None:
    async def refuse(job: Job[Any]) -> None:
        raise UnrecoverableError("account closed")

    queue = yard.queue(attempts=5)
    await yard.work(refuse)
    job = await queue.add("x")
    with pytest.raises(JobFailed, match="account closed"):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 1


class Abort(BaseException):
    """Not an Exception, as some test tools raise."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such file: \udcff"), r"no such file: \\udcff"),
        (ValueError(), "ValueError"),
        (Unprintable(), "Unprintable"),
        (Abort("stop it"), "stop it"),
        (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit("odd"), "odd"),
        (StopIteration("odd"), "StopIteration"),
        (asyncio.CancelledError(), "the handler was cancelled"),
        (TimeoutError("its own"), "its own"),
        (ExceptionGroup("two", [ValueError("a"), ValueError("b")]), "two"),
    ],
)
@pytest.mark.parametrize("executor", ["async", "thread"])
async def test_whatever_a_handler_raises_the_worker_goes_on(
    yard: Yard, executor: Any, error: BaseException, said: str
) -> None:
    async def raise_async(job: Job[Any]) -> None:
        if job.data:
            raise error

    def raise_plain(job: Job[Any]) -> None:
        if job.data:
            raise error

    queue = yard.queue()
    await yard.work(raise_async if executor == "async" else raise_plain, concurrency=1)
    job = await queue.add("x", 1)
    with pytest.raises(JobFailed, match=said):
        await job.wait_for_result(5)
    assert await (await queue.add("x", 0)).wait_for_result(5) is None


async def nothing(job: Job[Any]) -> None: ...


@pytest.mark.parametrize(
    ("keep", "left"), [(True, 0), (3, 3), (Keep.within(count=2), 2), (False, 6), (Keep.within("1h"), 6)]
)
@pytest.mark.parametrize("state", ["completed", "failed"])
async def test_finished_jobs_are_kept_by_count(
    yard: Yard, raw: "redis.Redis", prefix: str, state: str, keep: Any, left: int
) -> None:
    option = "remove_on_complete" if state == "completed" else "remove_on_fail"
    queue = yard.queue(**{option: keep})
    jobs = [await queue.add("x") for _ in range(6)]
    await jobs[0].log("a line")
    await yard.work(nothing if state == "completed" else fail, concurrency=1)
    await eventually(lambda: not raw.exists(f"{prefix}:q:wait", f"{prefix}:q:active"))

    kept: Any = raw.zrange(f"{prefix}:q:{state}", 0, -1)
    assert sorted(kept) == [job.id for job in jobs][6 - left :]
    assert len(raw.keys(f"{prefix}:q:[0-9]")) == left
    assert raw.exists(f"{prefix}:q:1:logs") == (left == 6)


async def test_finished_jobs_are_kept_by_age(redis_url: str, prefix: str, raw: "redis.Redis") -> None:
    clock = SteppedClock()
    async with Yard(redis_url, prefix, clock=clock) as yard:
        queue = yard.queue(remove_on_complete=Keep.within("1m"))
        await yard.work(nothing)
        old = await queue.add("old")
        await old.wait_for_result(25)
        clock.step(61_000)
        new = await queue.add("new")
        await new.wait_for_result(25)
        assert await queue.get_job(old.id) is None
        assert await queue.get_job(new.id) is not None
