"""finishing.finish: runs that leave active without an end of their jobs: later, next in line, after children."""

from typing import Any

import pytest
import redis

from stockyard._store.ids import id_of
from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take, is_held_by_children
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.outcome import (
    Completed,
    Delayed,
    Failed,
    Outcome,
    Requeued,
    Retried,
    WaitingChildren,
)
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.runs import DONE, STARTED, finish, running

BY_HAND = "9007199254740991"
MOVES: list[Outcome] = [Delayed(500), Requeued(), Requeued(700), WaitingChildren()]


@pytest.mark.parametrize("delay", [500, 0])
async def test_a_job_is_delayed_without_using_up_an_attempt(
    keyspace: QueueKeyspace, keys: Keyspace, delay: int
) -> None:
    keys.put(running(atm=1, failedReason="before"))
    assert (await finish(keyspace, ("1", Delayed(delay)))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED, atm=1, failedReason="before") | {"delay": str(delay)},
        "delayed": Sorted({"1": (NOW + delay) * 4096}),
        "marker": Sorted({"1": NOW + delay}),
        "events": [["delayed", "1", str(NOW + delay)]],
    }


@pytest.mark.parametrize(
    ("priority", "place"),
    [(0, {"wait": ["8", "1"]}), (3, {"wait": ["8"], "prioritized": Sorted({"1": 3 * 2**32})})],
)
async def test_a_job_that_is_limited_is_next_in_line_and_nobody_starts(
    keyspace: QueueKeyspace, keys: Keyspace, priority: int, place: dict[str, Any]
) -> None:
    keys.put({**running(priority=priority), "wait": ["8"]})
    done = await finish(keyspace, ("1", Requeued(60_000)), take=5)
    assert (done.codes, done.records) == ([0], [])
    assert 59_000 < done.limited_ms <= 60_000
    assert 59_000 < keys.ttl("limiter") <= 60_000
    assert keys.all() == {
        "1": record(**STARTED, priority=priority),
        **place,
        "limiter": BY_HAND,
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "active"]],
    }


async def test_a_job_waits_for_its_children(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "1:dependencies": {"c"}})
    assert await is_held_by_children(keyspace, "1")
    assert (await finish(keyspace, ("1", WaitingChildren()))).codes == [0]
    assert keys.all() == {
        "1": record(**STARTED),
        "1:dependencies": {"c"},
        "waiting-children": Sorted({"1": NOW}),
        "events": [["waiting-children", "1", "active"]],
    }


async def test_a_job_whose_children_ended_meanwhile_goes_on_at_once(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({**running(), "wait": ["8"]})
    assert not await is_held_by_children(keyspace, "1")
    assert (await finish(keyspace, ("1", WaitingChildren()))).codes == [0]
    assert (keys.get("wait"), keys.get("waiting-children")) == (["8", "1"], None)
    assert keys.get("events") == [["waiting", "1", "active"]]


async def test_a_job_that_a_child_failed_does_not_wait(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "1:dependencies": {"c"}, "1:unsuccessful": Sorted({"d": NOW})})
    before = keys.all()
    assert (await finish(keyspace, ("1", WaitingChildren()))).codes == [-9]
    assert keys.all() == before


async def test_children_that_end_in_the_same_call_release_their_parent(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    child = running("2", parentKey=keyspace.base + "1", parent=f'{{"id":"1","queueKey":"{keyspace.base[:-1]}"}}')
    keys.put({**running("1"), "1:dependencies": {keyspace.base + "2"}})
    keys.put(child)
    await finish(keyspace, ("1", WaitingChildren()), ("2", Completed("7", None)))
    assert (keys.get("wait"), keys.get("waiting-children")) == (["1"], None)
    assert keys.get("1:processed") == {keyspace.base + "2": "7"}


@pytest.mark.parametrize("outcome", MOVES)
@pytest.mark.parametrize(("token", "code"), [("w:9", -6), (None, -2)])
async def test_a_move_is_guarded_by_the_lock(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, outcome: Outcome, token: str | None, code: int
) -> None:
    keys.put({**running(), "1:dependencies": {"c"}})
    raw.delete(keyspace.base + "1:lock")
    if token:
        keys.put({"1:lock": token})
    before = keys.all()
    assert (await finish(keyspace, ("1", outcome))).codes == [code]
    assert keys.all() == before


@pytest.mark.parametrize("outcome", MOVES)
async def test_a_move_of_what_is_not_active_queues_nothing(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, outcome: Outcome
) -> None:
    keys.put({**running(), "1:dependencies": {"c"}})
    raw.delete(keyspace.base + "active")
    assert (await finish(keyspace, ("1", outcome))).codes == [-3]
    assert not {"wait", "delayed", "waiting-children"} & keys.all().keys()


@pytest.mark.parametrize("outcome", MOVES)
async def test_a_move_that_is_sent_again_changes_nothing(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, outcome: Outcome
) -> None:
    keys.put({**running(), "1:dependencies": {"c"}})
    await finish(keyspace, ("1", outcome))
    raw.delete(keyspace.base + "limiter")
    before = keys.all()
    assert (await finish(keyspace, ("1", outcome))).codes == [-2]
    assert keys.all() == before


@pytest.mark.parametrize("outcome", [Delayed(0), Requeued(), WaitingChildren(), DONE])
@pytest.mark.parametrize("others", [["5"], ["5", "6"]])
async def test_who_leaves_a_full_queue_without_taking_lets_others_in(
    keyspace: QueueKeyspace, keys: Keyspace, outcome: Outcome, others: list[str]
) -> None:
    """Nobody else would ring for what waits already."""
    keys.put({**running(), "wait": ["8"], "meta": {"concurrency": "2"}})
    keys.put({"active": others})
    await finish(keyspace, ("1", outcome))
    assert ("0" in (keys.get("marker") or {})) == (len(others) < 2)


async def test_nobody_is_rung_for_when_nothing_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**running(), "meta": {"concurrency": "2"}})
    await finish(keyspace, ("1", DONE))
    assert keys.get("marker") is None


async def test_a_limit_set_by_hand_holds_without_any_other(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any
) -> None:
    keys.put({"wait": ["1"], "1": record(), "limiter": BY_HAND})
    raw.pexpire(keyspace.base + "limiter", 60_000)
    done = await finish(keyspace, take=5)
    assert (done.records, keys.get("wait")) == ([], ["1"])
    assert 59_000 < done.limited_ms <= 60_000
    raw.delete(keyspace.base + "limiter")
    assert len((await finish(keyspace, take=5)).records) == 1


async def test_a_count_without_any_limit_is_not_looked_at(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any
) -> None:
    keys.put({"wait": ["2", "1"], "1": record(), "2": record(), "limiter": "50"})
    raw.pexpire(keyspace.base + "limiter", 60_000)
    assert len((await finish(keyspace, take=5)).records) == 2
    assert keys.get("limiter") == "50"


async def test_a_full_count_that_never_ends_holds_nobody(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    """As every peer has it: only a window that ends is a limit."""
    keys.put({"wait": ["1"], "1": record(), "limiter": "50"})
    order = TakeRequest(5, "w:2", 30_000, limit_max=50, limit_window=1000)
    assert len((await finish_and_take(keyspace, [], order)).records) == 1


async def test_jobs_that_are_only_to_be_failed_are_not_held_by_others_of_their_window(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    jobs = {str(n): record(**({"defa": "x"} if n < 4 else {})) for n in range(1, 6)}
    keys.put({"wait": ["5", "4", "3", "2", "1"], **jobs})
    order = TakeRequest(5, "w:2", 30_000, limit_max=3, limit_window=60_000)
    assert len((await finish_and_take(keyspace, [], order)).records) == 3
    assert keys.get("limiter") is None
    assert len((await finish_and_take(keyspace, [], order)).records) == 2
    assert keys.get("limiter") == "2"


async def test_a_broken_job_among_moves_does_not_keep_its_neighbours(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    for job_id in ("1", "3"):
        keys.put(running(job_id))
    keys.put({"2": "no record", "2:lock": "w:1", "active": ["2"]})
    ended = [EndedRun(job_id, "w:1", outcome) for job_id, outcome in zip("123", MOVES, strict=False)]
    codes = (await finish_and_take(keyspace, ended, TakeRequest(0, "", 30_000))).codes
    assert (codes[0], codes[2]) == (0, 0)
    assert "WRONGTYPE" in str(codes[1])


@pytest.mark.parametrize("priority", [0, 3])
async def test_a_job_that_is_tried_again_does_not_overtake_what_is_due(
    keyspace: QueueKeyspace, keys: Keyspace, priority: int
) -> None:
    keys.put({**running(priority=priority), "due": record(delay=9, priority=priority)})
    keys.put({"delayed": Sorted({"due": NOW * 4096.0})})
    done = await finish(keyspace, ("1", Retried("no", (), 0, lifo=False)), take=1)
    assert [row.raw_id for row in done.records] == [b"due"]
    assert keys.get("1")["atm"] == "1"


NO_TEXT = b"\xff\xfe1"


@pytest.mark.parametrize("outcome", [DONE, Failed("no", ("no",), 0, None), Requeued()])
async def test_a_run_whose_id_is_no_utf8_is_written_under_its_own_bytes(
    keyspace: QueueKeyspace, redis_url: str, outcome: Outcome
) -> None:
    job = keyspace.base.encode() + NO_TEXT
    with redis.Redis.from_url(redis_url) as client:
        client.hset(job, mapping=record(**STARTED))
        client.set(job + b":lock", "w:1")
        client.lpush(keyspace.keys["active"], NO_TEXT)
        ended = EndedRun(id_of(NO_TEXT), "w:1", outcome)
        assert (await finish_and_take(keyspace, [ended], TakeRequest(0, "w:2", 30_000))).codes == [0]
        assert not client.exists(job + b":lock", keyspace.keys["active"])
