"""managing.pause: nothing starts any more."""

from stockyard._store import managing
from stockyard._store.link import QueueLink
from tests.scripts.conftest import Keyspace, Sorted, record


async def test_what_waits_stays_and_nobody_is_woken(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"], "marker": Sorted({"0": 0, "1": 5})})
    await managing.pause(link)
    assert keys.all() == {"1": record(), "wait": ["1"], "events": [["paused"]]}
    assert keys.get("meta") == {"paused": "1"}
