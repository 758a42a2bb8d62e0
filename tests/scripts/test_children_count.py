"""children.count: how many children there are of each kind."""

from stockyard._store.jobs.children import count_children
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted


async def test_a_job_without_children(keyspace: QueueKeyspace) -> None:
    assert set((await count_children(keyspace, "par")).values()) == {0}


async def test_every_kind(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par:processed": {"a": "1", "b": "1", "c": "1", "d": "1"}, "par:dependencies": {"e", "f", "g"}})
    keys.put({"par:failed": {"h": "no", "i": "no"}, "par:unsuccessful": Sorted({"j": NOW})})
    assert await count_children(keyspace, "par") == {"processed": 4, "unprocessed": 3, "ignored": 2, "failed": 1}
