"""managing.pause: nothing starts any more."""

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted, record


async def test_what_waits_stays_and_nobody_is_woken(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"], "marker": Sorted({"0": 0, "1": 5})})
    await managing.pause(keyspace)
    assert keys.all() == {"1": record(), "wait": ["1"], "events": [["paused"]]}
    assert keys.get("meta") == {"paused": "1"}
