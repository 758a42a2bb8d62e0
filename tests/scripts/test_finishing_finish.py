"""finishing.finish: how runs ended is written, each guarded by its lock, and the next jobs are started."""

from typing import Any

import pytest

from stockyard._store.jobs.finishing import FinishReply, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.outcome import Completed, Failed, Requeued, Retried
from stockyard.model.retention import Keep, KeepOption
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.runs import DONE, STARTED, finish, running


async def test_a_completed_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running())
    assert await finish(keyspace, ("1", DONE)) == FinishReply([0], [], 0, 0, NOW)
    assert keys.all() == {
        "1": record(**STARTED, atm=1, returnvalue='{"ok":true}', finishedOn=NOW),
        "completed": Sorted({"1": NOW}),
        "events": [["completed", "1", '{"ok":true}', "active"], ["drained"]],
    }


async def test_a_failed_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running(atm=1, defa="given up"))
    assert (await finish(keyspace, ("1", Failed("no way", ("a", "b"), 2, None)))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED, atm=2, failedReason="no way", stacktrace='["a","b"]', finishedOn=NOW),
        "failed": Sorted({"1": NOW}),
        "events": [["failed", "1", "no way", "active"], ["retries-exhausted", "1", "2"], ["drained"]],
    }


async def test_attempts_that_are_left_are_not_exhausted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running())
    await finish(keyspace, ("1", Failed("no", (), 5, None)))
    assert [event[0] for event in keys.get("events")] == ["failed", "drained"]


async def test_a_retry_with_a_wait(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running())
    assert (await finish(keyspace, ("1", Retried("no", ("a",), 500, False)))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED, atm=1, failedReason="no", stacktrace='["a"]') | {"delay": "500"},
        "delayed": Sorted({"1": (NOW + 500) * 4096}),
        "marker": Sorted({"1": NOW + 500}),
        "events": [["delayed", "1", str(NOW + 500)]],
    }


@pytest.mark.parametrize(
    ("lifo", "priority", "place"),
    [
        (False, 0, {"wait": ["1", "8"]}),
        (True, 0, {"wait": ["8", "1"]}),
        (True, 3, {"wait": ["8"], "prioritized": Sorted({"1": 3 * 2**32 + 1}), "pc": "1"}),
    ],
)
async def test_a_retry_at_once(
    keyspace: QueueKeyspace, keys: Keyspace, lifo: bool, priority: int, place: dict[str, Any]
) -> None:
    keys.put({**running(priority=priority), "wait": ["8"]})
    assert (await finish(keyspace, ("1", Retried("no", ("a",), 0, lifo)))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED, priority=priority, atm=1, failedReason="no", stacktrace='["a"]'),
        **place,
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "active"]],
    }


@pytest.mark.parametrize(
    ("priority", "place"),
    [(0, {"wait": ["8", "1"]}), (3, {"wait": ["8"], "prioritized": Sorted({"1": 3 * 2**32})})],
)
async def test_a_job_that_is_handed_back_is_next_in_line(
    keyspace: QueueKeyspace, keys: Keyspace, priority: int, place: dict[str, Any]
) -> None:
    keys.put({**running(priority=priority), "wait": ["8"]})
    assert (await finish(keyspace, ("1", Requeued()))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED, priority=priority),
        **place,
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "active"]],
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"1:lock": "other:1"}, -6),
        ({"1:lock": None}, -2),
        ({"1": None}, -1),
        ({"1:dependencies": {"child"}}, -4),
        ({"1:unsuccessful": Sorted({"child": 1})}, -9),
    ],
)
async def test_a_refused_end_changes_nothing(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, change: dict[str, Any], code: int
) -> None:
    before = running()
    for name, value in change.items():
        before.pop(name, None)
        before |= {} if value is None else {name: value}
    keys.put(before)
    assert (await finish(keyspace, ("1", DONE))).codes == [code]
    assert keys.all() == before


async def test_children_do_not_keep_a_job_from_failing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "1:dependencies": {"child"}})
    assert (await finish(keyspace, ("1", Failed("no", (), 1, None)))).codes == [0]


async def test_a_job_that_is_not_active_does_not_finish(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "wait": ["1"]})
    keys.put({"active": ["2"]})
    assert (await finish(keyspace, ("1", DONE), ("2", DONE))).codes == [0, -1]
    keys.put({"3": record(**STARTED), "3:lock": "w:1"})
    assert (await finish(keyspace, ("3", DONE))).codes == [-3]
    assert "finishedOn" not in keys.get("3")
    assert keys.get("completed") == Sorted({"1": NOW})


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (None, ["new", "2s", "8s", "70s"]),
        (False, ["new", "2s", "8s", "70s"]),
        (True, ["2s", "8s", "70s"]),
        (0, ["2s", "8s", "70s"]),
        (1, ["new"]),
        (3, ["new", "2s", "8s"]),
        (Keep(count=2), ["new", "2s"]),
        (Keep(count=0), ["2s", "8s", "70s"]),
        (Keep(age=60), ["new", "2s", "8s"]),
        (Keep(age=60, count=2), ["new", "2s"]),
        (Keep(age=100), ["new", "2s", "8s", "70s"]),
        (Keep(age=5, limit=1), ["new", "2s", "70s"]),
    ],
)
@pytest.mark.parametrize("state", ["completed", "failed"])
async def test_finished_jobs_that_are_kept(
    keyspace: QueueKeyspace, keys: Keyspace, state: str, keep: KeepOption | None, left: list[str]
) -> None:
    old = {"2s": 2, "8s": 8, "70s": 70}
    keys.put({job_id: record() for job_id in old})
    keys.put({f"{job_id}:logs": ["a"] for job_id in old})
    keys.put({state: Sorted({job_id: NOW - age * 1000 for job_id, age in old.items()}), **running("new")})
    outcome = Completed("null", keep) if state == "completed" else Failed("no", (), 1, keep)
    assert (await finish(keyspace, ("new", outcome))).codes == [0]
    assert list(keys.get(state))[::-1] == left
    assert {name for name in keys.all() if name in {"new", *old}} == set(left)
    assert {name for name in keys.all() if name.endswith(":logs")} == {f"{job_id}:logs" for job_id in left[1:]} | (
        {f"{left[0]}:logs"} if left[0] != "new" else set()
    )


async def test_many_runs_end_in_one_call(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id in ("1", "2", "3", "4"):
        keys.put(running(job_id))
    ended = (
        ("1", DONE),
        ("2", Retried("no", (), 0, False)),
        ("3", Failed("no", (), 1, None)),
        ("4", Requeued()),
    )
    assert (await finish(keyspace, *ended)).codes == [0, 0, 0, 0]
    found = keys.all()
    assert (found["wait"], found["completed"], found["failed"]) == (["2", "4"], {"1": NOW}, {"3": NOW})
    assert not {"active", "stalled"} & found.keys()
    assert not [name for name in found if name.endswith(":lock")]


async def test_one_broken_job_does_not_keep_its_neighbours(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for job_id in ("1", "3"):
        keys.put(running(job_id))
    keys.put({"2": "no record", "2:lock": "w:1", "active": ["2"]})
    codes = (await finish(keyspace, ("1", DONE), ("2", DONE), ("3", DONE))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])
    assert keys.get("completed") == Sorted({"1": NOW, "3": NOW})


async def test_taking_starts_what_is_next(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"3": record(name="low", priority=9), "prioritized": Sorted({"3": 9 * 2.0**32}), "pc": "1"})
    keys.put({"1": record(data='"one"'), "2": record(), "wait": ["2", "1"]})
    done = await finish(keyspace, take=5)
    assert [(row.raw_id, row.name, row.data, row.starts) for row in done.records] == [
        (b"1", b"work", b'"one"', 1),
        (b"2", b"work", b"{}", 1),
        (b"3", b"low", b"{}", 1),
    ]
    assert keys.all() == {
        "1": record(data='"one"', ats=1, processedOn=NOW),
        "2": record(ats=1, processedOn=NOW),
        "3": record(name="low", priority=9, ats=1, processedOn=NOW),
        **{f"{job_id}:lock": "w:2" for job_id in "123"},
        "active": ["3", "2", "1"],
        "events": [["active", job_id, "waiting"] for job_id in "123"],
    }
    assert 29_000 < keys.ttl("1:lock") <= 30_000


async def test_taking_starts_no_more_than_asked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "2": record(), "wait": ["2", "1"]})
    assert len((await finish(keyspace, take=1)).records) == 1
    assert (keys.get("wait"), keys.get("active")) == (["2"], ["1"])
    # What still waits wakes the next worker; a queue that is empty wakes none.
    assert keys.get("marker") == Sorted({"0": 0})
    keys.delete("marker")
    assert len((await finish(keyspace, take=2)).records) == 1
    assert keys.get("marker") is None


async def test_taking_makes_due_jobs_ready(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    due = {"1": NOW * 4096.0, "2": NOW * 4096.0 + 1, "3": (NOW + 700) * 4096.0}
    keys.put(
        {"1": record(delay=9, priority=2), "2": record(delay=9), "3": record(delay=9), "delayed": Sorted(due)}
    )
    assert [row.raw_id for row in (await finish(keyspace, take=2)).records] == [b"2", b"1"]
    assert keys.get("2") == record(ats=1, processedOn=NOW)
    assert keys.get("delayed") == Sorted({"3": (NOW + 700) * 4096})
    assert (await finish(keyspace, take=2)) == FinishReply([], [], 0, NOW + 700, NOW)
    assert keys.get("events")[:2] == [["waiting", "1", "delayed"], ["waiting", "2", "delayed"]]


async def test_a_paused_queue_gives_nothing_and_promotes(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"], "2": record(delay=9), "delayed": Sorted({"2": NOW * 4096.0})})
    keys.put({"meta": {"paused": "1"}})
    assert await finish(keyspace, take=5) == FinishReply([], [], 0, 0, NOW)
    assert (keys.get("wait"), keys.get("marker")) == (["2", "1"], None)


async def test_global_concurrency_leaves_room_for_few(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"concurrency": "2"}, "active": ["9"], "wait": ["2", "1"], "1": record(), "2": record()})
    assert len((await finish(keyspace, take=5)).records) == 1
    assert len((await finish(keyspace, take=5)).records) == 0


async def test_a_rate_limit_counts_starts_and_tells_how_long(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["4", "3", "2", "1"], "1": record(defa="x"), "2": record(), "3": record(), "4": record()})
    order = TakeRequest(5, "w:2", 30_000, limit_max=2, limit_window=60_000)
    first = await finish_and_take(keyspace, [], order)
    # A job that is only to be failed is not counted.
    assert (len(first.records), keys.get("limiter")) == (2, "1")
    assert len((await finish_and_take(keyspace, [], order)).records) == 1
    third = await finish_and_take(keyspace, [], order)
    assert (third.records, keys.get("limiter"), keys.get("wait")) == ([], "2", ["4"])
    assert 59_000 < third.limited_ms <= 60_000


async def test_a_limited_worker_wakes_others_for_what_became_due(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"limiter": "1", "1": record(delay=9), "delayed": Sorted({"1": NOW * 4096.0})})
    await keyspace.server.call("PEXPIRE", keyspace.keys["limiter"], 60_000)
    await finish_and_take(keyspace, [], TakeRequest(5, "w:2", 30_000, limit_max=1, limit_window=60_000))
    assert (keys.get("wait"), keys.get("marker")) == (["1"], Sorted({"0": 0}))


async def test_the_queues_own_limit_wins(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"max": "1", "duration": "5000"}, "wait": ["2", "1"], "1": record(), "2": record()})
    order = TakeRequest(5, "w:2", 30_000, limit_max=9, limit_window=60_000)
    assert len((await finish_and_take(keyspace, [], order)).records) == 1
    assert 59_000 < keys.ttl("limiter") <= 60_000


async def test_ids_without_a_record_are_passed_over(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["3", "2", "1"], "2": "no record", "3": record()})
    assert [row.raw_id for row in (await finish(keyspace, take=1)).records] == [b"3"]
    assert (keys.get("active"), keys.get("1"), keys.get("wait")) == (["3"], None, None)


async def test_an_end_and_a_start_in_one_call(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "wait": ["2"], "2": record()})
    done = await finish(keyspace, ("1", DONE), take=1)
    assert (done.codes, [row.raw_id for row in done.records]) == ([0], [b"2"])
    assert [event[0] for event in keys.get("events")] == ["completed", "active"]
    assert keys.get("active") == ["2"]


async def test_a_queue_with_delayed_jobs_is_not_called_drained(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "2": record(delay=9), "delayed": Sorted({"2": (NOW + 9) * 4096.0})})
    await finish(keyspace, ("1", DONE), take=1)
    assert [event[0] for event in keys.get("events")] == ["completed"]


async def test_the_worker_is_written_down(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"]})
    await finish_and_take(keyspace, [], TakeRequest(1, "w:2", 30_000, worker="trader-1"))
    assert keys.get("1")["pb"] == "trader-1"


async def test_large_jobs_are_started_in_parts_and_the_rest_keeps_its_place(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    large = {str(number): record(data="x" * 60_000, priority=number // 4) for number in range(1, 8)}
    keys.put({**large, "wait": ["3", "2", "1"], "pc": "9"})
    keys.put({"prioritized": Sorted({str(number): (number // 4) * 2.0**32 + number for number in range(4, 8)})})
    order = TakeRequest(50, "w:2", 30_000, most_bytes=100_000)
    first = await finish_and_take(keyspace, [], order)
    assert ([row.raw_id for row in first.records], first.has_more, first.is_much) == ([b"1", b"2"], 1, 1)
    assert (keys.get("wait"), keys.get("pc")) == (["3"], "9")
    second = await finish_and_take(keyspace, [], order)
    assert [row.raw_id for row in second.records] == [b"3", b"4"]
    assert keys.get("prioritized") == Sorted({str(number): 2.0**32 + number for number in range(5, 8)})
    assert (keys.get("wait"), keys.get("pc")) == (None, "9")
    third = await finish_and_take(keyspace, [], TakeRequest(50, "w:3", 30_000))
    assert ([row.raw_id for row in third.records], third.has_more) == ([b"5", b"6", b"7"], 0)
    assert keys.get("pc") is None
    assert keys.get("stalled-check:unread") == {str(number): "1:0" for number in range(1, 8)}
    assert 80_000_000 < keys.ttl("stalled-check:unread") <= 86_400_000


async def test_a_single_job_may_be_larger_than_a_call_carries(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(data="x" * 1000), "wait": ["1"]})
    done = await finish_and_take(keyspace, [], TakeRequest(50, "w:2", 30_000, most_bytes=10))
    assert (len(done.records), done.has_more, done.is_much) == (1, 0, 0)
    assert keys.get("stalled-check:unread") is None
