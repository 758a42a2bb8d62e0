"""scheduling.restore: a missing next run is made once, and announced."""

import json
from typing import Any

import pytest

from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.test_scheduling_look import COUNTED
from tests.scripts.test_scheduling_upsert import HOUR


def lost(due: int, **fields: Any) -> dict[str, Any]:
    stored = {
        "name": "work",
        "every": HOUR,
        "offset": due % HOUR,
        "ic": 4,
        "missing": due,
        "data": "[1]",
        **fields,
    }
    return {"repeat": Sorted({"s": due}), "repeat:s": {name: str(value) for name, value in stored.items()}}


async def test_a_run_that_was_to_come_is_made_as_it_was(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    due = NOW + 5000
    keys.put(lost(due, opts='{"kl":3,"priority":2}'))
    run = f"repeat:s:{due}"
    assert await scheduling.restore(keyspace, "s") == run
    stored = keys.get(run)
    assert json.loads(stored.pop("opts")) == {
        "jobId": run,
        "delay": 5000,
        "timestamp": NOW,
        "repeatJobKey": "s",
        "repeat": {"every": HOUR, "offset": due % HOUR, "count": 4},
        "kl": 3,
        "priority": 2,
    }
    assert stored == {
        "name": "work", "data": "[1]", "timestamp": str(NOW), "delay": "5000", "priority": "2", "rjk": "s",
    }  # fmt: skip
    assert (keys.get("repeat:s")["ic"], keys.get("repeat:s").get("missing")) == ("4", None)
    assert keys.get("delayed") == Sorted({run: due * 4096.0})
    assert keys.get("events") == [
        ["added", run, "work"],
        ["delayed", run, str(due)],
        ["schedule-repaired", run, "s"],
    ]


@pytest.mark.parametrize("is_finished", [True, False])
async def test_after_a_time_that_is_past_the_next_one_is_made(
    keyspace: QueueKeyspace, keys: Keyspace, is_finished: bool
) -> None:
    past = NOW - 2 * HOUR - 10
    keys.put(lost(past))
    if is_finished:
        keys.put({f"repeat:s:{past}": record(opts=COUNTED), "failed": Sorted({f"repeat:s:{past}": NOW})})
    following = past + 3 * HOUR
    assert await scheduling.restore(keyspace, "s") == f"repeat:s:{following}"
    assert (keys.get("repeat"), keys.get("repeat:s")["ic"]) == (Sorted({"s": following}), "5")
    options = json.loads(keys.get(f"repeat:s:{following}")["opts"])
    assert options["repeat"]["count"] == (3 if is_finished else 5)


async def test_a_pattern_goes_on_with_its_next_time(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(lost(NOW - 70_000, every="", pattern="* * * * *", tz="UTC"))
    minute = NOW // 60_000 * 60_000 + 60_000
    assert await scheduling.restore(keyspace, "s") == f"repeat:s:{minute}"
    assert json.loads(keys.get(f"repeat:s:{minute}")["opts"])["prevMillis"] == minute


@pytest.mark.parametrize(
    "found",
    [
        {f"repeat:s:{NOW}": record(), "wait": [f"repeat:s:{NOW}"]},
        {f"repeat:s:{NOW + HOUR}": record()},
        {"repeat:s": {"missing": "1"}},
    ],
)
async def test_what_is_not_missing_any_more_is_left_alone(
    keyspace: QueueKeyspace, keys: Keyspace, found: Any
) -> None:
    keys.put(lost(NOW))
    keys.put(found)
    before = keys.all()
    assert await scheduling.restore(keyspace, "s") is None
    assert keys.all() == before


async def test_a_schedule_that_was_removed_is_not_made_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await scheduling.restore(keyspace, "s") is None
    assert keys.all() == {}


async def test_it_is_made_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(lost(NOW - 1))
    assert await scheduling.restore(keyspace, "s")
    before = keys.all()
    assert await scheduling.restore(keyspace, "s") is None
    assert keys.all() == before
