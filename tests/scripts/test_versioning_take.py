"""versioning.take: jobs start whose payload version is understood; others wait aside in a line of theirs."""

import json
from typing import Any

from stockyard._store.jobs.finishing import VersionedTakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

ASIDE = 600_000
DUE = (NOW + ASIDE) * 4096


def of(version: int | None, **fields: Any) -> dict[str, str]:
    """The record of a job of a payload version."""
    options = {"attempts": 1} if version is None else {"attempts": 1, "version": version}
    return record(opts=json.dumps(options), **fields)


async def take(keyspace: QueueKeyspace, *versions: int, room: int = 10) -> list[str]:
    """Start what a worker of these versions may start; return the ids."""
    request = VersionedTakeRequest(room, "w:1", 30_000, versions=list(versions))
    reply = await finish_and_take(keyspace, [], request)
    return [each.id for each in reply.records]


async def test_jobs_start_whose_version_is_understood(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": of(None), "2": of(2), "3": of(1), "4": of(2), "wait": ["4", "3", "2", "1"]})
    assert await take(keyspace, 1) == ["1", "3"]
    assert keys.get("active") == ["3", "1"]
    assert keys.get("delayed") == Sorted({"2": DUE, "4": DUE + 1})
    assert keys.get("stalled-check:version:2") == Sorted({"2": 1, "4": 2})
    assert keys.get("stalled-check:versions") == {"1": str(NOW), "2": "0"}
    assert keys.get("2")["delay"] == str(ASIDE)
    assert keys.get("marker") == Sorted({"0": 0})
    keys.put({"5": of(2), "wait": ["5"]})
    assert await take(keyspace, 1, 2) == ["2", "4", "5"]
    assert (keys.get("delayed"), keys.get("stalled-check:version:2"), keys.get("wait")) == (None, None, None)
    assert keys.get("2")["delay"] == "0"
    assert keys.get("stalled-check:versions") == {"1": str(NOW), "2": str(NOW)}


async def test_priorities_hold_and_the_room_is_kept_to(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for number in range(1, 7):
        keys.put({str(number): of(2 if number in (1, 4) else 1, priority=number)})
    keys.put({"prioritized": Sorted({str(number): number * 2**32 for number in range(1, 7)})})
    assert await take(keyspace, 1, room=2) == ["2", "3"]
    assert sorted(keys.get("prioritized")) == ["4", "5", "6"]
    assert await take(keyspace, 2, room=1) == ["1"]
    assert await take(keyspace, 2, room=1) == ["4"]
    assert await take(keyspace, 1) == ["5", "6"]


async def test_what_left_its_line_by_another_hand_is_passed_over(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": of(2), "2": of(2), "3": of(2), "wait": ["3", "2", "1"]})
    assert await take(keyspace, 1) == []
    keys.delete("1")
    keys.delete("delayed")
    keys.put({"delayed": Sorted({"3": DUE}), "wait": ["2"]})
    assert await take(keyspace, 2) == ["3", "2"]


async def test_a_line_that_was_lost_is_made_again(
    keyspace_at: Any, keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"1": of(2), "wait": ["1"]})
    assert await take(keyspace, 1) == []
    keys.delete("stalled-check:version:2")
    assert await take(keyspace, 2) == []
    assert await take(keyspace_at(NOW + ASIDE), 2) == ["1"]


async def test_what_is_no_record_costs_no_other_job_its_place(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": "text", "2": record(opts="{"), "3": record(opts='{"version":"x"}'), "wait": ["3", "2", "1"]})
    assert await take(keyspace, 1) == ["2", "3"]


async def test_an_idle_worker_looks_again_soon(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    """Whatever is due when: what another worker puts aside for it may have woken a third one."""
    request = VersionedTakeRequest(1, "w:1", 30_000, versions=[1])
    assert (await finish_and_take(keyspace, [], request)).next_due == NOW + 500
    keys.put({"delayed": Sorted({"1": (NOW + 90_000) * 4096})})
    assert (await finish_and_take(keyspace, [], request)).next_due == NOW + 500
    keys.put({"delayed": Sorted({"2": (NOW + 90) * 4096})})
    assert (await finish_and_take(keyspace, [], request)).next_due == NOW + 90


async def test_a_paused_queue_starts_none(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": of(2), "2": of(1), "wait": ["2", "1"], "meta": {"paused": "1"}})
    assert await take(keyspace, 1) == []
    assert keys.get("wait") == ["2", "1"]


async def test_one_call_puts_so_many_aside(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    ids = [str(number) for number in range(1, 251)]
    keys.put({each: of(2) for each in ids})
    keys.put({"wait": [*reversed(ids)]})
    request = VersionedTakeRequest(300, "w:1", 30_000, versions=[1])
    reply = await finish_and_take(keyspace, [], request)
    assert (reply.records, reply.has_more) == ([], 1)
    assert len(keys.get("wait")) == 50
    assert await take(keyspace, 1) == []
    assert await take(keyspace, 2, room=3) == ["1", "2", "3"]
