"""What a process that relays an outbox shows of it: metrics and the signs of life of its relay."""

from stockyard import App, ParentRef
from stockyard.outbox import Outbox
from tests.outbox.conftest import Relays
from tests.outbox.databases import OwnDatabase
from tests.outbox.test_relaying import add
from tests.support.scraping import probe, scrape
from tests.support.waiting import eventually


async def outbox_metrics(url: str, table: str) -> dict[str, float]:
    """The metrics of outboxes, by what is left of their names, and their queue."""
    found = await scrape(url, "outbox", "queue")
    return {
        name.removeprefix("stockyard_outbox_").replace(f" {table}", ""): value
        for name, value in found.items()
        if name.startswith("stockyard_outbox_")
    }


async def test_what_an_outbox_holds_is_exported_while_its_relay_runs(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    url, table = app.serve_metrics().url, outbox.table.fullname
    assert await outbox_metrics(url, table) == {}
    add(outbox, database, "mail", "refused", parent=ParentRef("mail", "gone"))
    add(outbox, database, "orders", "a", "b", "c")
    relay = relays(poll="10ms", attempts=1, max_waiting=2)
    await relay.start()

    async def has_settled() -> bool:
        found = await outbox_metrics(url, table)
        return (found["relayed_total"], found["failed_jobs"], found["stuck"]) == (2, 1, 1)

    await eventually(has_settled)
    found = await outbox_metrics(url, table)
    assert found.pop("oldest_pending_seconds") > 0
    assert found == {
        "up": 1,
        "led": 1,
        "stuck": 1,
        "relayed_total": 2,
        "failed_jobs": 1,
        "pending_jobs orders": 1,
        "pending_jobs mail": 0,
        "pending_jobs ledger": 0,
    }
    assert await probe(f"{url}/ready") == (200, {"outbox relay": True})
    await relay.stop()
    assert await outbox_metrics(url, table) == {}
    assert await probe(f"{url}/ready") == (200, {})


async def test_a_database_that_cannot_be_read_is_told_and_the_relay_is_not_ready(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    url, table = app.serve_metrics().url, outbox.table.fullname
    await relays(poll="10ms").start()
    database.change("ALTER TABLE {schema}stockyard_outbox RENAME TO away")

    async def is_told() -> bool:
        return await probe(f"{url}/ready") == (503, {"outbox relay": False})

    await eventually(is_told)
    assert await outbox_metrics(url, table) == {"up": 0}
    # To start the process again would not help.
    assert await probe(f"{url}/live") == (200, {})
    database.change("ALTER TABLE {schema}away RENAME TO stockyard_outbox")

    async def is_well() -> bool:
        return await probe(f"{url}/ready") == (200, {"outbox relay": True})

    await eventually(is_well)
    assert (await outbox_metrics(url, table))["up"] == 1
