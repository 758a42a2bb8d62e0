"""halting.change: halts are written and taken away, each with a version of its own and an entry of the audit."""

from stockyard._store import halting
from stockyard._store.halting import CurrentHalts
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW
from tests.scripts.halts import halt, record_of


async def test_a_halt_is_written_and_read(keyspace: QueueKeyspace) -> None:
    asked, of_key = halt("execution:*"), halt("execution:*", key="A1", since=NOW + 1)
    assert await halting.change(record_of(keyspace), asked, "halt") == (True, CurrentHalts(NOW, (asked,)))
    both = CurrentHalts(NOW + 1, (asked, of_key))
    assert await halting.change(record_of(keyspace), of_key, "halt") == (True, both)
    assert await halting.read(record_of(keyspace)) == both
    assert both.of("execution:orders") == (asked, of_key)
    assert both.of("portfolio") == ()


async def test_a_halt_is_taken_away_by_its_pattern_and_key(keyspace: QueueKeyspace) -> None:
    await halting.change(record_of(keyspace), halt(key="A1"), "halt")
    changed, found = await halting.change(record_of(keyspace), halt(), "resume")
    assert (changed, len(found.halts)) == (False, 1)
    assert await halting.change(record_of(keyspace), halt(key="A1"), "resume") == (True, CurrentHalts(NOW + 2, ()))


async def test_a_later_change_has_a_greater_version_whatever_the_clock_says(keyspace: QueueKeyspace) -> None:
    for since in (NOW, NOW - 5_000, NOW + 5_000):
        _, found = await halting.change(record_of(keyspace), halt(since=since), "halt")
    assert found.version == NOW + 5_000


async def test_who_did_it_and_why_is_kept(keyspace: QueueKeyspace) -> None:
    await halting.change(record_of(keyspace), halt("execution:*", key="A1"), "halt")
    await halting.change(record_of(keyspace), halt("execution:*", by="bob", reason="checked"), "resume")
    last, first = await halting.read_audit(record_of(keyspace), [keyspace], 10)
    assert (first.action, first.queues, first.key, first.by, first.reason) == (
        "halt",
        "execution:*",
        "A1",
        "ada",
        "runaway",
    )
    assert (last.action, last.key, last.by, last.reason) == ("resume", None, "bob", "checked")
    assert last.at >= first.at > NOW - 10**12
