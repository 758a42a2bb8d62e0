"""children.settle: what a finished job is to wait for when it is retried."""

from stockyard._store.jobs import children
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_only_what_may_still_end_stays_pending(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    mine = {"parentKey": keyspace.base + "p", "parent": "{}"}
    names = ("waits", "broken", "done", "gone", "lent")
    keys.put({"p": record(), "failed": Sorted({"p": 1, "broken": 1}), "completed": Sorted({"done": 1})})
    keys.put({"p:dependencies": {keyspace.base + name for name in names if name != "broken"}})
    keys.put({"p:unsuccessful": Sorted({keyspace.base + "broken": NOW})})
    keys.put({name: record(**mine) for name in ("waits", "broken")})
    keys.put({"done": record(**mine, returnvalue="7"), "lent": record(parentKey=keyspace.base + "other")})
    await children.settle(keyspace, keyspace.keys.job("p"))
    assert keys.get("p:dependencies") == {keyspace.base + "waits", keyspace.base + "broken"}
    assert keys.get("p:processed") == {keyspace.base + "done": "7"}
    assert keys.get("p:unsuccessful") is None
    assert keys.get("failed") == Sorted({"p": 1, "broken": 1})
