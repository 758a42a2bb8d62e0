"""The runs in hand of one worker."""

import asyncio
from typing import Any

from stockyard.consume.run.active_runs import ActiveRuns, Run
from stockyard.consume.worker_metrics import JobCounters
from stockyard.errors import HandlerError
from stockyard.leases.table import Lease
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.options import JobOptions


def nobody(name: str) -> Handler:
    raise HandlerError(name)


def begun(active: ActiveRuns, job_id: str, token: str = "w:1") -> Run:
    """Enter a run that waits until it is broken off, and then strikes itself out."""
    job: Job[Any] = Job(job_id, "submit", b"{}", JobOptions(), "q", 0, port=None)  # type: ignore[arg-type]
    run = Run(job, nobody, token=token, slot=0, counters=JobCounters())

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            active.remove(run)

    active.add(run)
    run.task = asyncio.create_task(wait())
    return run


async def ends(run: Run) -> str:
    """Wait for a run's end, and return why it was broken off."""
    assert run.task is not None
    try:
        await run.task
    except asyncio.CancelledError as error:
        return str(error.args[0])
    raise AssertionError("it was not broken off")


async def test_it_knows_what_runs() -> None:
    active = ActiveRuns()
    first, second = begun(active, "1"), begun(active, "2")
    await asyncio.sleep(0)
    assert (len(active), active.job_ids()) == (2, ["1", "2"])
    active.cancel("1", "cancelled")
    assert await ends(first) == "the job was cancelled"
    assert (len(active), active.job_ids()) == (1, ["2"])
    await active.hand_back_all()
    assert await ends(second) == "the worker stops, and its grace is over; the job was handed back"
    assert len(active) == 0
    await active.wait_idle()


async def test_a_lost_lease_breaks_off_the_run_under_its_token_alone() -> None:
    active = ActiveRuns()
    old, new = begun(active, "1", "w:1"), begun(active, "1", "w:2")
    await asyncio.sleep(0)
    active.lose(Lease("q", "1", "w:1", 1, 1000))
    active.lose(Lease("q", "9", "w:1", 1, 1000))
    assert await ends(old) == "its lease passed to another worker"
    assert (old.is_lost, new.is_lost, len(active)) == (True, False, 1)
    await active.hand_back_all()


async def test_the_first_reason_of_a_cancellation_stays() -> None:
    active = ActiveRuns()
    run = begun(active, "1")
    await asyncio.sleep(0)
    active.cancel("2", "not this one")
    active.cancel("1", "first")
    active.cancel("1", "second")
    assert run.cancelled == "first"
    assert await ends(run) == "the job was first"
