"""editing.priority: a job that waits moves to the place that its new priority gives it."""

import pytest

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import Keyspace, Sorted, record

CLASS = 2**32


@pytest.mark.parametrize(
    ("old", "priority", "lifo", "wait", "prioritized"),
    [
        (0, 3, False, ["8"], {"9": 3 * CLASS + 1, "1": 3 * CLASS + 2}),
        (0, 3, True, ["8"], {"9": 3 * CLASS + 1, "1": 3 * CLASS}),
        (0, 0, False, ["1", "8"], {"9": 3 * CLASS + 1}),
        (0, 0, True, ["8", "1"], {"9": 3 * CLASS + 1}),
        (5, 0, False, ["1", "8"], {"9": 3 * CLASS + 1}),
        (5, 1, False, ["8"], {"9": 3 * CLASS + 1, "1": CLASS + 2}),
    ],
)
async def test_it_moves(
    keyspace: QueueKeyspace,
    keys: Keyspace,
    old: int,
    priority: int,
    lifo: bool,
    wait: list[str],
    prioritized: dict[str, float],
) -> None:
    keys.put({"1": record(priority=old), "8": record(), "9": record(priority=3), "pc": "1"})
    keys.put({"wait": ["8"] if old else ["1", "8"], "prioritized": Sorted({"9": 3 * CLASS + 1})})
    if old:
        keys.put({"prioritized": Sorted({"1": old * CLASS})})
    assert await editing.change_priority(keyspace, "1", priority, lifo=lifo) == 0
    assert keys.get("1") == record(priority=priority)
    assert (keys.get("wait"), keys.get("prioritized")) == (wait, Sorted(prioritized))
    assert keys.get("marker") == Sorted({"0": 0})
    assert keys.get("events") is None


async def test_a_job_that_does_not_wait_keeps_its_place(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "delayed": Sorted({"1": 5}), "2": record(), "active": ["2"]})
    assert [await editing.change_priority(keyspace, job_id, 4, lifo=True) for job_id in ("1", "2")] == [0, 0]
    assert keys.all() == {
        "1": record(priority=4),
        "delayed": Sorted({"1": 5}),
        "2": record(priority=4),
        "active": ["2"],
    }


async def test_nobody_is_woken_on_a_paused_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"], "meta": {"paused": "1"}})
    assert await editing.change_priority(keyspace, "1", 4, lifo=False) == 0
    assert keys.get("marker") is None


async def test_what_does_not_exist_is_not_made(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await editing.change_priority(keyspace, "1", 4, lifo=False) == ReplyCode.JOB_MISSING
    assert keys.all() == {}
