"""The writes of a handler happen once, though its job runs twice: one after the other, or at the same time."""

import asyncio
from typing import Any

import pytest

from stockyard import App, InvalidOption, Job, JobOptions, PayloadError
from stockyard.model.clock import system_clock
from stockyard.outbox import Inbox, InboxEntry
from tests.outbox.databases import Opener, OwnDatabase, settled
from tests.support.waiting import eventually

BOOKED = "SELECT amount FROM {schema}ledger ORDER BY amount"


@pytest.fixture
def inbox(database: OwnDatabase) -> Inbox:
    """The inbox, with its table, and a table of the handler's own."""
    made = Inbox(f"{database.schema}stockyard_inbox")
    made.create_table(database.engine)
    database.change("CREATE TABLE {schema}ledger (amount INTEGER)")
    return made


def job(job_id: str = "order-1", timestamp: int = 1, queue: str = "orders") -> Job[Any]:
    return Job(job_id, "book", {"amount": 5}, JobOptions(), queue, timestamp, None, 0, 0)  # type: ignore[arg-type]


async def book(database: OwnDatabase, connection: Any, amount: int) -> None:
    statement: Any = f"INSERT INTO {database.schema}ledger VALUES ({amount})"
    if type(connection).__module__.startswith("sqlalchemy"):
        from sqlalchemy import text

        statement = text(statement)
    await settled(connection.execute(statement))


async def run(
    kind: Opener, database: OwnDatabase, inbox: Inbox, of: Job[Any], amount: int = 5, step: str = ""
) -> Any:
    """A handler; return its result."""
    async with kind(database) as opened:
        entry = inbox.once(opened.connection, of, step=step)
        if opened.is_async:
            async with entry:
                if entry.is_first:
                    await book(database, opened.connection, amount)
                    entry.result = {"booked": amount}
        else:
            with entry:
                if entry:
                    await book(database, opened.connection, amount)
                    entry.result = {"booked": amount}
        await opened.commit()
        return entry.result


async def fail(is_async: bool, entry: InboxEntry) -> None:
    """A handler that raises."""
    if is_async:
        async with entry:
            raise ZeroDivisionError
    with entry:
        raise ZeroDivisionError


async def test_a_second_run_gets_the_result_of_the_first(
    kind: Opener, database: OwnDatabase, inbox: Inbox
) -> None:
    assert await run(kind, database, inbox, job(), 5) == {"booked": 5}
    assert await run(kind, database, inbox, job(), 6) == {"booked": 5}
    assert database.select(BOOKED) == [(5,)]


async def test_jobs_and_steps_are_kept_apart(some_kind: Opener, database: OwnDatabase, inbox: Inbox) -> None:
    others = [(job("order-2"), ""), (job(queue="mail"), ""), (job(), "mail"), (job("7", 1), ""), (job("7", 2), "")]
    for amount, (of, step) in enumerate([(job(), ""), *others]):
        assert await run(some_kind, database, inbox, of, amount, step) == {"booked": amount}
    # A job that was added again after its record was removed has the same id and another time.
    assert await run(some_kind, database, inbox, job(timestamp=2), 9) == {"booked": 0}
    assert await run(some_kind, database, inbox, job("7", 2), 9) == {"booked": 5}


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_run_that_raised_does_not_count(
    some_kind: Opener, database: OwnDatabase, inbox: Inbox, is_committed: bool
) -> None:
    async with some_kind(database) as opened:
        with pytest.raises(ZeroDivisionError):
            await fail(opened.is_async, inbox.once(opened.connection, job()))
        await (opened.commit() if is_committed else opened.rollback())
    assert await run(some_kind, database, inbox, job()) == {"booked": 5}
    assert await run(some_kind, database, inbox, job(), 6) == {"booked": 5}


@pytest.mark.parametrize("commits", [False, True])
async def test_a_run_at_the_same_time_waits_for_the_first(
    database: OwnDatabase, inbox: Inbox, commits: bool
) -> None:
    if not database.is_postgresql:
        pytest.skip("SQLite has one writer at a time")

    def second() -> bool:
        with database.engine.begin() as connection, inbox.once(connection, job()) as entry:
            return entry.is_first

    with database.engine.connect() as connection:
        with inbox.once(connection, job()) as entry:
            assert entry.is_first
        waiting = asyncio.create_task(asyncio.to_thread(second))
        blocked = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%stockyard_inbox%'"
        )
        await eventually(lambda: database.select(blocked))
        if commits:
            connection.commit()
        else:
            connection.rollback()
    assert await waiting is not commits


async def test_a_job_that_a_worker_runs_twice_writes_once(database: OwnDatabase, inbox: Inbox, app: App) -> None:
    """The first run dies between its commit and the job's end."""
    runs = 0

    async def handler(job: Job[Any]) -> Any:
        nonlocal runs
        runs += 1
        async with database.async_engine.begin() as connection, inbox.once(connection, job) as entry:
            if entry.is_first:
                await book(database, connection, job.data["amount"])
                entry.result = {"run": runs}
        if runs == 1:
            raise ConnectionError("the worker's last words")
        return entry.result

    worker = app.worker("orders", handler, handle_signals=False)
    task = asyncio.create_task(worker.run())
    added = await app.queue("orders").add("book", {"amount": 5}, attempts=3)
    assert await added.wait_for_result("20s") == {"run": 1}
    await worker.stop()
    await task
    assert (runs, database.select(BOOKED)) == (2, [(5,)])


async def test_old_entries_are_pruned(database: OwnDatabase, inbox: Inbox) -> None:
    with database.engine.begin() as connection:
        for number in range(5):
            with inbox.once(connection, job(f"order-{number}")):
                pass
    tomorrow = Inbox(inbox.table.fullname, clock=lambda: system_clock() + 86_400_000)
    assert tomorrow.prune(database.engine, "2d") == 0
    assert await tomorrow.prune(database.async_engine, "1h", limit=3) == 3
    with database.engine.begin() as connection:
        assert tomorrow.prune(connection, "1h") == 2


async def test_mistakes_are_named(database: OwnDatabase, inbox: Inbox) -> None:
    with database.engine.begin() as connection:
        with pytest.raises(InvalidOption, match="Job"):
            inbox.once(connection, "order-1")  # type: ignore[arg-type]
        with pytest.raises(InvalidOption, match="'with inbox"):
            async with inbox.once(connection, job()):
                pass
        with pytest.raises(PayloadError, match="order-1"), inbox.once(connection, job()) as entry:
            entry.result = object()
    async with database.async_engine.begin() as other:
        with pytest.raises(InvalidOption, match="'async with inbox"), inbox.once(other, job()):
            pass
    with pytest.raises(InvalidOption, match="table"):
        Inbox("Robert'); DROP TABLE orders; --")
    assert "CREATE TABLE IF NOT EXISTS" in inbox.ddl("postgresql")
    with pytest.raises(InvalidOption, match="dialect"):
        inbox.ddl("mysql")  # type: ignore[arg-type]
