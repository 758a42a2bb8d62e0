"""The runs in hand of one worker."""

import asyncio
from typing import Any

from stockyard.consume.run.run_book import Run, RunBook
from stockyard.consume.worker_metrics import JobCounters
from stockyard.errors import HandlerError
from stockyard.leases.table import Lease
from stockyard.model.handler import Handler
from stockyard.model.job import Job
from stockyard.model.options import JobOptions


def nobody(name: str) -> Handler:
    raise HandlerError(name)


def begun(book: RunBook, job_id: str, token: str = "w:1") -> Run:
    """Enter a run that waits until it is broken off, and then strikes itself out."""
    job: Job[Any] = Job(job_id, "submit", b"{}", JobOptions(), "q", 0, port=None)  # type: ignore[arg-type]
    run = Run(job, nobody, token, 0, JobCounters())

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            book.remove(run)

    book.add(run)
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
    book = RunBook()
    first, second = begun(book, "1"), begun(book, "2")
    await asyncio.sleep(0)
    assert (len(book), book.job_ids()) == (2, ["1", "2"])
    book.cancel("1", "cancelled")
    assert await ends(first) == "the job was cancelled"
    assert (len(book), book.job_ids()) == (1, ["2"])
    await book.hand_back_all()
    assert await ends(second) == "the worker stops, and its grace is over; the job was handed back"
    assert len(book) == 0
    await book.wait_idle()


async def test_a_lost_lease_breaks_off_the_run_under_its_token_alone() -> None:
    book = RunBook()
    old, new = begun(book, "1", "w:1"), begun(book, "1", "w:2")
    await asyncio.sleep(0)
    book.lose(Lease("q", "1", "w:1", 1, 1000))
    book.lose(Lease("q", "9", "w:1", 1, 1000))
    assert await ends(old) == "its lease passed to another worker"
    assert (old.is_lost, new.is_lost, len(book)) == (True, False, 1)
    await book.hand_back_all()


async def test_the_first_reason_of_a_cancellation_stays() -> None:
    book = RunBook()
    run = begun(book, "1")
    await asyncio.sleep(0)
    book.cancel("2", "not this one")
    book.cancel("1", "first")
    book.cancel("1", "second")
    assert run.cancelled == "first"
    assert await ends(run) == "the job was first"
