"""managing.release_deduplication: an id is freed by the job that has it."""

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace


async def test_the_owner_frees_it_and_nobody_else(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"de:mine": "7", "de:theirs": "8"})
    assert not await managing.release_deduplication(keyspace, "mine", "8")
    assert keys.all() == {"de:mine": "7", "de:theirs": "8"}
    assert await managing.release_deduplication(keyspace, "mine", "7")
    assert keys.all() == {"de:theirs": "8"}


async def test_one_that_nobody_has_is_not_freed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert not await managing.release_deduplication(keyspace, "mine", "7")
    assert keys.all() == {}
