"""managing.retry: what ended runs again."""

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

COUNTED = {"atm": 2, "ats": 2, "stacktrace": "[]"}


@pytest.mark.parametrize(("state", "result"), [("failed", "failedReason"), ("completed", "returnvalue")])
async def test_each_waits_again_as_its_options_say(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, result: str
) -> None:
    ended = {**COUNTED, result: "1", "finishedOn": NOW, "processedOn": NOW}
    keys.put({"1": record(**ended), "2": record(**ended, priority=3), "3": record(**ended, opts='{"lifo":true}')})
    keys.put({state: Sorted({"1": NOW - 3, "2": NOW - 2, "3": NOW - 1}), "wait": ["8"]})
    assert await managing.retry_all(keyspace, state, NOW, None) == 3
    assert keys.all() == {
        "1": record(**COUNTED),
        "2": record(**COUNTED, priority=3),
        "3": record(**COUNTED, opts='{"lifo":true}'),
        "wait": ["1", "8", "3"],
        "prioritized": Sorted({"2": 3 * 2**32 + 1}),
        "pc": "1",
        "marker": Sorted({"0": 0}),
        "events": [["waiting", job_id, state] for job_id in "123"],
    }


async def test_what_ended_later_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "2": record(), "failed": Sorted({"1": NOW - 5, "2": NOW - 4})})
    assert await managing.retry_all(keyspace, "failed", NOW - 5, None) == 1
    assert keys.get("failed") == Sorted({"2": NOW - 4})


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 9, None])
async def test_many_go_part_by_part(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch, limit: int | None
) -> None:
    monkeypatch.setattr(managing, "CHUNK", 2)
    keys.put({str(number): record() for number in range(5)})
    keys.put({"failed": Sorted({str(number): number for number in range(5)})})
    expected = 5 if limit is None else min(limit, 5)
    assert await managing.retry_all(keyspace, "failed", NOW, limit) == expected
    assert (keys.get("wait") or [])[::-1] == [str(number) for number in range(expected)]


async def test_its_parent_counts_on_it_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    child = keyspace.base + "1"
    keys.put({"p": record(), "p:failed": {child: "no"}, "1": record(parentKey=keyspace.base + "p")})
    keys.put({"failed": Sorted({"1": 1})})
    assert await managing.retry_all(keyspace, "failed", NOW, None) == 1
    assert (keys.get("p:dependencies"), keys.get("p:failed")) == ({child}, None)


async def test_an_odd_key_does_not_stand_in_the_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "2": "text", "3": record(), "failed": Sorted({"1": 1, "2": 2, "3": 3})})
    assert await managing.retry_all(keyspace, "failed", NOW, None) == 2
    assert (keys.get("wait"), keys.get("failed")) == (["3", "1"], None)


async def test_an_id_without_a_record_is_cleared(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"failed": Sorted({"1": 1})})
    assert await managing.retry_all(keyspace, "failed", NOW, None) == 0
    assert keys.get("failed") is None
    assert keys.get("wait") is None


@pytest.mark.parametrize("chunk", [1, 2, 3, 9])
async def test_those_that_have_expired_stay_and_keep_no_other_from_its_turn(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(managing, "CHUNK", chunk)
    late = record(opts='{"expiresIn":5}', timestamp=NOW - 5)
    keys.put({"1": late, "2": record(), "3": late, "4": late, "5": record()})
    keys.put({"failed": Sorted({str(number): number for number in range(1, 6)})})
    assert await managing.retry_all(keyspace, "failed", NOW, 2) == 2
    assert (keys.get("wait"), keys.get("failed")) == (["5", "2"], Sorted({"1": 1, "3": 3, "4": 4}))
    assert keys.get("1") == late
