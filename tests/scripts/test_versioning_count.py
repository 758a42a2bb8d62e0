"""versioning.count: the jobs of each payload version that have not ended, wherever they are."""

import pytest

from stockyard._store.jobs import versioning
from stockyard._store.jobs.versioning import count_versions
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import VersionJobs
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.test_versioning_take import of, take_as


async def test_jobs_are_counted_wherever_they_are(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await count_versions(keyspace) == ([], 0)
    keys.put({f"old-{number}": of(None) for number in range(7)})
    keys.put({f"new-{number}": of(2) for number in range(3)})
    keys.put(
        {
            "wait": ["new-0", "old-0"],
            "paused": ["old-1"],
            "prioritized": Sorted({"old-2": 1, "new-1": 2}),
            "delayed": Sorted({"old-3": 1}),
            "active": ["old-4", "new-2"],
            "waiting-children": Sorted({"old-5": 1}),
            ":keys:lines": Sorted({"BTC": 1}),
            ":keys:waiting": "1",
            ":key:BTC": Sorted({"old-6": 1}),
            "completed": Sorted({"done": 1}),
            "done": of(3),
            "stalled-check:versions": {"4": "0"},
        }
    )
    found, left_out = await count_versions(keyspace)
    assert found == [
        VersionJobs(1, waiting=4, delayed=1, active=1, waiting_children=1),
        VersionJobs(2, waiting=2, active=1),
        VersionJobs(4),
    ]
    assert left_out == 0
    assert [each.is_drained for each in found] == [False, False, True]


async def test_records_that_cannot_be_read_have_version_1(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": "text", "2": record(opts="{"), "wait": ["3", "2", "1"]})
    assert (await count_versions(keyspace))[0] == [VersionJobs(1, waiting=3)]


@pytest.mark.parametrize("part", [1, 7, 1000])
async def test_many_are_counted_part_by_part(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(versioning, "_PART", part)
    ids = [str(number) for number in range(300)]
    keys.put({each: of(2 if int(each) % 3 else 1) for each in ids})
    keys.put(
        {"wait": ids[:100], ":keys:lines": Sorted({"A": 1}), ":key:A": Sorted(dict.fromkeys(ids[100:150], 1))}
    )
    keys.put({":keys:waiting": "50", "delayed": Sorted({each: int(each) for each in ids[150:]})})
    assert await count_versions(keyspace) == (
        [VersionJobs(1, waiting=50, delayed=50), VersionJobs(2, waiting=100, delayed=100)],
        0,
    )


async def test_so_many_are_looked_at(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioning, "_PART", 10)
    keys.put({str(number): of(1) for number in range(100)} | {"wait": [str(number) for number in range(100)]})
    assert await count_versions(keyspace, 30) == ([VersionJobs(1, waiting=30)], 70)


async def test_a_version_whose_jobs_move_meanwhile_is_not_drained(
    keyspace: QueueKeyspace, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is taken, fails, and is delayed behind the look through the delayed ones was seen nowhere."""
    count = versioning._count
    calls = 0

    async def beside_a_retry(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        found = await count(*arguments)  # type: ignore[arg-type]
        keys.put({"1": of(None), "wait": ["1"]})
        assert await take_as(keyspace_of_worker, 1) == ["1"]
        keys.delete("active")
        return found

    monkeypatch.setattr(versioning, "_count", beside_a_retry)
    clock = iter(range(NOW, NOW + 100))
    keyspace_of_worker = QueueKeyspace(keyspace.server, keyspace.keys.naming, "q", clock=lambda: next(clock))
    found, _ = await count_versions(keyspace)
    assert found == [VersionJobs(1, moving=True)]
    assert not found[0].is_drained
    assert calls == versioning._LOOKS
    monkeypatch.setattr(versioning, "_count", count)
    found, _ = await count_versions(keyspace)
    assert found[0].is_drained
