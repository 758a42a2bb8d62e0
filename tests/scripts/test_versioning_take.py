"""versioning.take: jobs start whose payload version is understood; others wait aside in a line of theirs."""

import hashlib
import json
from typing import Any

import pytest

from stockyard._store.jobs.cancelling import cancel
from stockyard._store.jobs.editing import change_delay
from stockyard._store.jobs.finishing import VersionedTakeRequest, finish_and_take
from stockyard._store.jobs.versioning import set_canary
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import Canary
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


async def test_of_what_is_put_aside_the_more_important_goes_first(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for number, priority in enumerate([9, 9, 5, 0], 1):
        keys.put({str(number): of(2, priority=priority), "prioritized": Sorted({str(number): 1})})
        assert await take(keyspace, 1) == []
    assert await take(keyspace, 2) == ["4", "3", "1", "2"]


def side(share: float, name: str, version: int = 2) -> str:
    """Where a job belongs, by its key or else its id."""
    drawn = int(hashlib.sha1(f"{version}:{name}".encode()).hexdigest()[:8], 16)
    return "canary" if drawn < share * 2**32 else "stable"


def seen(*releases: int, share: float = 0.3, at: int = NOW) -> dict[str, Any]:
    """A canary of version 2, with workers of these releases."""
    known = {f"release:{release}": str(at) for release in releases}
    return {"stalled-check:releases": {"canary": "2", "share": repr(share), **known}}


async def take_as(keyspace: QueueKeyspace, release: int, room: int = 100) -> list[str]:
    """Start what a worker of a release may start, which understands the versions up to its own."""
    versions = list(range(1, release + 1))
    request = VersionedTakeRequest(room, "w:1", 30_000, versions=versions, release=release)
    return [each.id for each in (await finish_and_take(keyspace, [], request)).records]


IDS = [str(number) for number in range(1, 101)]


async def test_a_canary_gets_its_share_and_no_other_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)], **seen(1, 2)})
    canary = [each for each in IDS if side(0.3, each) == "canary"]
    assert 20 < len(canary) < 40
    stable = [each for each in IDS if each not in canary]
    assert await take_as(keyspace, 1) == stable
    assert sorted(keys.get("stalled-check:version:1:canary"), key=int) == canary
    assert await take_as(keyspace, 2) == canary
    assert keys.get("delayed") is None
    assert keys.get("stalled-check:releases")["moved:1"] == str(NOW)


async def test_a_canary_that_comes_first_leaves_the_others_theirs(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)], **seen(1, 2)})
    canary = [each for each in IDS if side(0.3, each) == "canary"]
    assert await take_as(keyspace, 2) == canary
    assert await take_as(keyspace, 1) == [each for each in IDS if each not in canary]


async def test_jobs_of_a_key_are_of_one_side(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    names = [f"key-{number % 10}" for number in range(100)]
    for job_id, name in zip(IDS, names, strict=True):
        keys.put({job_id: record(opts=json.dumps({"key": name, "version": 1}))})
    keys.put({"wait": [*reversed(IDS)], **seen(1, 2)})
    started = await take_as(keyspace, 2)
    assert {names[int(each) - 1] for each in started} == {each for each in names if side(0.3, each) == "canary"}
    assert len(started) == 10 * len({names[int(each) - 1] for each in started})


async def test_jobs_of_the_new_version_are_not_divided(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": of(2), "2": of(3), "wait": ["2", "1"], **seen(1, 2, share=0)})
    assert await take_as(keyspace, 1) == []
    assert await take_as(keyspace, 2) == ["1"]
    assert await take_as(keyspace, 3) == ["2"]


@pytest.mark.parametrize(("here", "gone"), [(1, 2), (2, 1)])
async def test_a_side_without_workers_holds_no_job(
    keyspace: QueueKeyspace, keys: Keyspace, here: int, gone: int
) -> None:
    """Neither a canary that has died, nor one that is left set when the last old worker has gone."""
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)]} | seen(gone, at=NOW - 60_000))
    first = await take_as(keyspace, here)
    assert 0 < len(first) < 100
    keys.put(seen(gone, at=NOW - 60_001))
    assert sorted(first + await take_as(keyspace, here), key=int) == IDS


async def test_workers_of_the_smaller_side_leave_most_of_the_others_where_they_are(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    """Else whatever waits would stand in lines, before a more important job that comes."""
    ids = [str(number) for number in range(1, 1001)]
    keys.put({each: of(None) for each in ids} | {"wait": [*reversed(ids)], **seen(1, 2, share=0.01)})
    for _ in range(5):
        await take_as(keyspace, 2)
    assert len(keys.get("stalled-check:version:1:stable")) == 200
    left = keys.get("wait")
    assert left == [*reversed(ids)][: len(left)]
    # What they left is the next that others take, behind what stands in the line.
    stable = [each for each in ids if side(0.01, each) == "stable"]
    assert await take_as(keyspace, 1, room=1000) == stable


async def test_the_larger_side_is_never_kept_waiting(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    ids = [str(number) for number in range(1, 1001)]
    keys.put({each: of(None) for each in ids} | {"wait": [*reversed(ids)], **seen(1, 2, share=0.4)})
    started: list[str] = []
    for _ in range(3):
        started += await take_as(keyspace, 1, room=1000)
    assert started == [each for each in ids if side(0.4, each) == "stable"]
    assert len(keys.get("stalled-check:version:1:canary")) == 1000 - len(started)


async def test_a_cancelled_job_is_taken_by_any_worker(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": of(2), "2": of(2), "wait": ["2", "1"]})
    assert await take(keyspace, 1) == []
    assert await cancel(keyspace, "1", "cancelled: no longer wanted") == 0
    assert await take(keyspace, 1) == ["1"]
    assert list(keys.get("delayed")) == ["2"]
    assert await take(keyspace, 2) == ["2"]


@pytest.mark.parametrize("share", [None, 0.0, 1.0])
async def test_a_job_that_is_delayed_by_hand_waits_for_that_time(
    keyspace_at: Any, keyspace: QueueKeyspace, keys: Keyspace, share: float | None
) -> None:
    if share is not None:
        await set_canary(keyspace, Canary(3, share))
    keys.put({"1": of(2), "2": of(2), "wait": ["2", "1"]})
    assert await take(keyspace, 1) == []
    assert await change_delay(keyspace, "1", 60_000) == 0
    assert await take(keyspace, 2) == ["2"]
    assert keys.get("delayed") == Sorted({"1": (NOW + 60_000) * 4096})
    assert await take(keyspace_at(NOW + 60_000), 2) == ["1"]
