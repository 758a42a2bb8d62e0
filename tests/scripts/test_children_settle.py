"""children.settle: what a finished job is to wait for when it is retried."""

from stockyard._store import children
from stockyard._store.link import QueueLink
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_only_what_may_still_end_stays_pending(link: QueueLink, keys: Keyspace) -> None:
    mine = {"parentKey": link.base + "p", "parent": "{}"}
    names = ("waits", "broken", "done", "gone", "lent")
    keys.put({"p": record(), "failed": Sorted({"p": 1, "broken": 1}), "completed": Sorted({"done": 1})})
    keys.put({"p:dependencies": {link.base + name for name in names if name != "broken"}})
    keys.put({"p:unsuccessful": Sorted({link.base + "broken": NOW})})
    keys.put({name: record(**mine) for name in ("waits", "broken")})
    keys.put({"done": record(**mine, returnvalue="7"), "lent": record(parentKey=link.base + "other")})
    await children.settle(link, link.keys.job("p"))
    assert keys.get("p:dependencies") == {link.base + "waits", link.base + "broken"}
    assert keys.get("p:processed") == {link.base + "done": "7"}
    assert keys.get("p:unsuccessful") is None
    assert keys.get("failed") == Sorted({"p": 1, "broken": 1})
