"""effects.forget: nothing of a queue's effects is left."""

from stockyard._store.effects import forget_all
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace
from tests.scripts.effects import begin, locked, report


async def test_effects_of_every_outcome_go(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    for number in range(700):
        await begin(keyspace, f"n{number}", key=f"k{number}")
    await begin(keyspace)
    await report(keyspace, "unknown")
    await forget_all(keyspace)
    assert keys.names() == ["7", "7:lock", "events", "meta"]
    await forget_all(keyspace)
