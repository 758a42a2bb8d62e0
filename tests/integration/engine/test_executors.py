"""Handlers in the loop, in threads and in child processes, as a worker runs them."""

import asyncio
import os
import threading
import time
from typing import Any

import pytest
import redis

from stockyard import (
    ConfigError,
    HandlerError,
    Hooks,
    InvalidOption,
    Job,
    JobFailed,
    Queue,
    Router,
    ServerUnavailable,
    UnknownQueue,
    UnrecoverableError,
)
from tests.support.waiting import eventually
from tests.support.yard import Yard


async def where_async(job: Job[Any]) -> list[int]:
    await job.update_progress(50)
    await job.log("from the loop")
    return [os.getpid(), threading.get_ident()]


def where_plain(job: Job[Any]) -> list[int]:
    job.sync.update_progress(50)
    job.sync.log("from elsewhere")
    return [os.getpid(), threading.get_ident()]


async def sleep_async(job: Job[float]) -> None:
    await asyncio.sleep(job.data)


def sleep_plain(job: Job[float]) -> None:
    time.sleep(job.data)


def refuse(job: Job[Any]) -> None:
    raise UnrecoverableError("never")


def fail(job: Job[Any]) -> None:
    raise ValueError(f"attempt {job.attempt}")


EXECUTORS = [("async", where_async), ("thread", where_plain), ("process", where_plain)]


@pytest.mark.parametrize(("executor", "handler"), EXECUTORS)
async def test_a_handler_runs_where_it_is_told(yard: Yard, executor: Any, handler: Any) -> None:
    queue = yard.queue()
    await yard.work(handler, executor=executor, concurrency=2)
    job = await queue.add("x")
    pid, thread = await job.wait_for_result(25)
    assert (pid == os.getpid()) == (executor != "process")
    if executor != "process":
        assert (thread == threading.get_ident()) == (executor == "async")
    done = await job.refresh()
    assert done.progress == 50
    assert len(await done.logs()) == 1


@pytest.mark.parametrize(
    ("executor", "handler"), [("async", sleep_async), ("thread", sleep_plain), ("process", sleep_plain)]
)
async def test_a_run_that_takes_too_long_fails_its_attempt(yard: Yard, executor: Any, handler: Any) -> None:
    queue = yard.queue(attempts=2)
    await yard.work(handler, executor=executor, concurrency=4)
    job = await queue.add("x", 3, timeout="100ms")
    with pytest.raises(JobFailed, match=r"(?i)time(d )?out"):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 2
    assert await (await queue.add("x", 0, timeout="10s")).wait_for_result(25) is None


@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_errors_come_out_of_threads_and_processes(yard: Yard, executor: Any) -> None:
    queue = yard.queue(attempts=3)
    router = Router()
    router.add("fail", fail, executor=executor)
    router.add("refuse", refuse, executor=executor)
    await yard.work(router, concurrency=2)
    failing, refusing = await queue.add("fail"), await queue.add("refuse")
    with pytest.raises(JobFailed, match="attempt 3"):
        await failing.wait_for_result(25)
    with pytest.raises(JobFailed, match="never"):
        await refusing.wait_for_result(25)
    assert (await refusing.refresh()).attempts_made == 1
    assert "ValueError: attempt 3" in (await failing.refresh()).stacktrace[-1]


async def test_threads_run_as_many_at_once_as_the_worker_takes(yard: Yard) -> None:
    """Each waits for all the others, twice over, so that idle threads and new ones are both counted right."""
    queue = yard.queue()
    barrier = threading.Barrier(8, timeout=60)

    def meet(job: Job[Any]) -> None:
        if job.data:
            barrier.wait()

    await yard.work(meet, concurrency=8)
    for number in (3, 5):
        for job in await queue.add_many([("warm", False)] * number):
            await job.wait_for_result(25)
        for job in await queue.add_many([("x", True)] * 8):
            await job.wait_for_result(25)


@pytest.mark.parametrize(
    ("handler", "executor", "said"),
    [
        (None, None, "nothing to run"),
        ("text", None, "must be a function of one job; got 'text'"),
        (lambda: None, None, "must take one argument"),
        (lambda job, other: None, None, "must take one argument"),
        (lambda job: None, "process", "that a child process can import"),
        (where_plain, "async", "is a plain def"),
        (where_async, "thread", "is an async def"),
    ],
)
async def test_what_cannot_serve_is_refused_at_once(yard: Yard, handler: Any, executor: Any, said: str) -> None:
    yard.queue()
    with pytest.raises(HandlerError, match=said):
        yard.app.worker("q", handler, executor=executor)


async def test_an_unknown_executor_is_refused(yard: Yard) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match="executor must be one of 'async', 'thread', 'process'; got 'fiber'"):
        yard.app.worker("q", where_plain, executor="fiber")  # type: ignore[arg-type]


async def test_unknown_queues_and_worker_options_are_named(yard: Yard) -> None:
    yard.queue("portfolio:high_priority")
    with pytest.raises(UnknownQueue, match=r"unknown queue 'portfolio:high'.*Known: portfolio:high_priority"):
        yard.app.queue("portfolio:high")
    with pytest.raises(UnknownQueue):
        yard.app.worker("nope", where_async)
    with pytest.raises(UnknownQueue):
        await yard.app.health("nope")
    with pytest.raises(InvalidOption, match="unknown worker option 'concurency'; did you mean 'concurrency'"):
        yard.app.worker("portfolio:high_priority", where_async, concurency=2)  # type: ignore[call-arg]
    for name in ("two words", "wörker", "a\nb"):
        with pytest.raises(InvalidOption, match="a worker's name must be ASCII text without spaces"):
            yard.app.worker("portfolio:high_priority", where_async, name=name)


async def test_a_worker_has_the_name_of_its_process(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.queue()
    monkeypatch.setattr("socket.gethostname", lambda: "Jürgen's Mac")
    assert yard.app.worker("q", where_async).options.name == f"J_rgen's_Mac-{os.getpid()}"


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "4"])
async def test_a_worker_s_concurrency_is_a_whole_number(yard: Yard, concurrency: Any) -> None:
    yard.queue()
    with pytest.raises(InvalidOption, match="concurrency must be a whole number"):
        yard.app.worker("q", where_async, concurrency=concurrency)


async def test_an_unknown_job_name_fails_the_job_and_names_the_known(yard: Yard) -> None:
    queue = yard.queue(attempts=3)
    router = Router()
    router.add("known", where_async)
    await yard.work(router)
    job = await queue.add("unknown")
    with pytest.raises(JobFailed, match=r"no handler for job name 'unknown'.*it serves known"):
        await job.wait_for_result(25)
    assert (await job.refresh()).attempts_made == 1


async def test_handlers_of_the_declaration_serve_without_a_processor(yard: Yard) -> None:
    spec = yard.topology.queue("q")

    @spec.handler("greet")
    async def greet(job: Job[str]) -> str:
        return f"hello {job.data}"

    queue = yard.queue()
    await yard.work()
    assert await (await queue.add("greet", "you")).wait_for_result(25) == "hello you"


async def test_middleware_runs_around_every_job_the_first_outermost(yard: Yard) -> None:
    seen: list[str] = []

    def layer(name: str) -> Any:
        async def around(job: Job[Any], call_next: Any) -> Any:
            seen.append(f"{name} in")
            try:
                return f"{name}({await call_next(job)})"
            finally:
                seen.append(f"{name} out")

        return around

    def handle(job: Job[Any]) -> str:
        seen.append("handler")
        return "result"

    queue = yard.queue()
    await yard.work(handle, middleware=[layer("a"), layer("b")])
    assert await (await queue.add("x")).wait_for_result(25) == "a(b(result))"
    assert seen == ["a in", "b in", "handler", "b out", "a out"]


async def test_middleware_may_answer_itself_or_refuse(yard: Yard) -> None:
    async def gate(job: Job[Any], call_next: Any) -> Any:
        if job.name == "cached":
            return "from the cache"
        raise UnrecoverableError("not allowed")

    queue = yard.queue(attempts=3)
    await yard.work(where_async, middleware=[gate])
    assert await (await queue.add("cached")).wait_for_result(25) == "from the cache"
    with pytest.raises(JobFailed, match="not allowed"):
        await (await queue.add("other")).wait_for_result(25)


async def test_hooks_are_told_of_what_happens_and_cannot_break_it(yard: Yard) -> None:
    told: list[Any] = []

    async def started(job: Job[Any]) -> None:
        told.append(("started", job.id, job.attempt))

    def retried(job: Job[Any], error: BaseException, delay: int) -> None:
        told.append(("retried", job.id, str(error), delay))
        raise RuntimeError("a broken hook")

    hooks = Hooks(
        started=started,
        completed=lambda job, result: told.append(("completed", job.id, result)),
        failed=lambda job, error: told.append(("failed", job.id, str(error))),
        retried=retried,
        drained=lambda: told.append("drained"),
    )

    async def handle(job: Job[Any]) -> str:
        if job.name == "bad":
            raise ValueError(f"attempt {job.attempt}")
        return "fine"

    queue = yard.queue(attempts=2)
    await yard.work(handle, hooks=hooks, concurrency=1)
    await (await queue.add("good")).wait_for_result(25)
    with pytest.raises(JobFailed):
        await (await queue.add("bad")).wait_for_result(25)
    await eventually(lambda: ("failed", "2", "attempt 2") in told)
    assert [each for each in told if each[0] == "started"] == [
        ("started", "1", 1),
        ("started", "2", 1),
        ("started", "2", 2),
    ]
    assert [each for each in told if each[0] not in ("started", "d")] == [
        ("completed", "1", "fine"),
        ("retried", "2", "attempt 1", 0),
        ("failed", "2", "attempt 2"),
    ]
    assert "drained" in told


async def test_a_worker_runs_once(yard: Yard) -> None:
    yard.queue()
    worker = await yard.work(where_async)
    with pytest.raises(ConfigError, match="has been run already"):
        await worker.run()


async def test_stopping_hands_back_and_leaves_no_task(yard: Yard, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    before = asyncio.all_tasks()
    worker = await yard.work(sleep_async)
    job = await queue.add("x", 60)
    await eventually(lambda: worker.running)
    await worker.stop(grace=0)
    await worker.stop()
    assert await job.state() == "waiting"
    assert raw.keys(f"{prefix}:q:*:lock") == []
    await eventually(lambda: len(asyncio.all_tasks() - before) <= 1)


async def test_a_worker_s_name_is_written_into_its_jobs_and_seen_by_the_server(
    yard: Yard, raw: Any, prefix: str
) -> None:
    queue = yard.queue()
    await yard.work(where_async, name="desk-7")
    job = await queue.add("x")
    await job.wait_for_result(25)
    assert (await job.refresh()).processed_by == "desk-7"
    assert f"{prefix}:cQ==:w:desk-7" in [client["name"] for client in raw.client_list()]
    assert (await yard.app.health())[0].workers == 1


async def test_workers_of_several_queues_and_lease_lengths_share_one_process(yard: Yard) -> None:
    """A short lease is renewed in time though only long ones were held when it began."""
    slow, fast = yard.queue("slow", lock="30s"), yard.queue("fast", lock="600ms", max_stalled=0)
    opened = asyncio.Event()

    async def wait(job: Job[Any]) -> None:
        await opened.wait()

    await yard.work(wait, queue="slow")
    await yard.work(sleep_async, queue="fast")
    held = await slow.add("x")
    for _ in range(3):
        job = await fast.add("x", 2.0)
        await job.wait_for_result(25)
        assert (await job.refresh()).attempts_started == 1
    opened.set()
    await held.wait_for_result(25)


async def test_a_rate_is_kept_by_all_workers_together(yard: Yard, raw: "redis.Redis") -> None:
    queue = yard.queue(rate="5/300ms")
    await queue.add_many([("x", 0)] * 12)

    async def nothing(job: Job[Any]) -> None: ...

    await yard.work(nothing, concurrency=4)
    await yard.work(nothing, concurrency=4)
    await eventually(lambda: _all_have_ended(queue, 12))
    # By the clock of the server, which keeps the windows.
    events: Any = raw.xrange(queue._keyspace.keys["events"])
    starts = [int(entry.partition("-")[0]) for entry, fields in events if fields["event"] == "active"]
    assert len(starts) == 12
    # Two more windows had to open for the last two of the twelve.
    assert starts[5] - starts[0] >= 299
    assert starts[10] - starts[0] >= 599


async def _all_have_ended(queue: Queue, jobs: int) -> bool:
    return await queue.count("completed") == jobs


async def lose_server_async(job: Job[Any]) -> int:
    if job.attempts_started == 1:
        raise ServerUnavailable("no server there")
    return job.attempt


def lose_server(job: Job[Any]) -> int:
    if job.attempts_started == 1:
        raise ServerUnavailable("no server there")
    return job.attempt


@pytest.mark.parametrize(
    ("handler", "executor"),
    [(lose_server_async, "async"), (lose_server, "thread"), (lose_server, "process")],
)
async def test_an_error_of_the_server_uses_up_no_attempt_on_any_executor(
    yard: Yard, handler: Any, executor: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = await yard.queue().add("x", attempts=1)
    await yard.work(handler, executor=executor)
    assert await job.wait_for_result(25) == 1
    ended = await job.refresh()
    assert (ended.attempts_made, ended.attempts_started, ended.failed_reason) == (1, 2, None)
    assert f"job {job.id} of queue q runs again in" in caplog.text
    assert "no server there" in caplog.text
