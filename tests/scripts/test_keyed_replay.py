"""keyed.replay: the failed job of a parked key runs again, before the next."""

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.keyed import lined_up, standing


async def test_it_waits_again_with_all_of_its_attempts(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    failed = record(atm=3, ats=3, failedReason="no", finishedOn=NOW, processedOn=NOW)
    keys.put({**standing("A", "1"), **lined_up("A", "2"), "1": failed, "failed": Sorted({"1": NOW})})
    keys.put({":keys:parked": {"A": "1"}})
    assert await keyed.replay(keyspace, "A") == (0, "1")
    assert (keys.get("wait"), keys.get("failed"), keys.get("1")) == (["1"], None, record())
    assert (keys.get(":keys:parked"), keys.get(":keys:heads")) == (None, {"1": "A"})
    assert keys.get(":key:A") == Sorted({"2": 2})
    assert keys.get("events") == [["waiting", "1", "failed"], ["key", "1", "A", "resumed"]]


async def test_one_that_was_tried_again_already(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1"), "1": record(), "active": ["1"], ":keys:parked": {"A": "1"}})
    assert await keyed.replay(keyspace, "A") == (0, "1")
    assert (keys.get("active"), keys.get("wait"), keys.get(":keys:parked")) == (["1"], None, None)


async def test_what_cannot_be_replayed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({":keys:parked": {"A": "1"}, **standing("A", "1")})
    before = keys.all()
    assert await keyed.replay(keyspace, "A") == (ReplyCode.JOB_MISSING, "")
    assert await keyed.replay(keyspace, "B") == (ReplyCode.WRONG_STATE, "")
    assert keys.all() == before


async def test_its_children_are_settled_first(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    child = f"{keyspace.base}9"
    keys.put({**standing("A", "1"), "1": record(), "failed": Sorted({"1": NOW}), ":keys:parked": {"A": "1"}})
    keys.put({"1:unsuccessful": Sorted({child: NOW}), "9": record(parentKey=f"{keyspace.base}1")})
    assert await keyed.replay(keyspace, "A") == (0, "1")
    assert keys.get("waiting-children") == Sorted({"1": NOW})
    assert keys.get("1:dependencies") == {child}


async def test_one_that_has_expired_leaves_its_key_parked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    late = record(opts='{"attempts":1,"expiresIn":2000}', timestamp=NOW - 2000, failedReason="no")
    keys.put({**standing("A", "1"), **lined_up("A", "2"), "1": late, "failed": Sorted({"1": NOW})})
    keys.put({":keys:parked": {"A": "1"}})
    before = keys.all()
    assert await keyed.replay(keyspace, "A") == (ReplyCode.JOB_EXPIRED, "1")
    assert keys.all() == before
