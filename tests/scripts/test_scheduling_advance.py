"""scheduling.advance: exactly one next run per started run of a schedule."""

import json
from typing import Any

import pytest

from stockyard._store.jobs import scheduling
from stockyard._store.jobs.finishing import TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.test_scheduling_upsert import HOUR, RUN, upsert

RULE = {"every": HOUR, "count": 1}


async def take(keyspace: QueueKeyspace, room: int = 10, token: str = "w:1") -> list[StartedRecord]:
    return (await finish_and_take(keyspace, [], TakeRequest(room, token, 30_000))).records


async def advance(keyspace: QueueKeyspace, room: int = 10) -> list[Any]:
    return await scheduling.advance(keyspace, await take(keyspace, room))


async def test_the_next_run_follows_the_started_one(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any
) -> None:
    await upsert(keyspace, every_ms=HOUR, data='{"a":1}', name="tick")
    later = keyspace_at(NOW + 250)
    (started,) = await advance(later)
    following = f"repeat:s:{NOW + HOUR}"
    assert (started.next_job_id, started.due, started.trouble) == (following, NOW, "")
    assert keys.get("repeat") == Sorted({"s": NOW + HOUR})
    assert (keys.get("repeat:s")["ic"], keys.get("id")) == ("2", "2")
    assert keys.get("delayed") == Sorted({following: (NOW + HOUR) * 4096.0})
    assert json.loads(keys.get(following)["opts"]) == {
        "jobId": following,
        "delay": HOUR - 250,
        "timestamp": NOW + 250,
        "repeatJobKey": "s",
        "repeat": {"every": HOUR, "count": 2},
    }
    stored = keys.get(following)
    assert (stored["name"], stored["data"], stored["rjk"]) == ("tick", '{"a":1}', "s")
    assert keys.get("events")[3:] == [["added", following, "tick"], ["delayed", following, str(NOW + HOUR)]]


async def test_it_is_made_once_however_often_it_is_asked_for(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR)
    rows = await take(keyspace)
    await scheduling.advance(keyspace, rows)
    before = keys.all()
    (again,) = await scheduling.advance(keyspace, rows)
    assert again is not None
    assert again.next_job_id == ""
    assert keys.all() == before


@pytest.mark.parametrize(
    ("late", "misfire", "due"),
    [
        (HOUR - 1, "run_once", HOUR),
        (HOUR, "run_once", HOUR),
        (HOUR + 1, "run_once", 2 * HOUR),
        (5 * HOUR + 1, "run_once", 6 * HOUR),
        (5 * HOUR, "skip", 6 * HOUR),
        (5 * HOUR + 1, "run_all", HOUR),
    ],
)
async def test_missed_slots_are_passed_over_and_the_phase_is_kept(
    keyspace: QueueKeyspace, keyspace_at: Any, late: int, misfire: str, due: int
) -> None:
    await upsert(keyspace, every_ms=HOUR, misfire=misfire)
    (started,) = await advance(keyspace_at(NOW + late))
    assert started.next_job_id == f"repeat:s:{NOW + due}"
    assert started.misfire == ("" if misfire == "run_once" else misfire)


@pytest.mark.parametrize(
    ("late", "misfire", "due"),
    [(10, "run_once", 60_000), (150_000, "run_once", 180_000), (150_000, "run_all", 60_000)],
)
async def test_a_pattern_s_next_time(
    keyspace: QueueKeyspace, keyspace_at: Any, keys: Keyspace, late: int, misfire: str, due: int
) -> None:
    minute = NOW // 60_000 * 60_000
    await upsert(keyspace_at(minute), due=minute, cron="* * * * *", tz="UTC", misfire=misfire)
    (started,) = await advance(keyspace_at(minute + late))
    assert started.next_job_id == f"repeat:s:{minute + due}"
    options = json.loads(keys.get(started.next_job_id)["opts"])
    assert (options["prevMillis"], options["repeat"]["count"]) == (minute + due, 2)
    assert options["delay"] == max(0, due - late)


@pytest.mark.parametrize(
    "given",
    [
        {"every_ms": HOUR, "limit": 1},
        {"every_ms": HOUR, "end": NOW},
        {"every_ms": HOUR, "end": NOW + HOUR - 1},
        {"every_ms": HOUR, "end": NOW + HOUR - 1, "misfire": "run_all"},
        {"cron": "0 0 1 1 *", "end": NOW + HOUR},
        {"cron": "0 0 1 1 *", "limit": 1},
    ],
)
async def test_after_the_last_run_nothing_follows(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any, given: Any
) -> None:
    await upsert(keyspace, due=NOW, **given)
    (started,) = await advance(keyspace_at(NOW + 1))
    assert (started.next_job_id, started.trouble) == ("", "")
    # As BullMQ leaves it: the record, and a time that is past.
    assert keys.get("repeat") == Sorted({"s": NOW})
    assert keys.get("repeat:s")["ic"] == "1"


@pytest.mark.parametrize("rule", [{"every_ms": HOUR}, {"cron": "0 * * * *", "tz": "UTC"}])
@pytest.mark.parametrize(("misfire", "made"), [("run_all", [1, 2, 3]), ("run_once", []), ("skip", [])])
async def test_runs_that_were_missed_before_the_end_are_made_after_it(
    keyspace_at: Any, rule: Any, misfire: str, made: list[int]
) -> None:
    first = NOW // HOUR * HOUR
    given = {"due": first, "end": first + 3 * HOUR, "misfire": misfire, **rule}
    await upsert(keyspace_at(first), **given)
    late, following = keyspace_at(first + 9 * HOUR), list[str]()
    while started := await advance(late):
        if not started[0].next_job_id:
            break
        following.append(started[0].next_job_id)
    assert following == [f"repeat:s:{first + each * HOUR}" for each in made]


async def test_many_are_advanced_in_one_call(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for name in ("a", "b:c", "d"):
        await upsert(keyspace, id=name, every_ms=HOUR)
    keys.put({"7": record(), "wait": ["7"]})
    started = await advance(keyspace)
    assert [each and each.next_job_id for each in started] == [
        None,
        f"repeat:a:{NOW + HOUR}",
        f"repeat:b:c:{NOW + HOUR}",
        f"repeat:d:{NOW + HOUR}",
    ]
    assert set(keys.get("delayed")) == {each.next_job_id for each in started if each}
    assert keys.get("marker")["1"] == NOW + HOUR


async def test_a_removed_schedule_ends_with_the_run_that_goes_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR)
    rows = await take(keyspace)
    assert await scheduling.remove(keyspace, "s")
    (started,) = await scheduling.advance(keyspace, rows)
    assert started is not None
    assert started.next_job_id == ""
    assert (keys.get("repeat"), keys.get("delayed")) == (None, None)


async def test_a_time_that_exists_is_announced_and_not_made_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR)
    keys.put({f"repeat:s:{NOW + HOUR}": record()})
    (started,) = await advance(keyspace)
    assert started.next_job_id == ""
    assert keys.get("events")[-1] == ["duplicated", f"repeat:s:{NOW + HOUR}"]
    assert keys.get("repeat") == Sorted({"s": NOW})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{}", "repeat"),
        ("not json", "malformed"),
        ('{"repeat":{"count":1}}', "neither 'every' nor 'pattern'"),
        ('{"repeat":{"every":"often"}}', "every"),
        ('{"repeat":{"pattern":"61 * * * *"}}', "minute"),
        ('{"repeat":{"pattern":"* * * * *","tz":"Europe/Atlantis"}}', "IANA"),
        ('{"repeat":{"pattern":"* * * * *"},"prevMillis":1e300}', ""),
        ("[]", "list"),
    ],
)
async def test_a_run_whose_rule_cannot_be_read_is_named(
    keyspace: QueueKeyspace, keys: Keyspace, options: str, said: str
) -> None:
    keys.put({RUN: record(rjk="s", opts=options), "wait": [RUN]})
    keys.put({"repeat": Sorted({"s": NOW}), "repeat:s": {"name": "work", "every": HOUR, "ic": "1"}})
    (started,) = await advance(keyspace)
    assert "no next run can be made, because its opts.repeat cannot be read" in started.trouble
    assert said in started.trouble
    assert keys.get("repeat:s") == {"name": "work", "every": str(HOUR), "ic": "1"}
    assert keys.get("repeat") == Sorted({"s": NOW})


async def test_a_job_that_is_only_named_like_a_run_is_none(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"repeat:x:1": record(), "repeat:odd": record(), "wait": ["repeat:odd", "repeat:x:1"]})
    assert await advance(keyspace) == [None, None]


async def test_a_repeatable_job_of_bullmq_5_goes_on_with_its_own_payload(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    key = "daily:::UTC:0 3 * * *"
    run = f"repeat:0cc175b9c0f1b6a831c399e269772661:{NOW}"
    options = json.dumps(
        {"repeat": {"pattern": "* * * * *", "count": 4, "tz": "UTC"}, "prevMillis": NOW, "jobId": run}
    )
    keys.put(
        {
            run: record(rjk=key, opts=options, data='{"x":1}', name="daily"),
            "wait": [run],
            "repeat": Sorted({key: NOW}),
        }
    )
    (started,) = await advance(keyspace)
    minute = NOW // 60_000 * 60_000 + 60_000
    assert started.next_job_id == f"repeat:0cc175b9c0f1b6a831c399e269772661:{minute}"
    following = keys.get(started.next_job_id)
    assert (following["name"], following["data"], following["rjk"]) == ("daily", '{"x":1}', key)
    assert keys.get(f"repeat:{key}") is None
    assert keys.get("repeat") == Sorted({key: minute})


async def test_what_a_peer_wrote_into_the_options_is_kept(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    options = {"repeat": {"every": HOUR, "count": 1, "x": [1]}, "kl": 5, "tm": "m", "priority": 4, "backoff": []}
    keys.put({RUN: record(rjk="s", opts=json.dumps(options), priority=4), "prioritized": Sorted({RUN: 1})})
    keys.put({"repeat": Sorted({"s": NOW}), "repeat:s": {"name": "work", "every": HOUR, "ic": "1"}})
    (started,) = await advance(keyspace)
    following = json.loads(keys.get(started.next_job_id)["opts"])
    assert following["repeat"] == {"every": HOUR, "count": 2, "x": [1]}
    assert (following["kl"], following["tm"], following["priority"], following["backoff"]) == (5, "m", 4, [])


async def test_of_two_runs_at_once_the_later_one_is_told_of_the_earlier(
    keyspace: QueueKeyspace, keys: Keyspace, keyspace_at: Any
) -> None:
    await upsert(keyspace, every_ms=HOUR, overlap="skip")
    (first,) = await advance(keyspace)
    later = keyspace_at(NOW + HOUR)
    (second,) = await advance(later)
    assert (first.beside, second.beside) == ("", RUN)
    # Its lease is gone: nobody runs it.
    await keyspace.server.call("DEL", keyspace.base + RUN + ":lock")
    rows = await take(keyspace_at(NOW + 2 * HOUR), token="w:3")
    await keyspace.server.call("DEL", keyspace.base + first.next_job_id + ":lock")
    (third,) = await scheduling.advance(keyspace_at(NOW + 2 * HOUR), rows)
    assert third is not None
    assert third.beside == ""
