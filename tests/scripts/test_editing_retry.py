"""editing.retry: a finished job waits again."""

from typing import Any

import pytest

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

COUNTED = {"atm": 2, "ats": 2, "stacktrace": "[]"}


@pytest.mark.parametrize(("state", "result"), [("failed", "failedReason"), ("completed", "returnvalue")])
async def test_its_end_is_forgotten_and_its_attempts_are_not(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, result: str
) -> None:
    ended = {result: "1", "finishedOn": NOW, "processedOn": NOW}
    keys.put({"1": record(**COUNTED, **ended), state: Sorted({"1": NOW}), "wait": ["8"]})
    assert await editing.retry(keyspace, "1", state=state) == 0
    assert keys.all() == {
        "1": record(**COUNTED),
        "wait": ["1", "8"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", state]],
    }


async def test_lifo_and_priority_are_honoured(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(opts='{"lifo":true}'), "2": record(priority=4), "failed": Sorted({"1": 1, "2": 1})})
    keys.put({"wait": ["8"]})
    assert [await editing.retry(keyspace, job_id) for job_id in ("1", "2")] == [0, 0]
    assert keys.get("wait") == ["8", "1"]
    assert keys.get("prioritized") == Sorted({"2": 4 * 2**32 + 1})


async def test_broken_options_do_not_stand_in_the_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(opts="5"), "failed": Sorted({"1": 1})})
    assert await editing.retry(keyspace, "1") == 0
    assert keys.get("wait") == ["1"]


@pytest.mark.parametrize("kept", ["unsuccessful", "failed", "processed"])
async def test_its_parent_counts_on_it_again(keyspace: QueueKeyspace, keys: Keyspace, kept: str) -> None:
    child = keyspace.base + "1"
    known = Sorted({child: 1}) if kept == "unsuccessful" else {child: "1"}
    state = "completed" if kept == "processed" else "failed"
    keys.put(
        {"p": record(), f"p:{kept}": known, "1": record(parentKey=keyspace.base + "p"), state: Sorted({"1": 1})}
    )
    assert await editing.retry(keyspace, "1", state=state) == 0
    assert keys.get("p:dependencies") == {child}
    assert keys.get(f"p:{kept}") is None


@pytest.mark.parametrize(
    ("place", "state"),
    [
        ({"wait": ["1"]}, "waiting"),
        ({"active": ["1"]}, "active"),
        ({"delayed": Sorted({"1": 1})}, "delayed"),
        ({"prioritized": Sorted({"1": 1})}, "prioritized"),
        ({"waiting-children": Sorted({"1": 1})}, "waiting-children"),
        ({"completed": Sorted({"1": 1})}, "completed"),
        ({}, "unknown"),
    ],
)
async def test_what_has_not_failed_stays(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any], state: str
) -> None:
    before = {"1": record(), **place}
    keys.put(before)
    assert await editing.retry(keyspace, "1") == state
    assert await editing.retry(keyspace, "2") == ReplyCode.JOB_MISSING
    assert keys.all() == before


async def test_its_attempts_may_begin_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(**COUNTED, stc=2, failedReason="no"), "failed": Sorted({"1": NOW})})
    assert await editing.retry(keyspace, "1", reset_attempts=True) == 0
    assert keys.get("1") == record(stacktrace="[]")


@pytest.mark.parametrize(("reset", "left"), [("made", {"ats": 3, "stc": 2}), ("started", {"atm": 3, "stc": 2})])
async def test_one_of_its_numbers_may_begin_again(
    keyspace: QueueKeyspace, keys: Keyspace, reset: Any, left: dict[str, int]
) -> None:
    keys.put({"1": record(atm=3, ats=3, stc=2, failedReason="no"), "failed": Sorted({"1": NOW})})
    assert await editing.retry(keyspace, "1", reset_attempts=reset) == 0
    assert keys.get("1") == record(**left)


async def test_a_job_with_pending_children_waits_for_them(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    mine = {"parentKey": keyspace.base + "1", "parent": "{}"}
    keys.put({"1": record(), "failed": Sorted({"1": 1}), "1:dependencies": {keyspace.base + "a"}})
    keys.put({"a": record(**mine), "wait": ["a"]})
    assert await editing.retry(keyspace, "1") == 0
    assert (keys.get("waiting-children"), keys.get("wait")) == (Sorted({"1": NOW}), ["a"])
    assert keys.get("events") == [["waiting-children", "1", "failed"]]


async def test_a_job_waits_for_the_children_that_failed_it(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    child = keyspace.base + "a"
    keys.put({"1": record(), "failed": Sorted({"1": 1, "a": 1}), "1:unsuccessful": Sorted({child: 1})})
    keys.put({"a": record(parentKey=keyspace.base + "1", parent='{"fpof":true}')})
    assert await editing.retry(keyspace, "1") == 0
    assert (keys.get("waiting-children"), keys.get("1:dependencies"), keys.get("1:unsuccessful")) == (
        Sorted({"1": NOW}),
        {child},
        None,
    )
    assert await editing.retry(keyspace, "a") == 0
    assert (keys.get("1:dependencies"), keys.get("wait")) == ({child}, ["a"])


@pytest.mark.parametrize(
    ("kept", "state", "policy", "known"),
    [
        (True, "completed", "", ("processed", "5")),
        (True, "failed", "idof", ("failed", "no")),
        (True, "failed", "cpof", ("failed", "no")),
        (True, "failed", "rdof", None),
        (False, "", "", None),
    ],
)
async def test_a_job_does_not_wait_for_what_cannot_end_any_more(
    keyspace: QueueKeyspace, keys: Keyspace, kept: bool, state: str, policy: str, known: tuple[str, str] | None
) -> None:
    child = keyspace.base + "a"
    keys.put({"1": record(), "failed": Sorted({"1": 1}), "1:dependencies": {child}})
    if kept:
        keys.put({"a": record(parentKey=keyspace.base + "1", parent=f'{{"{policy}":true}}')})
        keys.put({"a": {"returnvalue": "5", "failedReason": "no"}, state: Sorted({"a": 1})})
    assert await editing.retry(keyspace, "1") == 0
    assert (keys.get("wait"), keys.get("1:dependencies"), keys.get("waiting-children")) == (["1"], None, None)
    if known:
        assert keys.get(f"1:{known[0]}") == {child: known[1]}


async def test_many_children_are_settled_part_by_part(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    children = {f"{keyspace.base}c{number}" for number in range(1000)}
    keys.put({"1": record(), "failed": Sorted({"1": 1}), "1:dependencies": children})
    assert await editing.retry(keyspace, "1") == 0
    assert (keys.get("wait"), keys.get("1:dependencies")) == (["1"], None)


@pytest.mark.parametrize(
    "place", [{"wait": ["p"]}, {"delayed": Sorted({"p": 1})}, {"prioritized": Sorted({"p": 1})}]
)
async def test_its_parent_waits_for_it_if_it_has_not_begun(
    keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any]
) -> None:
    child = keyspace.base + "1"
    link = f'{{"id":"p","queueKey":"{keyspace.base[:-1]}"}}'
    keys.put({"p": record(), "p:processed": {child: "1"}, **place})
    keys.put({"1": record(parentKey=keyspace.base + "p", parent=link), "completed": Sorted({"1": 1})})
    assert await editing.retry(keyspace, "1", state="completed") == 0
    assert (keys.get("waiting-children"), keys.get("p:dependencies")) == (Sorted({"p": NOW}), {child})
    assert keys.get("wait") == ["1"]


@pytest.mark.parametrize(
    ("options", "age", "expires"),
    [
        ('{"expiresIn":2000}', 2000, True),
        ('{"expiresIn":2000}', 1999, False),
        ('{"delay":500,"expiresIn":2000}', 2499, False),
        ('{"delay":500,"expiresIn":2000}', 2500, True),
        (f'{{"expiresAt":{NOW}}}', 0, True),
        (f'{{"expiresAt":{NOW + 1}}}', 9000, False),
        (f'{{"expiresIn":2000,"coalesce":{{"key":"A","replaced":1,"renewed":{NOW - 1999}}}}}', 9000, False),
        (f'{{"expiresIn":2000,"coalesce":{{"key":"A","replaced":1,"renewed":{NOW - 2000}}}}}', 9000, True),
        ('{"expiresIn":"soon"}', 9000, False),
        ('{"expiresAt":', 9000, False),
    ],
)
async def test_one_that_has_expired_stays(
    keyspace: QueueKeyspace, keys: Keyspace, options: str, age: int, expires: bool
) -> None:
    keys.put({"1": record(opts=options, timestamp=NOW - age), "failed": Sorted({"1": 1})})
    before = keys.all()
    assert await editing.retry(keyspace, "1") == (ReplyCode.JOB_EXPIRED if expires else 0)
    assert (keys.all() == before) is expires
