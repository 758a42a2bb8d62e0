"""leasing.recover: jobs without a lock go back, once per interval over all workers."""

import time
from typing import Any

import pytest

from stockyard._store.jobs.leasing import recover_stalled
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

GIVEN_UP = "job stalled more than allowable limit"


async def recover(keyspace: QueueKeyspace) -> list[str]:
    return await recover_stalled(keyspace, interval_ms=5000, max_stalled=1)


async def forget_the_look(keyspace: QueueKeyspace) -> None:
    """As if the interval were over."""
    await keyspace.server.call("DEL", keyspace.keys["stalled_check"])
    await keyspace.server.call("HDEL", keyspace.keys["meta"], "swept")


async def test_the_first_look_marks_and_the_second_hands_back(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(ats=1), "2": record(ats=1), "2:lock": "w:1", "active": ["2", "1"], "wait": ["8"]})
    assert await recover(keyspace) == []
    assert keys.get("stalled") == {"1", "2"}
    assert keys.get("stalled-check") == str(NOW)
    assert await recover(keyspace) == []  # the interval is not over

    assert abs(int(keys.get("meta")["swept"]) - time.time() * 1000) < 60_000
    await forget_the_look(keyspace)
    assert await recover(keyspace) == ["1"]
    assert keys.all() == {
        "1": record(ats=1, stc=1),
        "2": record(ats=1),
        "2:lock": "w:1",
        "active": ["2"],
        "wait": ["8", "1"],
        "marker": Sorted({"0": 0}),
        "stalled": {"2"},
        "stalled-check": str(NOW),
        "events": [["waiting", "1", "active"], ["stalled", "1"]],
    }


async def test_a_job_that_stalled_too_often_is_to_be_failed(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(stc=1, priority=4), "active": ["1"], "stalled": {"1"}})
    assert await recover(keyspace) == ["1"]
    assert keys.get("1") == record(stc=2, priority=4, defa=GIVEN_UP)
    assert (keys.get("wait"), keys.get("active"), keys.get("prioritized")) == (["1"], None, None)


async def test_a_run_of_a_live_schedule_is_not_given_up(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(stc=5, rjk="hourly"), "active": ["1"], "stalled": {"1"}, "repeat:hourly": {"ic": "1"}})
    assert await recover(keyspace) == ["1"]
    assert keys.get("1") == record(stc=6, rjk="hourly")


async def test_what_is_not_active_any_more_is_left_alone(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "completed": Sorted({"1": 1}), "stalled": {"1"}})
    assert await recover(keyspace) == []
    assert keys.all() == {"1": record(), "completed": Sorted({"1": 1}), "stalled-check": str(NOW)}


async def test_an_active_id_without_a_record_is_cleared(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"active": ["1"], "stalled": {"1"}})
    assert await recover(keyspace) == []
    assert keys.all() == {"stalled-check": str(NOW)}


async def test_nobody_is_woken_for_a_paused_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "active": ["1"], "stalled": {"1"}, "meta": {"paused": "1"}})
    assert await recover(keyspace) == ["1"]
    assert keys.get("marker") is None


async def test_the_event_stream_is_trimmed(keyspace: QueueKeyspace, keys: Keyspace, raw: Any) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "10"}})
    for at in range(400):
        raw.xadd(keyspace.keys["events"], {"event": "old", "at": at})
    await recover(keyspace)
    assert len(keys.get("events")) < 300


async def test_a_look_soon_after_another_hands_nothing_back_though_the_check_was_evicted(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"1": record(ats=1), "active": ["1"]})
    assert await recover(keyspace) == []
    keys.delete("stalled-check")
    before = keys.all()
    assert await recover(keyspace) == []
    assert keys.all() == before | {"stalled-check": str(NOW)}


async def test_a_clock_that_was_set_back_holds_nothing_up(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(ats=1), "active": ["1"], "stalled": {"1"}, "meta": {"swept": "9999999999999"}})
    assert await recover(keyspace) == ["1"]


ORPHANS, HELD = 1200, 1500


async def test_a_look_at_many_is_many_short_calls_and_misses_none(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead and held jobs by turns: those that stay are passed by, and found again where the last call ended."""
    ids = [f"{number}" for number in range(ORPHANS + HELD)]
    orphans = {job_id for job_id in ids if int(job_id) % 9 < 4}
    keys.put({"active": ids, "stalled": set(ids), "meta": {"opts.maxLenEvents": "10"}})
    with raw.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hset(keyspace.base + job_id, mapping=record(ats=1))
            if job_id not in orphans:
                pipe.set(f"{keyspace.base}{job_id}:lock", "w:1")
        pipe.execute()
    parts: list[int] = []
    run = keyspace.run

    async def counted(*call: Any, **how: Any) -> Any:
        reply = await run(*call, **how)
        parts.append(len(reply[0]))
        return reply

    monkeypatch.setattr(keyspace, "run", counted)
    recovered = await recover(keyspace)
    assert len(recovered) == len(orphans)
    assert set(recovered) == set(keys.get("wait")) == orphans
    # In their order still, and each marked for the next look.
    assert keys.get("active") == [job_id for job_id in ids if job_id not in orphans]
    assert keys.get("stalled") == set(ids) - orphans
    assert max(parts) <= 100
    assert len(parts) < 60


async def test_a_look_that_another_worker_has_overtaken_ends(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{number}" for number in range(500)]
    keys.put({"active": ids, "stalled": set(ids)})
    with raw.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hset(keyspace.base + job_id, mapping=record(ats=1))
        pipe.execute()
    run = keyspace.run

    async def overtaken(*call: Any, **how: Any) -> Any:
        reply = await run(*call, **how)
        raw.hset(keyspace.keys["meta"], "swept", 1)
        return reply

    monkeypatch.setattr(keyspace, "run", overtaken)
    recovered = await recover(keyspace)
    assert 0 < len(recovered) < len(ids)
    assert len(keys.get("active")) == len(ids) - len(recovered)


async def test_a_start_that_its_worker_never_heard_of_is_no_stall(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {
            "1": record(ats=2, stc=1),
            "active": ["1"],
            "stalled": {"1"},
            "stalled-check:unread": {"1": "2:0"},
        }
    )
    assert await recover(keyspace) == []
    assert keys.get("1") == record(ats=1, stc=1)
    assert (keys.get("wait"), keys.get("active")) == (["1"], None)
    assert keys.get("stalled-check:unread") == {"1": "0:1"}
    assert keys.get("events") == [["waiting", "1", "active"]]
    assert keys.get("marker") == Sorted({"0": 0})


async def test_a_start_after_the_one_that_was_marked_is_a_stall(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {"1": record(ats=3), "active": ["1"], "stalled": {"1"}, "stalled-check:unread": {"1": "2:0", "2": "1:0"}}
    )
    assert await recover(keyspace) == ["1"]
    assert keys.get("1") == record(ats=3, stc=1)
    assert keys.get("stalled-check:unread") == {"2": "1:0"}


async def test_a_record_that_never_arrives_counts_from_the_fourth_time_on(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"1": record(ats=2), "active": ["1"], "stalled": {"1"}, "stalled-check:unread": {"1": "2:3"}})
    assert await recover(keyspace) == ["1"]
    assert keys.get("1") == record(ats=2, stc=1)
