"""Stopping a worker process by signals: what ends, what is handed back, and that nothing stays behind."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
import redis

from stockyard import Job, JobState, Queue
from stockyard._wire.client_name import worker_client_name
from stockyard.model.naming import Naming
from tests.faults.programs import Journal, WorkerProcess, children_of
from tests.support.child_handlers import alive
from tests.support.waiting import eventually

Start = Callable[..., WorkerProcess]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_running_jobs_end_within_the_grace_and_no_other_begins(
    queue: Queue, worker: Start, journal: Journal, number: signal.Signals
) -> None:
    first = worker("patient", concurrency=2)
    running = [await queue.add("x", 1) for _ in range(2)]
    waiting = [await queue.add("x", 1) for _ in range(2)]
    await eventually(lambda: len(journal.of("started")) == 2)
    helpers = list(children_of(first.pid))

    first.send(number)

    assert first.wait() == 0
    assert [await job.state() for job in running] == [JobState.COMPLETED] * 2
    assert [await job.state() for job in waiting] == [JobState.WAITING] * 2
    assert not any(alive(pid) for pid in helpers)


@pytest.mark.parametrize("handler", ["patient", "burn_thread", "burn_process"])
async def test_what_does_not_end_within_the_grace_is_handed_back(
    queue: Queue, worker: Start, journal: Journal, raw: "redis.Redis", prefix: str, handler: str
) -> None:
    first = worker(handler, concurrency=2, grace="200ms")
    jobs = [await queue.add("x", 60) for _ in range(3)]
    await eventually(lambda: len(journal.of("started")) == 2, within=25)

    first.send(signal.SIGTERM)

    assert first.wait() == 0
    assert raw.lrange(f"{prefix}:q:active", 0, -1) == []
    assert list(raw.scan_iter(f"{prefix}:q:*:lock")) == []
    order = raw.lrange(f"{prefix}:q:wait", 0, -1)
    assert sorted(order) == [job.id for job in jobs]
    assert order[0] == jobs[2].id
    for job in jobs[:2]:
        seen = await job.refresh()
        assert (seen.attempts_made, seen.stalled_count) == (0, 0)


async def test_a_second_signal_hands_back_at_once(
    queue: Queue, worker: Start, journal: Journal, raw: "redis.Redis", prefix: str
) -> None:
    first = worker("patient", grace="60s")
    job = await queue.add("x", 60)
    await eventually(lambda: journal.of("started"))
    first.send(signal.SIGTERM)
    await eventually(lambda: not _takes_jobs(raw, prefix))
    late = await queue.add("x", 0)
    first.send(signal.SIGTERM)
    assert first.wait(5) == 0
    assert [await job.state(), await late.state()] == [JobState.WAITING] * 2
    assert (await job.refresh()).attempts_made == 0


async def test_a_handed_back_job_runs_next_and_keeps_its_priority(
    queue: Queue, worker: Start, journal: Journal
) -> None:
    first = worker("patient", concurrency=1, grace="0s")
    job = await queue.add("x", 60, priority=3)
    await eventually(lambda: journal.of("started"))
    behind = await queue.add("y", 60, priority=3)
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    assert [each.id for each in await queue.get_jobs("prioritized", newest_first=False)] == [job.id, behind.id]


async def test_a_handler_that_will_not_stop_keeps_its_job_and_holds_up_no_other(
    queue: Queue, worker: Start, journal: Journal
) -> None:
    first = worker("deaf", grace="100ms")
    stubborn, polite = await queue.add("deaf", 60), await queue.add("polite", 60)
    await eventually(lambda: len(journal.of("started")) == 2)
    first.send(signal.SIGTERM)
    await eventually(lambda: journal.of("cancelled") == [stubborn.id])
    await eventually(lambda: _is_waiting(polite))
    assert await stubborn.state() is JobState.ACTIVE


async def test_a_worker_without_a_server_can_be_stopped(
    worker: Start, prefix: str, make_server: Callable[..., object]
) -> None:
    with WorkerProcess("redis://127.0.0.1:1", prefix, "brief") as lonely:
        await eventually(lambda: _listens_to_signals(lonely.pid))
        lonely.send(signal.SIGTERM)
        assert lonely.wait() == 0


def _listens_to_signals(pid: int) -> bool:
    """Whether the process catches SIGTERM."""
    with open(f"/proc/{pid}/status") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def _takes_jobs(raw: "redis.Redis", prefix: str) -> bool:
    """Whether a worker's blocking connection is seen."""
    return any(client["name"].startswith(worker_client_name(Naming(prefix), "q")) for client in raw.client_list())


async def _is_waiting(job: Job[Any]) -> bool:
    return await job.state() is JobState.WAITING
