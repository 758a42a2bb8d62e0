"""The kill switch with real worker processes: frozen, killed, and on a server that is killed and started again."""

import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stockyard import App, Job, JobFailed, JobState, Queue
from stockyard.errors import ServerError
from tests.faults.programs import Journal, WorkerProcess, topology
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, stays

Start = Callable[..., WorkerProcess]


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(topology(), redis_url, prefix=prefix) as app:
        yield app


async def test_a_worker_that_was_frozen_while_its_queue_was_halted_starts_nothing(
    app: App, queue: Queue, worker: Start, journal: Journal
) -> None:
    frozen = worker("noted", concurrency=1)
    first = await queue.add("x")
    await first.wait_for_result(60)
    frozen.send(signal.SIGSTOP)
    await app.halt("q", reason="runaway", by="ada")
    held = await queue.add("x")
    frozen.send(signal.SIGCONT)
    await stays(lambda: journal.of("ran") == [first.id], during=0.5)
    assert await held.state() == JobState.WAITING
    await app.resume("q", by="ada")
    await held.wait_for_result(60)


async def test_a_job_of_a_worker_that_was_killed_is_recovered_and_waits_for_the_end_of_the_halt(
    app: App, queue: Queue, worker: Start, journal: Journal
) -> None:
    doomed = worker("patient", concurrency=1)
    job = await queue.add("x", 60)
    await eventually(lambda: journal.of("started"), within=60)
    await app.halt("q", reason="runaway", by="ada")
    doomed.send(signal.SIGKILL)
    worker("noted", concurrency=1)
    await eventually(lambda: _is(job, JobState.WAITING), within=60)
    await stays(lambda: journal.of("ran") == [])
    await app.resume("q", by="ada")
    await eventually(lambda: journal.of("ran") == [job.id], within=60)


async def test_a_halt_outlives_the_server(server: OwnServer, prefix: str) -> None:
    async with App(topology(), server.url, prefix=prefix) as app:
        with WorkerProcess(server.url, prefix, "noted") as worker, server.client() as client:
            journal, queue = Journal(client, prefix), app.queue("q")
            await (await queue.add("x")).wait_for_result(60)
            await app.halt("q", reason="runaway", by="ada")
            await app.halt("q", key="A1", reason="margin call", by="ada")
            server.kill()
            server.start()

            async def is_added() -> bool:
                try:
                    await queue.add("x", job_id="held")
                except ServerError:
                    return False
                return True

            await eventually(is_added)
            held = await queue.get_job("held")
            assert held is not None
            assert [halt.key for halt in await app.halts()] == [None, "A1"]
            # The worker is back at work: it has heard of the end of the halt by its own looks alone.
            await stays(lambda: len(journal.of("ran")) == 1, during=0.5)
            await app.resume("q", by="ada")
            await held.wait_for_result(60)
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0


async def test_a_job_that_runs_in_another_process_is_cancelled(
    queue: Queue, worker: Start, journal: Journal
) -> None:
    worker("deaf", concurrency=1)
    job = await queue.add("deaf", 60)
    await eventually(lambda: journal.of("started"), within=60)
    await queue.cancel(job.id, "market closed")
    await eventually(lambda: journal.of("cancelled") == [job.id])


async def test_a_cancelled_job_of_a_frozen_worker_is_failed_by_another(
    queue: Queue, worker: Start, journal: Journal
) -> None:
    frozen = worker("patient", concurrency=1)
    job = await queue.add("x", 60)
    await eventually(lambda: journal.of("started"), within=60)
    frozen.send(signal.SIGSTOP)
    await queue.cancel(job.id, "market closed")
    worker("patient", concurrency=1)
    with pytest.raises(JobFailed, match="cancelled: market closed"):
        await job.wait_for_result(60)
    frozen.send(signal.SIGCONT)
    assert journal.of("started") == [job.id]


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() == state
