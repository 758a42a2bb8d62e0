"""scheduling.upsert: a record and one pending run, however often it is said."""

import json
from typing import Any

import pytest

from stockyard._store.jobs import scheduling
from stockyard._store.jobs.scheduling import NewSchedule
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.model.options import JobOptions
from stockyard.model.schedule import Timing
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

HOUR = 3_600_000
RUN = f"repeat:s:{NOW}"


async def upsert(keyspace: QueueKeyspace, *, due: int | None = None, data: str = "{}", **given: Any) -> Any:
    options = given.pop("options", JobOptions())
    policies = given.pop("misfire", "run_once"), given.pop("overlap", "allow")
    dues = given.pop("dues", () if due is None else (due,))
    new = NewSchedule(
        given.pop("id", "s"), given.pop("name", "work"), data, options, Timing(**given), *policies, dues
    )
    answer = await scheduling.upsert(keyspace, new)
    if isinstance(answer, int | scheduling.SlotTaken):
        return answer
    return answer.next_job_id, answer.next_run


def options_of(keys: Keyspace, run: str) -> Any:
    return json.loads(keys.get(run)["opts"])


async def test_the_first_run_of_an_interval_comes_at_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await upsert(keyspace, every_ms=HOUR, data='{"a":1}') == (RUN, NOW)
    assert options_of(keys, RUN) == {
        "jobId": RUN,
        "delay": 0,
        "timestamp": NOW,
        "repeatJobKey": "s",
        "repeat": {"every": HOUR, "count": 1},
    }
    assert keys.all() | {RUN: None} == {
        "repeat": Sorted({"s": NOW}),
        "repeat:s": {"name": "work", "every": str(HOUR), "offset": str(NOW % HOUR), "data": '{"a":1}', "ic": "1"},
        RUN: None,
        "wait": [RUN],
        "id": "1",
        "marker": Sorted({"0": 0}),
        "events": [["added", RUN, "work"], ["waiting", RUN]],
    }
    stored = keys.get(RUN)
    del stored["opts"]
    assert stored == {
        "name": "work",
        "data": '{"a":1}',
        "timestamp": str(NOW),
        "delay": "0",
        "priority": "0",
        "rjk": "s",
    }


async def test_a_pattern_s_run_is_delayed_until_its_time(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    due = NOW + 5000
    run, at = await upsert(keyspace, due=due, cron="* * * * *", tz="UTC", limit=3, end=NOW + HOUR, misfire="skip")
    assert (run, at) == (f"repeat:s:{due}", due)
    assert options_of(keys, run)["prevMillis"] == due
    assert options_of(keys, run)["repeat"] == {
        "pattern": "* * * * *", "tz": "UTC", "limit": 3, "endDate": NOW + HOUR, "count": 1,
    }  # fmt: skip
    assert keys.get("repeat:s") == {
        "name": "work", "pattern": "* * * * *", "tz": "UTC", "limit": "3", "endDate": str(NOW + HOUR),
        "offset": "0", "ic": "1", "misfire": "skip",
    }  # fmt: skip
    assert (keys.get("delayed"), keys.get("marker")) == (Sorted({run: due * 4096.0}), Sorted({"1": due}))
    assert keys.get("events") == [["added", run, "work"], ["delayed", run, str(due)]]


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({"start": NOW + 70}, NOW + 70),
        ({"start": NOW - 70}, NOW),
        ({"offset_ms": 1}, NOW // HOUR * HOUR + HOUR + 1),
        ({"offset_ms": NOW % HOUR + 5}, NOW + 5),
        ({"offset_ms": NOW % HOUR}, NOW + HOUR),
        ({"offset_ms": 7, "start": NOW + 70}, NOW + 70),
    ],
)
async def test_where_an_interval_begins(keyspace: QueueKeyspace, keys: Keyspace, given: Any, due: int) -> None:
    assert await upsert(keyspace, every_ms=HOUR, **given) == (f"repeat:s:{due}", due)
    assert keys.get("repeat:s")["offset"] == str(given.get("offset_ms", due % HOUR))


async def test_said_again_it_keeps_its_time_and_its_count(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any
) -> None:
    await upsert(keyspace, every_ms=HOUR, offset_ms=5)
    await keyspace.server.call("HINCRBY", keyspace.base + "repeat:s", "ic", 6)
    first = keys.all()
    later = keyspace_at(NOW + 1000)
    run, due = await upsert(later, every_ms=HOUR, name="other", options=JobOptions(priority=3, attempts=2))
    assert keys.get("delayed") == Sorted({run: due * 4096.0}) == first["delayed"]
    assert keys.get("repeat:s") == {
        "name": "other", "every": str(HOUR), "offset": "5", "ic": "7", "opts": '{"attempts":2,"priority":3}',
    }  # fmt: skip
    assert keys.get(run)["priority"] == "3"
    assert keys.get("id") == "2"
    # The old run goes without a word.
    assert [event[0] for event in keys.get("events")] == ["added", "delayed", "added", "delayed"]


async def test_a_new_interval_begins_anew(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR, offset_ms=5)
    assert await upsert(keyspace, every_ms=HOUR * 2) == (RUN, NOW)
    assert (keys.get("delayed"), keys.get("wait")) == (None, [RUN])


@pytest.mark.parametrize("place", ["wait", "paused", "prioritized", "delayed"])
async def test_the_pending_run_is_replaced_wherever_it_waits(
    keyspace: QueueKeyspace, keys: Keyspace, place: str
) -> None:
    stored = Sorted({RUN: 1.0}) if place in ("prioritized", "delayed") else ["1", RUN, "2"]
    keys.put({RUN: record(rjk="s"), place: stored, "repeat": Sorted({"s": NOW}), "repeat:s": {"ic": "1"}})
    due = NOW + 1000
    run, _ = await upsert(keyspace, due=due, cron="* * * * *")
    assert keys.get(RUN) is None
    assert keys.get("delayed") == Sorted({run: due * 4096.0})
    if isinstance(stored, list):
        assert keys.get(place) == ["1", "2"]


async def test_a_run_that_goes_on_is_left_alone(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({RUN: record(rjk="s"), "active": [RUN], "repeat": Sorted({"s": NOW}), "repeat:s": {"ic": "1"}})
    assert await upsert(keyspace, due=NOW, cron="* * * * *") == scheduling.SlotTaken(
        ReplyCode.RUN_EXISTS, f"repeat:s:{NOW}"
    )
    assert keys.get("repeat:s") == {"ic": "1"}
    assert keys.get(RUN) == record(rjk="s")
    run, due = await upsert(keyspace, due=NOW + 1, cron="* * * * *")
    assert (keys.get("active"), keys.get("delayed")) == ([RUN], Sorted({run: due * 4096.0}))


async def test_a_slot_that_is_taken_is_passed_over(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({f"repeat:s:{NOW + HOUR * at}": record() for at in range(3)})
    assert await upsert(keyspace, every_ms=HOUR) == (f"repeat:s:{NOW + HOUR * 3}", NOW + HOUR * 3)
    keys.put({f"repeat:t:{NOW + HOUR * at}": record() for at in range(33)})
    before = keys.all()
    taken = await upsert(keyspace, id="t", every_ms=HOUR)
    assert taken == scheduling.SlotTaken(ReplyCode.SLOTS_TAKEN, f"repeat:t:{NOW + 32 * HOUR}")
    assert keys.all() == before


def ran_early(keys: Keyspace, early: str, pending: str, due: int) -> None:
    keys.put(
        {
            early: record(finishedOn=NOW - 1),
            "completed": Sorted({early: NOW - 1}),
            pending: record(rjk="s"),
            "delayed": Sorted({pending: 1}),
            "repeat": Sorted({"s": due}),
            "repeat:s": {"name": "work", "pattern": "* * * * *", "ic": "2", "offset": "0"},
        }
    )


async def test_a_time_that_ran_early_does_not_come_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    early, pending = f"repeat:s:{NOW + 5}", f"repeat:s:{NOW + 9}"
    ran_early(keys, early, pending, NOW + 9)
    before = keys.all()
    assert await upsert(keyspace, dues=(NOW + 5, NOW + 9), cron="* * * * *") == (pending, NOW + 9)
    assert keys.all() == before

    # Another payload goes into the run that is to come.
    assert await upsert(keyspace, dues=(NOW + 5, NOW + 9), cron="* * * * *", data="[1]") == (pending, NOW + 9)
    assert (keys.get(pending)["data"], keys.get("delayed")) == ("[1]", Sorted({pending: (NOW + 9) * 4096.0}))

    # Another pattern begins with its first time that has not run.
    run, due = await upsert(keyspace, dues=(NOW + 5, NOW + 7), cron="*/2 * * * *")
    assert (run, due) == (f"repeat:s:{NOW + 7}", NOW + 7)
    assert keys.get("completed") == Sorted({early: NOW - 1})
    assert keys.get(early) == record(finishedOn=NOW - 1)
    assert await upsert(keyspace, dues=(NOW + 5,), cron="0 * * * *") == scheduling.SlotTaken(
        ReplyCode.RUN_EXISTS, f"repeat:s:{NOW + 5}"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"every_ms": HOUR},
        {"every_ms": HOUR, "offset_ms": 0},
        {"every_ms": HOUR, "offset_ms": 9, "limit": 3, "start": NOW + HOUR, "end": NOW + HOUR * 9, "data": "[1]"},
        {"cron": "0 * * * *", "tz": "UTC", "limit": 1, "due": NOW + 9, "misfire": "skip", "overlap": "skip"},
        {"every_ms": HOUR, "options": JobOptions(attempts=3, priority=2), "name": "other"},
    ],
)
@pytest.mark.parametrize("state", ["pending", "waiting", "active", "retried"])
async def test_said_again_as_it_was_nothing_is_written(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any, given: Any, state: str
) -> None:
    first = await upsert(keyspace, **dict(given))
    if state != "pending":
        for place in ("delayed", "prioritized"):
            await keyspace.server.call("ZREM", f"{keyspace.base}{place}", first[0])
        await keyspace.server.call("LREM", f"{keyspace.base}wait", 0, first[0])
        await keyspace.server.call(
            "LPUSH", f"{keyspace.base}{'active' if state == 'active' else 'wait'}", first[0]
        )
    if state in ("active", "retried"):
        await keyspace.server.call("HSET", f"{keyspace.base}{first[0]}", "processedOn", NOW, "ats", 1)
    before = keys.all()
    again = dict(given) | ({"due": NOW + 60_000} if "due" in given else {})
    assert await upsert(keyspace_at(NOW + 1000), **again) == first
    assert keys.all() == before


async def test_the_first_slot_of_offset_0_is_a_multiple(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    due = NOW // HOUR * HOUR + HOUR
    assert await upsert(keyspace, every_ms=HOUR, offset_ms=0) == (f"repeat:s:{due}", due)
    assert keys.get("repeat:s")["offset"] == "0"
    assert await upsert(keyspace, id="t", every_ms=HOUR, offset_ms=5) == (f"repeat:t:{due + 5}", due + 5)
    # A new offset moves the run that is to come.
    assert await upsert(keyspace, id="t", every_ms=HOUR, offset_ms=0) == (f"repeat:t:{due}", due)
    assert set(keys.get("delayed")) == {f"repeat:{each}:{due}" for each in "st"}


def ended(keys: Keyspace, made: int, **fields: str) -> None:
    """A schedule whose last run has ended."""
    repeat = {"count": made, "every": HOUR}
    keys.put(
        {
            RUN: record(rjk="s", opts=json.dumps({"repeat": repeat}), processedOn=NOW, finishedOn=NOW, ats=1),
            "completed": Sorted({RUN: NOW}),
            "repeat": Sorted({"s": NOW}),
            "repeat:s": {"name": "work", "every": str(HOUR), "offset": str(NOW % HOUR), "ic": str(made), **fields},
        }
    )


@pytest.mark.parametrize("is_kept", [True, False])
async def test_the_limit_counts_all_runs(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any, is_kept: bool
) -> None:
    ended(keys, 4, limit="4")
    if not is_kept:
        keys.delete(RUN)
        keys.delete("completed")
    before, later = keys.all(), keyspace_at(NOW + 1)
    assert await upsert(later, every_ms=HOUR, limit=4) == (RUN, NOW)
    found = await scheduling.read_one(later, "s")
    assert found is not None
    assert (found.has_next, found.upcoming(3)) == (False, ())
    assert keys.all() == before

    # Other data does not begin it again, a higher limit goes on with the fifth run, a lower one takes it back.
    assert await upsert(later, every_ms=HOUR, limit=4, data="[1]") == (RUN, NOW)
    assert (keys.get("wait"), keys.get("delayed"), keys.get("repeat:s")["data"]) == (None, None, "[1]")
    run, due = await upsert(later, every_ms=HOUR, limit=6)
    assert due == NOW + HOUR
    assert options_of(keys, run)["repeat"]["count"] == 5
    found = await scheduling.read_one(later, "s")
    assert found is not None
    assert (found.has_next, found.run_number, found.upcoming(9)) == (True, 5, (due, due + HOUR))
    run, due = await upsert(later, every_ms=HOUR * 2, limit=6)
    assert options_of(keys, run)["repeat"]["count"] == 5
    run, due = await upsert(later, every_ms=HOUR * 2, limit=3)
    found = await scheduling.read_one(later, "s")
    assert found is not None
    assert (found.has_next, keys.get("delayed"), keys.get("wait")) == (False, None, None)
    await upsert(later, every_ms=HOUR * 2, limit=5)
    found = await scheduling.read_one(later, "s")
    assert found is not None
    assert (found.has_next, found.run_number) == (True, 5)


async def test_a_next_run_that_is_gone_is_made_again(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any
) -> None:
    run, due = await upsert(keyspace, every_ms=HOUR, offset_ms=5, limit=9)
    keys.delete(run)
    keys.delete("delayed")
    assert await upsert(keyspace_at(NOW + 1), every_ms=HOUR, offset_ms=5, limit=9) == (run, due)
    assert options_of(keys, run)["repeat"]["count"] == 1
    ended(keys, 4)
    assert await upsert(keyspace_at(NOW + 1), every_ms=HOUR) == (f"repeat:s:{NOW + HOUR}", NOW + HOUR)
    assert options_of(keys, f"repeat:s:{NOW + HOUR}")["repeat"]["count"] == 5
    assert keys.get("completed") == Sorted({RUN: NOW})


async def test_what_would_never_run_is_refused_unless_it_was_there(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any
) -> None:
    assert await upsert(keyspace, every_ms=HOUR, end=NOW - 1) == ReplyCode.NO_RUN
    assert await upsert(keyspace, cron="* * * * *", dues=()) == ReplyCode.NO_RUN
    assert keys.all() == {}
    ended(keys, 4, endDate=str(NOW + 9))
    before = keys.all()
    assert await upsert(keyspace_at(NOW + 10), every_ms=HOUR, end=NOW + 9) == (RUN, NOW)
    assert await upsert(keyspace_at(NOW + 10), every_ms=HOUR, end=NOW + 8) == ReplyCode.NO_RUN
    assert keys.all() == before


async def test_a_run_that_is_tried_again_is_not_replaced(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    run, _ = await upsert(keyspace, every_ms=HOUR, start=NOW + 9)
    await keyspace.server.call("HSET", f"{keyspace.base}{run}", "processedOn", NOW, "ats", 1, "atm", 1)
    before = keys.get(run)
    _, due = await upsert(keyspace, every_ms=HOUR, start=NOW + 9, data="[1]")
    assert keys.get(run) == before
    assert due == NOW + 9 + HOUR


async def test_its_id_may_hold_colons_and_any_text(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    run, _ = await upsert(keyspace, id='a:b "Zoë"/\\', every_ms=HOUR)
    assert run == f'repeat:a:b "Zoë"/\\:{NOW}'
    assert options_of(keys, run)["jobId"] == run
    assert keys.get("repeat") == Sorted({'a:b "Zoë"/\\': NOW})


async def test_nobody_is_woken_for_a_paused_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"paused": "1"}})
    await upsert(keyspace, every_ms=HOUR)
    assert keys.get("marker") is None
    assert keys.get("wait") == [RUN]
    # BullMQ looks for it in the wrong place and makes a second one.
    await upsert(keyspace, every_ms=HOUR)
    assert (keys.get("wait"), keys.get("delayed")) == ([RUN], None)
