"""indexing.note: jobs under values of their payloads; those whose records are gone are forgotten bit by bit."""

import pytest

from stockyard._store.jobs import indexing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.search_index import entry_of
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


@pytest.fixture
def indexed(keyspace: QueueKeyspace) -> QueueKeyspace:
    keyspace.indexed = ("symbol", "legs.0.venue")
    return keyspace


def entries(*entries: str) -> Sorted:
    return Sorted(dict.fromkeys(entries, 0))


async def test_jobs_stand_under_each_declared_value_that_they_have(indexed: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: record() for each in "123"})
    jobs = [
        ('{"symbol":"BTC","legs":[{"venue":7}]}', NOW, "1"),
        ('{"symbol":null,"legs":[]}', NOW, "2"),
        ("no JSON", NOW, "3"),
        ("[1]", NOW, "4"),
    ]
    await indexing.note(indexed, jobs)
    assert keys.all() == {
        **{each: record() for each in "123"},
        ":index:symbol": entries(entry_of("btc", NOW, "1"), entry_of("null", NOW, "2")),
        ":index:legs.0.venue": entries(entry_of("7", NOW, "1")),
    }


async def test_what_is_gone_is_forgotten_by_later_notes(indexed: QueueKeyspace, keys: Keyspace) -> None:
    gone = [entry_of(f"v{number}", NOW, f"gone-{number}") for number in range(50)]
    keys.put({":index:symbol": entries(*gone, "no entry"), "there": record()})
    keys.put({"a\0b:c": record()})
    for _ in range(400):
        await indexing.note(indexed, [('{"symbol":"X\\u0000Y"}', NOW, "a\0b:c")])
    assert keys.all()[":index:symbol"] == entries(entry_of("x y", NOW, "a\0b:c"))


async def test_a_job_is_found_by_its_value_the_newest_first(indexed: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: record(name=each) for each in ("1", "2", "3", "other")})
    noted = [("BTC", 1, "1"), ("btc", 3, "3"), ("BTC", 2, "2"), ("BTC2", 4, "other"), ("BTC", 5, "gone")]
    await indexing.note(indexed, [(f'{{"symbol":"{value}"}}', at, job_id) for value, at, job_id in noted])
    keys.put({":index:symbol": entries(*(entry_of(*each) for each in noted))})
    rows, skip = await indexing.read(indexed, "symbol", "btc", 0, 3)
    assert ([row.raw_id for row in rows], skip) == ([b"3", b"2"], 3)
    rows, skip = await indexing.read(indexed, "symbol", "btc", 3, 3)
    assert ([row.raw_id for row in rows], skip) == ([b"1"], None)
    assert await indexing.find_noted(indexed, "symbol", "btc", [(1, "1"), (2, "1"), (4, "other")]) == [
        True,
        False,
        False,
    ]
