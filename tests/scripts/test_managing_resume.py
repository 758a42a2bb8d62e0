"""managing.resume: jobs start again, those that a BullMQ 5 set aside among them."""

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted

PAUSED = {"meta": {"paused": "1"}}


@pytest.mark.parametrize(
    ("waiting", "marker"),
    [
        ({"wait": ["1"]}, {"0": 0}),
        ({"prioritized": Sorted({"1": 1})}, {"0": 0}),
        ({"delayed": Sorted({"1": NOW * 4096.0})}, {"1": NOW}),
        ({"wait": ["1"], "delayed": Sorted({"2": NOW * 4096.0})}, {"0": 0, "1": NOW}),
    ],
)
async def test_whoever_waits_is_woken(
    keyspace: QueueKeyspace, keys: Keyspace, waiting: dict[str, object], marker: dict[str, float]
) -> None:
    keys.put({**PAUSED, **waiting})
    await managing.resume(keyspace)
    assert keys.all() == {**waiting, "marker": Sorted(marker), "events": [["resumed"]]}
    assert keys.get("meta") is None


async def test_with_nothing_to_do_nobody_is_woken(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(PAUSED)
    await managing.resume(keyspace)
    assert keys.all() == {"events": [["resumed"]]}


async def test_what_was_set_aside_becomes_what_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**PAUSED, "paused": ["3", "2", "1"]})
    await managing.resume(keyspace)
    assert keys.all() == {"wait": ["3", "2", "1"], "marker": Sorted({"0": 0}), "events": [["resumed"]]}


async def test_what_was_set_aside_runs_before_what_waits(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 2)
    keys.put({**PAUSED, "paused": ["5", "4", "3", "2", "1"], "wait": ["7", "6"]})
    await managing.resume(keyspace)
    assert keys.all() == {
        "wait": ["7", "6", "5", "4", "3", "2", "1"],
        "marker": Sorted({"0": 0}),
        "events": [["resumed"]],
    }


async def test_the_queue_stays_paused_while_some_are_aside(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**PAUSED, "paused": ["3", "2", "1"], "wait": ["4"]})
    assert await keyspace.run(managing._RESUME, 2) == 1
    assert keys.get("meta") == {"paused": "1"}
    assert keys.all() == {"paused": ["1"], "wait": ["4", "3", "2"]}
