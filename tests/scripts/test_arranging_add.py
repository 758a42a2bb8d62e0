"""arranging.add: what becomes of new jobs in a queue that coalesces them, or in which only so many may wait."""

import json
from typing import Any

import pytest

from stockyard._store.jobs import reading
from stockyard._store.jobs.adding import ExistingJob
from stockyard._store.jobs.arranging import ArrangedJob, arranged_job
from stockyard._store.jobs.rows import options_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import PayloadError, QueueFull, StockyardError
from stockyard.model.arrangement import Arrangement
from stockyard.model.coalesce import Coalesce
from stockyard.model.options import JobOptions
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.support.adding import send_jobs

LATEST, MERGE = Coalesce(mode="latest"), Coalesce(mode="merge")
MAX = Coalesce(mode="max", field="seq")


def declare(keyspace: QueueKeyspace, **options: Any) -> None:
    keyspace.arrangement = Arrangement(**options)


def job(
    keyspace: QueueKeyspace, data: str = "{}", name: str = "tick", now: int = NOW, **options: Any
) -> ArrangedJob:
    return arranged_job(keyspace, name, data, JobOptions().merged(**options), now)


async def add(keyspace: QueueKeyspace, data: str = "{}", **options: Any) -> str | StockyardError:
    """Add one job; return the id of the one that is there now, or why it was refused."""
    (answer,) = await send_jobs(keyspace, [job(keyspace, data, **options)])
    return answer.job_id if isinstance(answer, ExistingJob) else answer


def tick(seq: int, replaced: int = 0, renewed: int | None = None, **more: Any) -> dict[str, str]:
    """The record of a job of the key ``BTC``."""
    given: dict[str, Any] = {"key": "BTC", "replaced": replaced}
    if renewed is not None:
        given["renewed"] = renewed
    options = json.dumps({"attempts": 1, "coalesce": given}, separators=(",", ":"))
    return record(name="tick", data=f'{{"seq":{seq}}}', opts=options, **more)


async def test_a_newer_payload_replaces_the_one_that_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    assert await add(keyspace, '{"seq":1}', coalesce="BTC") == "1"
    assert await add(keyspace, "{}", coalesce="ETH") == "2"
    assert await add(keyspace, '{"seq":2}', coalesce="BTC", now=NOW + 5) == "1"
    assert keys.get("1") == tick(2, replaced=1, renewed=NOW + 5)
    assert keys.get("wait") == ["2", "1"]
    assert (list(keys.get(":coalesced:key:BTC")), keys.get(":counts")) == (["1"], {"replaced": "1"})
    assert keys.get(":coalesced:due") == Sorted({"BTC": NOW + 60_000, "ETH": NOW + 60_000})
    assert keys.get("events")[-1] == ["coalesced", "1", "1"]
    assert keys.get("id") == "2"


async def test_jobs_without_a_key_are_added_as_ever(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    answers = await send_jobs(keyspace, [job(keyspace), job(keyspace, priority=3), job(keyspace, delay="5s")])
    assert answers == ["1", "2", "3"]
    assert (keys.get("wait"), list(keys.get("prioritized")), list(keys.get("delayed"))) == (["1"], ["2"], ["3"])
    assert keys.get("marker") == Sorted({"0": 0, "1": NOW + 5000})
    assert keys.get(":counts") is None


async def test_a_custom_id_that_exists_is_found(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=1)
    keys.put({"own": record(data='"first"')})
    (answer,) = await send_jobs(keyspace, [job(keyspace, job_id="own")])
    assert isinstance(answer, ExistingJob)
    assert answer.record is not None
    assert answer.record.data == b'"first"'
    assert keys.get("events") == [["duplicated", "own"]]


async def test_beside_a_running_job_there_is_one_successor(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    keys.put({"7": tick(1, ats=1), "active": ["7"], ":coalesced:key:BTC": Sorted({"7": 1}), "id": "7"})
    assert [await add(keyspace, f'{{"seq":{seq}}}', coalesce="BTC") for seq in (2, 3, 4)] == ["8", "8", "8"]
    assert (keys.get("7"), keys.get("8")) == (tick(1, ats=1), tick(4, replaced=2, renewed=NOW))
    assert (keys.get("wait"), list(keys.get(":coalesced:key:BTC"))) == (["8"], ["7", "8"])
    assert keys.get(":coalesced:due") == Sorted({"BTC": NOW + 1000})


@pytest.mark.parametrize("started", [{"ats": 1}, {"processedOn": NOW}])
async def test_a_started_job_is_looked_for_among_what_runs(
    keyspace: QueueKeyspace, keys: Keyspace, started: dict[str, Any]
) -> None:
    declare(keyspace, coalesce=LATEST)
    job_that_runs = {"7": tick(1, **started), ":coalesced:key:BTC": Sorted({"7": 1}), "id": "7"}
    keys.put({**job_that_runs, "active": [*map(str, range(100, 140)), "7"]})
    ticks = [job(keyspace, f'{{"seq":{seq}}}', coalesce="BTC") for seq in (2, 3)]
    answers = await send_jobs(keyspace, [*ticks, job(keyspace, coalesce="ETH")])
    assert answers == ["8", ExistingJob("8"), "9"]
    assert (keys.get("7"), keys.get("8")) == (tick(1, **started), tick(3, replaced=1, renewed=NOW))


async def test_a_parent_that_waits_for_children_counts_as_running(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    keys.put(
        {
            "7": tick(1, ats=1),
            "waiting-children": Sorted({"7": NOW}),
            ":coalesced:key:BTC": Sorted({"7": 1}),
            "id": "7",
        }
    )
    assert await add(keyspace, '{"seq":2}', coalesce="BTC") == "8"


async def test_the_options_of_a_payload_that_is_replaced_again_and_again(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    declare(keyspace, coalesce=LATEST)
    # As before, with other options, and as before once more: what is stored is what was given last, and the count.
    stays = Coalesce("BTC", mode="latest", refresh_expiry=False)
    for at, options in enumerate(({}, {}, {"attempts": 3}, {"attempts": 3}, {"attempts": 3})):
        given = "BTC" if at < 4 else stays
        assert await add(keyspace, f'{{"seq":{at}}}', coalesce=given, now=NOW + at, **options) == "1"
    stored = json.loads(keys.get("1")["opts"])
    assert stored == {"attempts": 3, "coalesce": {"key": "BTC", "replaced": 4, "renewed": NOW + 3}}


@pytest.mark.parametrize("ended", [{"finishedOn": NOW}, {"defa": "cancelled"}, None])
async def test_a_job_that_has_ended_or_is_to_fail_is_left_alone(
    keyspace: QueueKeyspace, keys: Keyspace, ended: dict[str, Any] | None
) -> None:
    declare(keyspace, coalesce=LATEST)
    keys.put({":coalesced:key:BTC": Sorted({"7": 1}), "id": "7"})
    if ended is not None:
        keys.put({"7": tick(1, **ended)})
    assert await add(keyspace, '{"seq":2}', coalesce="BTC") == "8"
    # The place of what has ended is kept: what waits again behind it is older than that.
    assert keys.get(":coalesced:key:BTC") == Sorted({"8": 1} if ended is None else {"": 1, "8": 2})


async def test_a_retry_that_waits_takes_the_newer_payload_with_new_attempts(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    declare(keyspace, coalesce=LATEST)
    failed = tick(1, ats=2, atm=2, failedReason="boom", stacktrace="[]")
    keys.put({"7": failed, "delayed": Sorted({"7": (NOW + 4000) * 4096}), ":coalesced:key:BTC": Sorted({"7": 1})})
    assert await add(keyspace, '{"seq":2}', coalesce="BTC") == "7"
    fresh = {"atm": 0, "failedReason": "", "stacktrace": "[]"}
    assert keys.get("7") == tick(2, replaced=1, renewed=NOW, ats=2, **fresh)
    assert keys.get("delayed") == Sorted({"7": (NOW + 4000) * 4096})


async def test_of_two_that_wait_the_older_yields_before_the_add(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    keys.put(
        {
            "7": tick(1, ats=1, atm=1),
            "8": tick(2, replaced=3),
            "wait": ["8"],
            "delayed": Sorted({"7": (NOW + 4000) * 4096}),
            ":coalesced:key:BTC": Sorted({"7": 1, "8": 2}),
        }
    )
    assert await add(keyspace, '{"seq":3}', coalesce="BTC") == "8"
    assert (keys.get("7"), keys.get("8")) == (None, tick(3, replaced=5, renewed=NOW))
    assert (keys.get("delayed"), keys.get("wait"), list(keys.get(":coalesced:key:BTC"))) == (None, ["8"], ["8"])
    assert keys.get(":counts") == {"replaced": "2"}
    assert keys.get("events") == [["removed", "7", "waiting"], ["coalesced", "8", "4"], ["coalesced", "8", "5"]]


async def test_expiry_begins_again_or_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    stays = Coalesce("ETH", mode="latest", refresh_expiry=False)
    for key in ("BTC", stays):
        await add(keyspace, "{}", coalesce=key, expires_in="2s")
        await add(keyspace, "{}", coalesce=key, expires_in="2s", now=NOW + 1500)
    assert json.loads(keys.get("1")["opts"])["coalesce"]["renewed"] == NOW + 1500
    assert "renewed" not in json.loads(keys.get("2")["opts"])["coalesce"]


async def expiry_of(keyspace: QueueKeyspace) -> int | None:
    record = await reading.read_job(keyspace, "1")
    assert record is not None
    return options_of(record.options).expiry(int(record.timestamp or 0))


@pytest.mark.parametrize(
    ("first", "due", "then", "expires"),
    [
        # A retry waits for its backoff; so does a job for its delay.
        ({}, 3000, {}, 3000 + 2000),
        ({"delay": "3s"}, 3000, {}, 3000 + 2000),
        ({"delay": "3s"}, 3000, {"delay": "9s"}, 3000 + 2000),
        # It may start now, whatever the delays of its payloads were.
        ({"delay": "3s"}, None, {}, 500 + 2000),
        ({}, None, {"delay": "9s"}, 500 + 2000),
        ({}, 200, {}, 500 + 2000),
    ],
)
async def test_the_new_expiry_counts_from_when_the_job_may_start(
    keyspace: QueueKeyspace,
    keys: Keyspace,
    first: dict[str, Any],
    due: int | None,
    then: dict[str, Any],
    expires: int,
) -> None:
    declare(keyspace, coalesce=LATEST)
    await add(keyspace, "{}", coalesce="BTC", expires_in="9s", **first)
    keys.delete("delayed")
    keys.delete("wait")
    keys.put({"delayed": Sorted({"1": (NOW + due) * 4096})} if due is not None else {"wait": ["1"]})
    await add(keyspace, "{}", coalesce="BTC", expires_in="2s", now=NOW + 500, **then)
    assert await expiry_of(keyspace) == NOW + expires


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"priority": 10}, {"priority": 1}),
        ({"priority": 10}, {}),
        ({}, {"priority": 1}),
        ({"delay": "5s"}, {"delay": "9s"}),
        ({"delay": "5s", "priority": 10}, {}),
        ({}, {"delay": "9s", "priority": 3}),
        ({"delay": "5s", "priority": 10}, {"delay": "5s", "priority": 10}),
    ],
)
async def test_the_stored_options_say_the_place_that_the_job_has(
    keyspace: QueueKeyspace, keys: Keyspace, first: dict[str, Any], then: dict[str, Any]
) -> None:
    declare(keyspace, coalesce=LATEST)
    await add(keyspace, "1", coalesce="BTC", attempts=2, timeout="1s", **first)
    before = json.loads(keys.get("1")["opts"])
    assert await add(keyspace, "2", coalesce="BTC", attempts=3, timeout="1s", **then) == "1"
    after = json.loads(keys.get("1")["opts"])
    assert {**after, "attempts": 2, "coalesce": before["coalesce"]} == before
    assert (after["attempts"], keys.get("1")["data"]) == (3, "2")


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ('{"a":1,"b":2}', '{"b":3,"c":4}', '{"a":1,"b":3,"c":4}'),
        ('{ "a" : [1, {"x": "}"}] , "b":"\\"," }', "{}", '{"a":[1, {"x": "}"}],"b":"\\","}'),
        ("{}", '{"a":[]}', '{"a":[]}'),
        ('{"n":12345678901234567890}', '{"d":{"e":{}}}', '{"n":12345678901234567890,"d":{"e":{}}}'),
        ('{"\\u0061":1}', '{"a":2}', '{"\\u0061":2}'),
        ('{"a":null}', '{"b":true}', '{"a":null,"b":true}'),
    ],
)
async def test_payloads_are_merged_member_by_member_as_they_are_written(
    keyspace: QueueKeyspace, keys: Keyspace, before: str, after: str, joined: str
) -> None:
    declare(keyspace, coalesce=MERGE)
    await add(keyspace, before, coalesce="BTC")
    (answer,) = await send_jobs(keyspace, [job(keyspace, after, coalesce="BTC")])
    assert isinstance(answer, ExistingJob)
    assert answer.record is not None
    assert (answer.record.data or b"").decode() == joined == keys.get("1")["data"]
    json.loads(joined)


@pytest.mark.parametrize(
    ("before", "after", "is_newer"),
    [
        ("1", "2", True),
        ("2", "1", False),
        ("2", "2", True),
        ("-1", "-2", False),
        ("1.5", "1.25", False),
        ("1e3", "999", False),
        ("9007199254740993", "9007199254740992", False),
        ("9007199254740992", "9007199254740993", True),
        ("-9007199254740993", "-9007199254740992", True),
    ],
)
async def test_the_larger_number_stays(
    keyspace: QueueKeyspace, keys: Keyspace, before: str, after: str, is_newer: bool
) -> None:
    declare(keyspace, coalesce=MAX)
    await add(keyspace, f'{{"seq":{before},"is_newer":false}}', coalesce="BTC")
    await add(keyspace, f'{{"seq":{after},"is_newer":true}}', coalesce="BTC", now=NOW + 9)
    assert json.loads(keys.get("1")["data"])["is_newer"] == is_newer
    given = json.loads(keys.get("1")["opts"])["coalesce"]
    assert (given["replaced"], given.get("renewed")) == (1, NOW + 9 if is_newer else None)


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        (MERGE, "{}", "[1]"),
        (MERGE, "3", "{}"),
        (MAX, '{"seq":1}', '{"other":1}'),
        (MAX, '{"seq":"1"}', '{"seq":2}'),
        (MAX, "[]", '{"seq":2}'),
    ],
)
async def test_payloads_that_do_not_fit_the_mode_are_refused_and_nothing_is_lost(
    keyspace: QueueKeyspace, keys: Keyspace, mode: Coalesce, before: str, after: str
) -> None:
    declare(keyspace, coalesce=mode)
    await add(keyspace, before, coalesce="BTC")
    stored = keys.all()
    answer = await add(keyspace, after, coalesce="BTC")
    assert isinstance(answer, PayloadError)
    assert "must each be a JSON object" in str(answer)
    assert keys.all() == stored


async def test_another_name_under_the_key_is_refused(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST)
    await add(keyspace, "1", coalesce="BTC")
    answer = await add(keyspace, "2", name="quote", coalesce="BTC")
    assert isinstance(answer, PayloadError)
    assert "a job of another name waits under the coalescing key 'BTC'" in str(answer)
    assert keys.get("1")["data"] == "1"


async def test_a_full_queue_refuses(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=4)
    keys.put({"wait": ["a"], "paused": ["b"], "delayed": Sorted({"c": NOW * 4096})})
    first, second = await send_jobs(keyspace, [job(keyspace, priority=1), job(keyspace)])
    assert first == "1"
    assert isinstance(second, QueueFull)
    assert str(second).startswith("queue 'q' is full: 4 jobs wait, which is its max_length")
    assert (keys.get("wait"), keys.get("id"), keys.get(":counts")) == (["a"], "1", {"refused": "1"})


async def test_a_replaced_payload_needs_no_room(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, coalesce=LATEST, max_length=1)
    assert await add(keyspace, "1", coalesce="BTC") == "1"
    assert await add(keyspace, "2", coalesce="BTC") == "1"
    assert isinstance(await add(keyspace, "3", coalesce="ETH"), QueueFull)
    assert keys.get(":coalesced:key:ETH") is None


async def test_one_that_blocks_is_not_counted_as_refused(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=1, on_full="block")
    keys.put({"wait": ["a"]})
    assert isinstance(await add(keyspace), QueueFull)
    assert keys.get(":counts") is None


async def test_the_oldest_of_the_least_urgent_is_dropped(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=3, on_full="drop_oldest")
    keys.put({job_id: record() for job_id in "abc"})
    keys.put({"wait": ["a"], "prioritized": Sorted({"b": 2**32 + 1, "c": 15 * 2**32 + 7, "d": 15 * 2**32 + 8})})
    keys.put({"prioritized": Sorted({"d": 15 * 2**32 + 8})})
    assert await add(keyspace) == "1"
    assert keys.get("c") is None
    # Four waited where three may: one for the new one, and no more.
    assert (keys.get("wait"), sorted(keys.get("prioritized"))) == (["1", "a"], ["b", "d"])
    assert keys.get(":counts") == {"dropped": "1"}
    assert keys.get("events")[:2] == [["removed", "c", "waiting"], ["dropped", "c"]]


async def test_without_priorities_the_next_one_is_dropped(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=2, on_full="drop_oldest")
    keys.put({"a": record(), "b": record(), "wait": ["b", "a"]})
    assert [await add(keyspace), await add(keyspace), await add(keyspace)] == ["1", "2", "3"]
    assert (keys.get("wait"), keys.get(":counts")) == (["3", "2"], {"dropped": "3"})
    keys.put({"z": record(), "paused": ["z"]})
    keys.delete("wait")
    keys.put({"wait": ["3"]})
    await add(keyspace)
    assert (keys.get("paused"), keys.get("z"), keys.get("wait")) == (None, None, ["4", "3"])


async def test_delayed_jobs_are_not_dropped(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=1, on_full="drop_oldest")
    keys.put({"a": record(), "delayed": Sorted({"a": NOW * 4096})})
    assert isinstance(await add(keyspace), QueueFull)
    assert keys.get(":counts") == {"refused": "1"}


async def test_jobs_of_a_shard_are_numbered_with_its_tag(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    declare(keyspace, max_length=5)
    sent = job(keyspace)
    sent.id = ":@4c"
    assert await send_jobs(keyspace, [sent]) == ["1@4c"]
    assert keys.get("wait") == ["1@4c"]
