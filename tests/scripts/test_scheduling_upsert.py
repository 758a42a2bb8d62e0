"""scheduling.upsert: a record and one pending run, however often it is said."""

import json
from typing import Any

import pytest

from stockyard._store import scheduling
from stockyard._store.link import QueueLink
from stockyard._store.scheduling import NewSchedule
from stockyard.model.options import JobOptions
from stockyard.model.schedule import Timing
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

HOUR = 3_600_000
RUN = f"repeat:s:{NOW}"


async def upsert(link: QueueLink, *, due: int | None = None, data: str = "{}", **given: Any) -> Any:
    options = given.pop("options", JobOptions())
    policies = given.pop("misfire", "run_once"), given.pop("overlap", "allow")
    new = NewSchedule(
        given.pop("id", "s"), given.pop("name", "work"), data, options, Timing(**given), *policies, due
    )
    return await scheduling.upsert(link, new)


def options_of(keys: Keyspace, run: str) -> Any:
    return json.loads(keys.get(run)["opts"])


async def test_the_first_run_of_an_interval_comes_at_once(link: QueueLink, keys: Keyspace) -> None:
    assert await upsert(link, every_ms=HOUR, data='{"a":1}') == (RUN, NOW)
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


async def test_a_pattern_s_run_is_delayed_until_its_time(link: QueueLink, keys: Keyspace) -> None:
    due = NOW + 5000
    run, at = await upsert(link, due=due, cron="* * * * *", tz="UTC", limit=3, end=NOW + HOUR, misfire="skip")
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
async def test_where_an_interval_begins(link: QueueLink, keys: Keyspace, given: Any, due: int) -> None:
    assert await upsert(link, every_ms=HOUR, **given) == (f"repeat:s:{due}", due)
    assert keys.get("repeat:s")["offset"] == str(given.get("offset_ms", due % HOUR))


async def test_said_again_it_keeps_its_time_and_its_count(link: QueueLink, keys: Keyspace, link_at: Any) -> None:
    await upsert(link, every_ms=HOUR, offset_ms=5)
    await link.server.call("HINCRBY", link.base + "repeat:s", "ic", 6)
    first = keys.all()
    later = link_at(NOW + 1000)
    run, due = await upsert(later, every_ms=HOUR, name="other", options=JobOptions(priority=3, attempts=2))
    assert keys.get("delayed") == Sorted({run: due * 4096.0}) == first["delayed"]
    assert keys.get("repeat:s") == {
        "name": "other", "every": str(HOUR), "offset": "5", "ic": "7", "opts": '{"attempts":2,"priority":3}',
    }  # fmt: skip
    assert keys.get(run)["priority"] == "3"
    assert keys.get("id") == "2"
    # The old run goes without a word.
    assert [event[0] for event in keys.get("events")] == ["added", "delayed", "added", "delayed"]


async def test_a_new_interval_begins_anew(link: QueueLink, keys: Keyspace) -> None:
    await upsert(link, every_ms=HOUR, offset_ms=5)
    assert await upsert(link, every_ms=HOUR * 2) == (RUN, NOW)
    assert (keys.get("delayed"), keys.get("wait")) == (None, [RUN])


@pytest.mark.parametrize("place", ["wait", "paused", "prioritized", "delayed"])
async def test_the_pending_run_is_replaced_wherever_it_waits(link: QueueLink, keys: Keyspace, place: str) -> None:
    stored = Sorted({RUN: 1.0}) if place in ("prioritized", "delayed") else ["1", RUN, "2"]
    keys.put({RUN: record(rjk="s"), place: stored, "repeat": Sorted({"s": NOW}), "repeat:s": {"ic": "1"}})
    due = NOW + 1000
    run, _ = await upsert(link, due=due, cron="* * * * *")
    assert keys.get(RUN) is None
    assert keys.get("delayed") == Sorted({run: due * 4096.0})
    if isinstance(stored, list):
        assert keys.get(place) == ["1", "2"]


async def test_a_run_that_goes_on_is_left_alone(link: QueueLink, keys: Keyspace) -> None:
    keys.put({RUN: record(rjk="s"), "active": [RUN], "repeat": Sorted({"s": NOW}), "repeat:s": {"ic": "1"}})
    assert await upsert(link, due=NOW, cron="* * * * *") == scheduling.EXISTS
    assert keys.get("repeat:s") == {"ic": "1"}
    assert keys.get(RUN) == record(rjk="s")
    run, due = await upsert(link, due=NOW + 1, cron="* * * * *")
    assert (keys.get("active"), keys.get("delayed")) == ([RUN], Sorted({run: due * 4096.0}))


async def test_a_slot_that_is_taken_is_passed_over(link: QueueLink, keys: Keyspace) -> None:
    keys.put({f"repeat:s:{NOW + HOUR * at}": record() for at in range(3)})
    assert await upsert(link, every_ms=HOUR) == (f"repeat:s:{NOW + HOUR * 3}", NOW + HOUR * 3)
    keys.put({f"repeat:t:{NOW + HOUR * at}": record() for at in range(33)})
    before = keys.all()
    assert await upsert(link, id="t", every_ms=HOUR) == scheduling.BUSY
    assert keys.all() == before


async def test_a_time_that_ran_early_comes_again_when_the_schedule_is_said_again(
    link: QueueLink, keys: Keyspace
) -> None:
    early, pending = f"repeat:s:{NOW + 5}", f"repeat:s:{NOW + 9}"
    keys.put(
        {
            early: record(finishedOn=NOW - 1),
            "completed": Sorted({early: NOW - 1}),
            pending: record(rjk="s"),
            "delayed": Sorted({pending: 1}),
            "repeat": Sorted({"s": NOW + 9}),
            "repeat:s": {"ic": "2"},
        }
    )
    assert await upsert(link, due=NOW + 5, cron="* * * * *") == (early, NOW + 5)
    assert keys.get("completed") is None
    assert keys.get("delayed") == Sorted({early: (NOW + 5) * 4096.0})
    assert "finishedOn" not in keys.get(early)


async def test_its_id_may_hold_colons_and_any_text(link: QueueLink, keys: Keyspace) -> None:
    run, _ = await upsert(link, id='a:b "Zoë"/\\', every_ms=HOUR)
    assert run == f'repeat:a:b "Zoë"/\\:{NOW}'
    assert options_of(keys, run)["jobId"] == run
    assert keys.get("repeat") == Sorted({'a:b "Zoë"/\\': NOW})


async def test_nobody_is_woken_for_a_paused_queue(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"meta": {"paused": "1"}})
    await upsert(link, every_ms=HOUR)
    assert keys.get("marker") is None
    assert keys.get("wait") == [RUN]
    # BullMQ looks for it in the wrong place and makes a second one.
    await upsert(link, every_ms=HOUR)
    assert (keys.get("wait"), keys.get("delayed")) == ([RUN], None)
