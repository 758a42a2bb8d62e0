"""halting.apply: a queue that is halted is paused, for every peer, and afterwards as it was before."""

from stockyard._store import halting
from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.halts import current, halt, text_of

WAITING = {"1": record(), "wait": ["1"]}


async def test_without_halts_nothing_is_written(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await halting.apply(keyspace, current())
    assert keys.names() == []


async def test_a_queue_is_paused_and_wakes_nobody(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**WAITING, "marker": Sorted({"0": 0})})
    await halting.apply(keyspace, current(halt()))
    assert keys.all() == {
        **WAITING,
        ":halts": {"version": str(NOW), "all": text_of(halt())},
        "events": [["paused"]],
    }
    assert keys.get("meta") == {"paused": "1", "stockyard.halted": "running"}
    await halting.apply(keyspace, current(halt()))
    assert keys.get("events") == [["paused"]]


async def test_afterwards_its_jobs_start_again(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**WAITING, "delayed": Sorted({"2": NOW * 4096.0})})
    await halting.apply(keyspace, current(halt()))
    await halting.apply(keyspace, current(version=NOW + 1))
    assert keys.get("meta") is None
    assert keys.get("marker") == Sorted({"0": 0, "1": NOW})
    assert keys.get("events") == [["paused"], ["resumed"]]
    assert keys.get(":halts") == {"version": str(NOW + 1)}
    assert 0 < keys.ttl(":halts") <= 86_400_000


async def test_what_was_paused_before_or_is_paused_meanwhile_stays_paused(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    await managing.pause(keyspace)
    await halting.apply(keyspace, current(halt()))
    await halting.apply(keyspace, current(version=NOW + 1))
    assert keys.get("meta") == {"paused": "1"}
    assert await managing.resume(keyspace)
    await halting.apply(keyspace, current(halt(), version=NOW + 2))
    await managing.pause(keyspace)
    await halting.apply(keyspace, current(version=NOW + 3))
    assert keys.get("meta") == {"paused": "1"}


async def test_nobody_resumes_it_in_another_way(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await halting.apply(keyspace, current(halt()))
    assert not await managing.resume(keyspace)
    assert keys.get("meta") == {"paused": "1", "stockyard.halted": "running"}
    # As Node does: the next look pauses it again.
    await keyspace.server.call("HDEL", keyspace.keys["meta"], "paused")
    await halting.apply(keyspace, current(halt()))
    assert keys.get("meta") == {"paused": "1", "stockyard.halted": "running"}


async def test_what_was_read_before_a_change_is_not_written_behind_it(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    await halting.apply(keyspace, current(halt(), version=NOW + 5))
    before = keys.all()
    await halting.apply(keyspace, current(version=NOW + 4))
    assert keys.all() == before
    await halting.apply(keyspace, current(version=NOW + 6))
    await halting.apply(keyspace, current(halt(), version=NOW + 5))
    assert keys.get("meta") is None


async def test_a_halted_key_pauses_nothing_and_frees_its_jobs_afterwards(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    of_key = halt(key="A1")
    await halting.apply(keyspace, current(of_key, halt("other", key="A2")))
    assert keys.all() == {":halts": {"version": str(NOW), "key:A1": text_of(of_key)}}
    keys.put({"1": record(delay=1000), "delayed": Sorted({"1": NOW * 4096.0})})
    await halting.note_held(keyspace, "1")
    await halting.apply(keyspace, current(version=NOW + 1))
    assert keys.get("wait") == ["1"]
    assert keys.get(":halts:held") is None


async def test_what_a_bullmq_5_set_aside_runs_first(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await halting.apply(keyspace, current(halt()))
    keys.put({"paused": ["2", "1"], "wait": ["3"]})
    await halting.apply(keyspace, current(version=NOW + 1))
    assert (keys.get("wait"), keys.get("paused"), keys.get("meta")) == (["3", "2", "1"], None, None)
