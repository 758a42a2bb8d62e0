"""A job is in the outbox if its transaction was committed, and else not; it is checked at the call."""

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_mock_engine
from sqlalchemy.orm import Session

from stockyard import (
    App,
    Backoff,
    ConfigError,
    Deduplication,
    HandlerError,
    InvalidOption,
    Job,
    Keep,
    PayloadError,
    Topology,
    UnknownQueue,
)
from stockyard.model.clock import system_clock
from stockyard.outbox import Outbox, OutboxJob
from tests.outbox.conftest import Relays
from tests.outbox.databases import KINDS, Opener, OwnDatabase, settled
from tests.support.waiting import eventually

ROWS = "SELECT queue, name, data, job_id FROM {schema}stockyard_outbox ORDER BY sequence"


async def test_what_is_committed_is_there(kind: Opener, database: OwnDatabase, outbox: Outbox) -> None:
    async with kind(database) as opened:
        job = await settled(
            outbox.add(opened.connection, "orders", "submit", {"symbol": "Ä", "n": 1}, job_id="o-1")
        )
        many = await settled(
            outbox.add_many(opened.connection, "mail", [("a",), ("b", 2), ("c", [3], {"job_id": "c"})])
        )
        assert database.select(ROWS) == []
        await opened.commit()
    assert job == OutboxJob("orders", "o-1")
    assert [each.id.startswith("outbox-") for each in many] == [True, True, False]
    assert database.select(ROWS) == [
        ("orders", "submit", '{"symbol":"Ä","n":1}', "o-1"),
        ("mail", "a", "{}", many[0].id),
        ("mail", "b", "2", many[1].id),
        ("mail", "c", "[3]", "c"),
    ]


async def test_what_is_rolled_back_never_was(kind: Opener, database: OwnDatabase, outbox: Outbox) -> None:
    async with kind(database) as opened:
        await settled(outbox.add(opened.connection, "orders", "submit"))
        await settled(outbox.add_many(opened.connection, "orders", [("submit",), ("submit",)]))
        await settled(outbox.add_many(opened.connection, "orders", []))
        await opened.rollback()
    assert database.select(ROWS) == []


async def test_a_job_comes_to_its_queue_as_it_was_added(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    options: dict[str, Any] = {
        "priority": 5,
        "attempts": 4,
        "backoff": Backoff.exponential("1s", maximum="1m"),
        "timeout": timedelta(seconds=9),
        "remove_on_complete": Keep.within("1h", 100),
        "remove_on_fail": False,
        "deduplication": Deduplication("BTC", ttl="5s"),
        "job_id": "order-7",
    }
    with database.engine.begin() as connection:
        parent = outbox.add(connection, "orders", "submit", {"symbol": "BTC", "none": None}, **options)
        outbox.add(connection, "orders", "book", parent=parent, on_failure="fail_parent")
    assert await relays().relay_pending() == 2
    direct = await app.queue("mail").add("submit", {"symbol": "BTC", "none": None}, **options)
    job = await app.queue("orders").get_job("order-7")
    assert job is not None
    assert (job.name, job.data, job.options) == (direct.name, direct.data, direct.options)
    (child,) = await app.queue("orders").get_jobs("waiting")
    assert child.id.startswith("outbox-")
    assert child.parent_key is not None
    assert child.parent_key.endswith(":order-7")


async def test_a_delay_counts_from_the_add(
    database: OwnDatabase, topology: Topology, outbox: Outbox, app: App, relays: Relays
) -> None:
    hour_ago = Outbox(topology, outbox.table.fullname, clock=lambda: system_clock() - 3_600_000)
    with database.engine.begin() as connection:
        hour_ago.add(connection, "orders", "submit", delay="1h", job_id="due")
        hour_ago.add(connection, "orders", "submit", delay="2h", job_id="later")
    await relays().relay_pending()
    assert [job.id for job in await app.queue("orders").get_jobs("waiting")] == ["due"]
    (later,) = await app.queue("orders").get_jobs("delayed")
    assert 3_500_000 < later.delay_ms <= 3_600_000


async def test_everything_is_refused_at_the_call(database: OwnDatabase, outbox: Outbox) -> None:
    payments = outbox.topology.queue("payments")

    @payments.handler
    async def pay(job: Job[int]) -> None: ...

    with database.engine.connect() as connection:
        cases: list[tuple[type[Exception], tuple[Any, ...], dict[str, Any]]] = [
            (UnknownQueue, ("ordres", "submit"), {}),
            (InvalidOption, ("orders", ""), {}),
            (InvalidOption, ("orders", "submit"), {"priority": -1}),
            (InvalidOption, ("orders", "submit"), {"job_id": "12"}),
            (InvalidOption, ("orders", "submit"), {"prio": 1}),
            (InvalidOption, ("orders", "submit"), {"check": 1}),
            (PayloadError, ("orders", "submit", {"x": object()}), {}),
            (PayloadError, ("orders", "submit", "long"), {"size_limit": 3}),
            (PayloadError, ("payments", "pay", "much"), {}),
            (HandlerError, ("payments", "pya", 1), {}),
        ]
        for refused, arguments, options in cases:
            with pytest.raises(refused):
                outbox.add(connection, *arguments, **options)
            queue, name, *data = arguments
            flag = options.pop("check", None)
            with pytest.raises(refused):
                outbox.add_many(connection, queue, [(name, *(data or [{}]), options)], check=flag)
        no_jobs: list[Any] = ["submit", ("submit", 1, {}, 2), ()]
        for no_job in no_jobs:
            with pytest.raises(InvalidOption):
                outbox.add_many(connection, "orders", [no_job])
        outbox.add(connection, "payments", "pya", 1, check=False)
        connection.commit()
    assert [row[:2] for row in database.select(ROWS)] == [("payments", "pya")]


async def test_a_database_without_the_tables_is_refused_with_the_way_out(
    kind: Opener, database: OwnDatabase, topology: Topology
) -> None:
    outbox = Outbox(topology, table="absent")
    async with kind(database) as opened:
        with pytest.raises(ConfigError, match=r"lacks a table \(.*absent.*create_table\(engine\)"):
            await settled(outbox.add(opened.connection, "orders", "submit"))
        await opened.rollback()


def test_a_connection_that_commits_by_itself_is_refused(database: OwnDatabase, outbox: Outbox) -> None:
    connection = database.connect()
    if isinstance(connection, psycopg.Connection):
        connection.autocommit = True
    else:
        connection.isolation_level = None
    with pytest.raises(InvalidOption, match="begin a transaction first"):
        outbox.add(connection, "orders", "submit")
    connection.execute("BEGIN")
    outbox.add(connection, "orders", "submit")
    connection.execute("COMMIT")
    connection.close()
    assert len(database.select(ROWS)) == 1


def test_a_session_of_another_database_is_refused(outbox: Outbox) -> None:
    engine = create_mock_engine("mssql+pymssql://", lambda *_: None)
    with pytest.raises(InvalidOption, match="'postgresql', 'sqlite'; got 'mssql'"):
        outbox.add(Session(engine), "orders", "submit")  # type: ignore[arg-type]


def test_what_is_no_connection_is_refused(outbox: Outbox, database: OwnDatabase) -> None:
    for other in (None, "sqlite://", database.engine):
        with pytest.raises(InvalidOption, match="session or connection"):
            outbox.add(other, "orders", "submit")  # type: ignore[call-overload]


def test_the_statements_of_a_migration_make_the_tables(database: OwnDatabase, topology: Topology) -> None:
    migrated = Outbox(topology, f"{database.schema}migrated")
    for statement in migrated.ddl("postgresql" if database.is_postgresql else "sqlite").split(";\n")[:-1]:
        database.change(statement)
    migrated.create_table(database.engine)
    with database.engine.begin() as connection:
        migrated.create_table(connection)
        migrated.add(connection, "orders", "submit")
    assert migrated.status(database.engine).pending == {"orders": 1}


async def test_tables_are_made_in_every_way(some_kind: Opener, database: OwnDatabase, topology: Topology) -> None:
    made = Outbox(topology, f"{database.schema}made")
    async with some_kind(database) as opened:
        await settled(made.create_table(opened.connection))
        await settled(made.add(opened.connection, "orders", "submit"))
        await opened.commit()
        assert (await settled(made.status(opened.connection))).pending == {"orders": 1}
        assert await settled(made.retry(opened.connection)) == 0
    assert (await settled(made.status(database.async_engine))).pending == {"orders": 1}


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_commit_wakes_the_relay(database: OwnDatabase, outbox: Outbox, app: App, relays: Relays) -> None:
    relay = relays(poll="1h")
    await relay.start()
    await eventually(lambda: database.select("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
    for number, name in enumerate(("session", "plain"), 1):
        async with KINDS[name](database) as opened:
            await settled(outbox.add(opened.connection, "orders", "submit"))
            await settled(outbox.add_many(opened.connection, "orders", [("submit",)]))
            await opened.commit()
        await eventually(partial(_has, app, 2 * number))


async def _has(app: App, jobs: int) -> bool:
    return await app.queue("orders").count() == jobs
