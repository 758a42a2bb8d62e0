"""finishing.finish: a run whose end cannot be written keeps no other from ending, and its job stays active."""

from typing import Any

import pytest

from stockyard._store.jobs.finishing import EndedRun, FinishReply, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried, WaitingChildren
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.runs import DONE, STARTED, finish, running

FAILED = Failed("no", (), 1, None)
BROKEN = "no such type"


def put_runs(keys: Keyspace, changed: dict[str, Any]) -> None:
    """Three running jobs, then other keys in place of theirs."""
    for job_id in ("1", "2", "3"):
        keys.put(running(job_id))
    for name in changed:
        keys.delete(name)
    keys.put(changed)


@pytest.mark.parametrize("outcome", [DONE, Completed("null", True), FAILED, Requeued(), Delayed(5)])
async def test_a_lock_of_another_type(keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome) -> None:
    put_runs(keys, {"2:lock": ["w:1"]})
    codes = (await finish(keyspace, ("1", DONE), ("2", outcome), ("3", DONE))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])
    assert (keys.get("active"), keys.get("completed")) == (["2"], Sorted({"1": NOW, "3": NOW}))
    assert (keys.get("2"), keys.get("2:lock"), keys.get("stalled")) == (record(**STARTED), ["w:1"], {"2"})


@pytest.mark.parametrize("outcome", [DONE, FAILED, Retried("no", (), 0, False)])
async def test_a_record_of_another_type(keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome) -> None:
    put_runs(keys, {"2": ["no record"]})
    codes = (await finish(keyspace, ("1", DONE), ("2", outcome), ("3", DONE))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])
    assert (keys.get("active"), keys.get("completed")) == (["2"], Sorted({"1": NOW, "3": NOW}))


@pytest.mark.parametrize("outcome", [DONE, Completed("null", True), Failed("no", (), 1, None)])
async def test_a_parent_whose_keys_are_of_another_type(
    keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome
) -> None:
    tie = {"parentKey": keyspace.base + "p", "parent": '{"id":"p","queueKey":"q","fpof":true}'}
    put_runs(keys, running("2", **tie) | {"p:dependencies": "no set", "active": ["1", "2", "3"]})
    codes = (await finish(keyspace, ("1", DONE), ("2", outcome), ("3", FAILED))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])
    assert (keys.get("active"), keys.get("2:lock"), keys.get("stalled")) == (["2"], "w:1", {"2"})
    assert keys.get("2") == record(**STARTED, **tie)
    assert (keys.get("completed"), keys.get("failed")) == (Sorted({"1": NOW}), Sorted({"3": NOW}))


@pytest.mark.parametrize(
    ("place", "broken", "other"),
    [
        ("completed", DONE, FAILED),
        ("failed", FAILED, DONE),
        ("delayed", Delayed(9), DONE),
        ("delayed", Retried("no", (), 9, False), DONE),
        ("wait", Requeued(), DONE),
        ("waiting-children", WaitingChildren(), DONE),
    ],
)
async def test_a_place_for_ended_runs_of_another_type(
    keyspace: QueueKeyspace, keys: Keyspace, place: str, broken: Outcome, other: Outcome
) -> None:
    put_runs(keys, {place: BROKEN, "2:dependencies": {"c"}} if place == "waiting-children" else {place: BROKEN})
    codes = (await finish(keyspace, ("1", other), ("2", broken), ("3", other))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])
    assert (keys.get("active"), keys.get("2:lock"), keys.get("stalled")) == (["2"], "w:1", {"2"})
    assert "finishedOn" not in keys.get("2")
    assert {key: keys.get(key) for key in ("1:lock", "3:lock")} == {"1:lock": None, "3:lock": None}
    assert {event[1] for event in keys.get("events")} == {"1", "3"}


async def test_an_active_list_of_another_type(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    put_runs(keys, {"active": BROKEN})
    codes = (await finish(keyspace, ("1", DONE), ("2", FAILED))).codes
    assert ["WRONGTYPE" in str(code) for code in codes] == [True, True]
    assert (keys.get("1"), keys.get("completed"), keys.get("events")) == (record(**STARTED), None, None)


async def test_the_oldest_of_others_keep_their_order(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id in ("1", "2", "3"):
        keys.put(running(job_id))
    keys.delete("active")
    keys.put({"active": ["8", "3", "7", "2", "6", "1", "5", "4"]})
    assert (await finish(keyspace, ("1", DONE), ("2", DONE), ("3", DONE))).codes == [0, 0, 0]
    assert keys.get("active") == ["8", "7", "6", "5", "4"]


async def test_what_is_not_active_among_others(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id in ("1", "2", "3"):
        keys.put(running(job_id))
    keys.delete("active")
    keys.put({"active": ["3", "9", "1"]})
    assert (await finish(keyspace, ("1", DONE), ("2", DONE), ("3", DONE))).codes == [0, -3, 0]
    assert (keys.get("active"), keys.get("2")) == (["9"], record(**STARTED))


async def test_a_run_that_is_sent_twice_ends_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running())
    assert (await finish(keyspace, ("1", DONE), ("1", DONE))).codes == [0, -3]
    assert [event[0] for event in keys.get("events")] == ["completed", "drained"]


async def test_a_parent_ends_behind_its_last_child(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    """Children that end in the same call count, whether they end before or after."""
    tie = {"parentKey": keyspace.base + "1", "parent": f'{{"id":"1","queueKey":"{keyspace.base[:-1]}"}}'}
    keys.put(running("1") | {"1:dependencies": {keyspace.base + "2"}})
    keys.put(running("2", **tie))
    assert (await finish(keyspace, ("1", DONE), ("2", DONE), ("1", DONE))).codes == [-4, 0, 0]
    assert keys.get("completed") == Sorted({"1": NOW, "2": NOW})


async def test_runs_of_several_tokens_in_one_call(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id, token in {"1": "w:1", "2": "w:2", "3": "w:2", "4": "w:1"}.items():
        keys.put(running(job_id) | {f"{job_id}:lock": token})
    ended = [EndedRun("1", "w:1", DONE), EndedRun("2", "w:2", DONE), EndedRun("3", "w:1", DONE)]
    reply = await finish_and_take(keyspace, [*ended, EndedRun("4", "w:1", DONE)], TakeRequest(0, "", 30_000))
    assert reply == FinishReply([0, 0, -6, 0], [], 0, 0, NOW)


async def test_each_way_to_keep_records_is_its_own(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    """True removes the record at once, and 1 keeps it alone; they are equal in Python."""
    for job_id in ("1", "2", "3", "4"):
        keys.put(running(job_id))
    ways = {"1": True, "2": False, "3": 1, "4": True}
    ended = [(job_id, Completed("null", keep)) for job_id, keep in ways.items()]
    assert (await finish(keyspace, *ended)).codes == [0, 0, 0, 0]
    assert keys.get("completed") == Sorted({"3": NOW})
    assert [name for name in keys.names() if name in ways] == ["3"]
