"""reading.health: numbers of queues at one moment."""

from stockyard._store.link import QueueLink
from stockyard._store.reading import QueueFacts, read_facts
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_an_empty_queue(link: QueueLink, keys: Keyspace) -> None:
    assert await read_facts([link]) == [QueueFacts(*[0] * 13)]
    assert keys.all() == {}


async def test_every_state_is_counted(link: QueueLink, keys: Keyspace) -> None:
    keys.put(
        {
            "wait": ["b", "a"],
            "prioritized": Sorted({"p1": 2**32 + 1, "p2": 5 * 2**32 + 2, "p3": 5 * 2**32 + 3}),
            "active": ["r2", "r1"],
            "delayed": Sorted({"d": 1}),
            "waiting-children": Sorted({"w": 1}),
            "completed": Sorted({"c1": 1, "c2": 2}),
            "failed": Sorted({"f": 1}),
            "repeat": Sorted({"s1": 1, "s2": 2}),
            "paused": ["x"],
            "meta": {"paused": "1"},
            "a": record(timestamp=NOW - 2000),
            "p1": record(timestamp=NOW - 1000),
            "p2": record(timestamp=NOW - 9000),
            "p3": record(timestamp=NOW - 100),
            "r1": record(processedOn=NOW - 7000),
            "r2": record(processedOn=NOW - 1),
        }
    )
    assert await read_facts([link]) == [
        QueueFacts(
            wait=2,
            prioritized=3,
            active=2,
            delayed=1,
            waiting_children=1,
            completed=2,
            failed=1,
            legacy_paused=1,
            is_paused=1,
            waiting_since=NOW - 9000,
            running_since=NOW - 7000,
            schedules=2,
            workers=0,
        )
    ]
