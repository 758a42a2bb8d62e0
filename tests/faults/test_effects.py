"""A worker that is frozen, or killed, between the venue's answer and the record of it."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from stockyard import App, JobFailed, Queue
from tests.faults.effect_programs import start, topology
from tests.support.waiting import eventually

Start = Callable[[], Any]


@pytest.fixture
async def app(redis_url: str, prefix: str) -> AsyncIterator[App]:
    async with App(topology(), redis_url, prefix=prefix) as app:
        yield app


@pytest.fixture
def orders(app: App) -> Queue:
    return app.queue("orders")


@pytest.fixture
def worker(redis_url: str, prefix: str) -> Iterator[Start]:
    """Starts worker processes, which end with the test."""
    with ExitStack() as ending:

        def begin() -> Any:
            process = start(redis_url, prefix)
            ending.callback(process.wait)
            ending.callback(process.kill)
            return process

        yield begin


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
async def test_an_order_stands_once_though_its_worker_never_recorded_it(
    app: App, orders: Queue, worker: Start, raw: "redis.Redis", prefix: str, end: signal.Signals
) -> None:
    book = f"{prefix}-book"
    frozen = worker()
    job = await orders.add("submit", {"order": "A1"})
    await eventually(lambda: raw.exists(f"{book}:placed"), within=60)
    frozen.send_signal(end)
    worker()

    # The other worker takes the job over, and neither sends nor guesses.
    with pytest.raises(JobFailed, match="OutcomeUnknown"):
        await job.wait_for_result(60)
    (record,) = await app.effects.list()
    assert (record.key, record.job_id, record.outcome, record.may_have_applied) == ("A1", job.id, "unknown", True)
    (health,) = await app.health("orders")
    assert (health.effects_unknown, health.oldest_unknown_effect) == (1, "A1")
    assert raw.lrange(book, 0, -1) == ["A1"]

    # Once the venue answers, the reconciliation settles it; the job that is tried again returns what was found.
    raw.set(f"{book}:answers", 1)
    await eventually(lambda: _is(app, "committed"))
    await job.retry()
    assert await job.wait_for_result(60) == {"found": "A1"}
    assert raw.lrange(book, 0, -1) == ["A1"]

    if end == signal.SIGSTOP:
        # It comes back with a success, long fenced: that is kept as evidence, and nothing else changes.
        raw.set(f"{book}:go", 1)
        frozen.send_signal(signal.SIGCONT)
        await eventually(lambda: _has_evidence(app))
        late = await app.effects.get("A1")
        assert late is not None
        assert (late.outcome, late.resolved_by, late.fence) == ("committed", "reconciler", 1)
        assert (await job.refresh()).return_value == {"found": "A1"}
        assert raw.lrange(book, 0, -1) == ["A1"]


async def test_a_job_without_an_effect_is_not_run_again_after_its_worker_was_killed(
    app: App, orders: Queue, worker: Start, raw: "redis.Redis", prefix: str
) -> None:
    book = f"{prefix}-book"
    doomed = worker()
    job = await orders.add("submit", {"order": "A1", "bare": True})
    await eventually(lambda: raw.exists(f"{book}:placed"), within=60)
    doomed.kill()
    worker()
    with pytest.raises(JobFailed, match="OutcomeUnknown: the job lost its worker before it began an effect"):
        await job.wait_for_result(60)
    assert raw.lrange(book, 0, -1) == ["A1"]
    (record,) = await app.effects.list()
    assert (record.key, record.job_id, record.is_whole_job) == (f"job:{job.id}", job.id, True)


async def _is(app: App, outcome: str) -> bool:
    record = await app.effects.get("A1")
    return record is not None and record.outcome == outcome


async def _has_evidence(app: App) -> bool:
    record = await app.effects.get("A1")
    return record is not None and record.evidence is not None
