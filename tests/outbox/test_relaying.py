"""The relay moves jobs in order, once each, to queues that take them; what a queue refuses holds up no other."""

import asyncio
from typing import Any

import pytest

from stockyard import App, ConfigError, InvalidOption, JobState, ParentRef, Topology
from stockyard.outbox import Outbox, OutboxRelay
from tests.outbox.conftest import Relays
from tests.outbox.databases import OwnDatabase
from tests.support.waiting import eventually

TABLE = "{schema}stockyard_outbox"


def add(outbox: Outbox, database: OwnDatabase, queue: str, *names: str, **options: Any) -> None:
    with database.engine.begin() as connection:
        outbox.add_many(connection, queue, [(name, {}, options) for name in names])


async def names(app: App, queue: str) -> list[str]:
    """The names of the jobs that wait, the next first."""
    found: list[str] = []
    page = 1
    while jobs := await app.queue(queue).get_jobs("waiting", page=page, size=1000, newest_first=False):
        found += [job.name for job in jobs]
        page += 1
    return found


async def test_a_thousand_rows_keep_the_order_of_each_queue(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    expected: dict[str, list[str]] = {"orders": [], "mail": [], "ledger": []}
    with database.engine.begin() as connection:
        for number in range(0, 1000, 10):
            queue = list(expected)[number // 10 % 3]
            chunk = [f"{number + each}" for each in range(10)]
            expected[queue] += chunk
            outbox.add_many(connection, queue, [(name,) for name in chunk])
    relay = relays(engine=database.async_engine if database.is_postgresql else database.engine, batch=300)
    assert await relay.relay_pending() == 1000
    for queue, added in expected.items():
        assert await names(app, queue) == added
    status = await relay.status()
    assert (status.pending, status.oldest_age_ms, status.relayed, status.failed) == ({}, None, 1000, 0)
    assert database.select(f"SELECT count(*) FROM {TABLE}") == [(0,)]


async def test_a_transaction_that_is_committed_late_is_not_missed(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    if not database.is_postgresql:
        pytest.skip("SQLite has one writer at a time")
    relay = relays()
    with database.engine.connect() as early:
        outbox.add(early, "orders", "early")
        add(outbox, database, "orders", "late")
        assert await relay.relay_pending() == 1
        early.commit()
    assert await relay.relay_pending() == 1
    assert await names(app, "orders") == ["late", "early"]


async def test_rows_are_kept_and_pruned(
    database: OwnDatabase, outbox: Outbox, relays: Relays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.outbox.relay._PRUNED_AT_ONCE", 2)
    add(outbox, database, "orders", *"abcdefg")
    await relays(keep="1d").relay_pending()
    assert database.select(f"SELECT count(*) FROM {TABLE} WHERE relayed_at IS NOT NULL") == [(7,)]
    database.change(f"UPDATE {TABLE} SET relayed_at = relayed_at - 90000000 WHERE name < 'f'")
    relay = relays(keep="1d", poll="5ms")
    await relay.start()
    await eventually(lambda: database.select(f"SELECT name FROM {TABLE} ORDER BY sequence") == [("f",), ("g",)])
    assert (await relay.status()).relayed == 7


async def test_rows_that_are_kept_for_less_than_a_minute_are_pruned_as_often(
    database: OwnDatabase, outbox: Outbox, relays: Relays
) -> None:
    relay = relays(keep="50ms", poll="5ms")
    await relay.start()
    for name in "abc":
        add(outbox, database, "orders", name)
        await eventually(lambda: not outbox.status(database.engine).pending)
        await eventually(lambda: database.select(f"SELECT count(*) FROM {TABLE}") == [(0,)])


async def test_a_running_relay_takes_what_is_committed(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    relay = relays(poll="10ms")
    await relay.start()
    await relay.start()
    for name in "abc":
        add(outbox, database, "orders", name)
    await eventually(lambda: app.queue("orders").count())
    await eventually(lambda: not outbox.status(database.engine).pending)
    assert await names(app, "orders") == ["a", "b", "c"]
    assert (await relay.status()).leader is not None
    await relay.stop()
    await relay.stop()
    assert outbox.status(database.engine).leader is None


async def test_a_refused_job_is_marked_and_holds_up_no_other_queue(
    database: OwnDatabase,
    outbox: Outbox,
    app: App,
    relays: Relays,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("stockyard.outbox.pauses.FIRST", 0.02)
    add(outbox, database, "orders", "first")
    add(outbox, database, "orders", "orphan", parent=ParentRef("orders", "gone"))
    add(outbox, database, "orders", "last")
    add(outbox, database, "mail", "other")
    relay = relays(attempts=3)
    assert await relay.relay_pending() == 2
    # As long as the job is tried again, those behind it wait for it.
    assert (await names(app, "orders"), await names(app, "mail")) == (["first"], ["other"])
    relay = relays(attempts=3, poll="5ms")
    await relay.start()
    await eventually(lambda: outbox.status(database.engine).failed)
    await eventually(lambda: not outbox.status(database.engine).pending)
    assert await names(app, "orders") == ["first", "last"]
    await eventually(lambda: outbox.status(database.engine).error is None)
    status = await relay.status()
    (failed,) = status.failures
    assert (failed.queue, failed.name, status.relayed) == ("orders", "orphan", 3)
    assert "to be the parent of 'orphan', does not exist" in failed.error
    attempts = [text for text in caplog.messages if "'orphan'" in text]
    assert [f"attempt {number} of 3" in text for number, text in enumerate(attempts, 1)] == [True] * 3
    await app.queue("orders").add("parent", job_id="gone")
    assert outbox.retry(database.engine, failed.sequence) == 1
    await eventually(lambda: outbox.status(database.engine).relayed == 4)
    assert outbox.status(database.engine).failures == ()


async def test_rows_of_another_program_that_are_no_jobs_are_marked(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    add(outbox, database, "orders", "a", "b", "c", "d")
    database.change(f"UPDATE {TABLE} SET data = '{{{{' WHERE name = 'a'")
    database.change(f"UPDATE {TABLE} SET options = '[]' WHERE name = 'b'")
    database.change(f"UPDATE {TABLE} SET job_id = '17' WHERE name = 'c'")
    assert await relays(attempts=1).relay_pending() == 1
    assert await names(app, "orders") == ["d"]
    errors = [failed.error for failed in outbox.status(database.engine).failures]
    assert ["job_id" in errors[0], "options" in errors[1], "payload" in errors[2]] == [True, True, True]


async def test_rows_of_a_queue_that_the_relay_does_not_know_wait(
    database: OwnDatabase,
    outbox: Outbox,
    app: App,
    topology: Topology,
    redis_url: str,
    prefix: str,
    relays: Relays,
) -> None:
    add(outbox, database, "ledger", "unknown")
    add(outbox, database, "mail", "known")
    older = Topology("shop")
    older.queue("mail")
    async with App(older, redis_url, prefix=prefix) as other:
        relay = relays(other, poll="5ms")
        await relay.start()
        await eventually(lambda: outbox.status(database.engine).error)
        await eventually(lambda: outbox.status(database.engine).relayed == 1)
        status = await relay.status()
        await relay.stop()
    assert (status.pending, status.failed) == ({"ledger": 1}, 0)
    assert "unknown queue 'ledger'" in (status.error or "")
    relay = relays(poll="5ms")
    await relay.start()
    await eventually(lambda: outbox.status(database.engine).relayed == 2)
    # The next leader knows of no trouble.
    await eventually(lambda: outbox.status(database.engine).error is None)


async def test_a_queue_with_enough_waiting_jobs_gets_no_more(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    await app.queue("orders").add_many([("before",), ("before", {}, {"priority": 3})])
    add(outbox, database, "orders", *"abcdef")
    add(outbox, database, "mail", "other")
    relay = relays(max_waiting=5, poll="5ms")
    await relay.start()
    await eventually(lambda: outbox.status(database.engine).error)
    assert outbox.status(database.engine).pending == {"orders": 3}
    assert (await names(app, "orders"), await names(app, "mail")) == (["before", "a", "b", "c"], ["other"])
    assert "has 5 waiting jobs" in (outbox.status(database.engine).error or "")
    await app.queue("orders").drain()
    await eventually(lambda: not outbox.status(database.engine).pending)
    assert await names(app, "orders") == ["d", "e", "f"]
    await eventually(lambda: outbox.status(database.engine).error is None)


async def test_without_its_tables_a_relay_says_what_to_do(
    app: App, database: OwnDatabase, topology: Topology
) -> None:
    missing = Outbox(topology, f"{database.schema}missing")
    for engine in (database.engine, database.async_engine):
        relay = OutboxRelay(app, engine, missing)
        with pytest.raises(ConfigError, match=r"outbox\.create_table"):
            await relay.start()
        with pytest.raises(ConfigError, match=r"outbox\.ddl"):
            await relay.relay_pending()


async def test_a_relay_opens_a_database_by_its_url(database: OwnDatabase, app: App, topology: Topology) -> None:
    table = f"{database.schema}stockyard_outbox"
    outbox = Outbox(topology, table)
    outbox.create_table(database.engine)
    add(outbox, database, "orders", "a")
    assert await OutboxRelay(app, database.url, outbox).relay_pending() == 1


@pytest.mark.parametrize("url", ["mysql://localhost/shop", "no url", "sqlite:/x", "postgresql+nothing://x/y"])
def test_a_database_that_cannot_be_used_is_refused(url: str, topology: Topology) -> None:
    with pytest.raises(ConfigError, match=r"database|driver"):
        OutboxRelay(App(topology, "redis://localhost"), url)


async def test_two_relays_relay_everything_once(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    both = [relays(poll="1ms", batch=7, lease="1s") for _ in range(2)]
    for relay in both:
        await relay.start()
    for start in range(0, 100, 5):
        add(outbox, database, "orders", *(f"{start + number}" for number in range(5)))
        await asyncio.sleep(0)
    await eventually(lambda: outbox.status(database.engine).relayed)
    await both[0].stop()
    await eventually(lambda: not outbox.status(database.engine).pending)
    assert [int(name) for name in await names(app, "orders")] == list(range(100))
    assert outbox.status(database.engine).relayed == 100


async def test_what_cannot_be_relayed_at_the_moment_keeps_the_order(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    """A child of a job that comes later waits for it, and so do the jobs behind it."""
    add(outbox, database, "mail", "child", parent=ParentRef("orders", "parent"))
    add(outbox, database, "mail", "behind")
    add(outbox, database, "orders", "parent", job_id="parent")
    relay = relays(poll="5ms")
    await relay.start()
    await eventually(lambda: outbox.status(database.engine).relayed == 3)
    assert await names(app, "mail") == ["child", "behind"]
    counts = await app.queue("orders").counts()
    assert counts[JobState.WAITING] + counts[JobState.WAITING_CHILDREN] == 1


@pytest.mark.parametrize(
    "options",
    [{"poll": 0}, {"lease": "1ms"}, {"batch": 0}, {"attempts": 0}, {"max_waiting": 0}, {"keep": "x"}, {"pol": 1}],
)
def test_options_are_checked(options: dict[str, Any], app: App) -> None:
    with pytest.raises(InvalidOption, match=next(iter(options))):
        OutboxRelay(app, "sqlite://", **options)
