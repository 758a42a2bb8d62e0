"""versioning.divide: a canary is set, changed, and ended; what waits aside is divided anew."""

from stockyard._store.jobs.versioning import read_version_facts, set_canary
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import Canary
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.test_versioning_take import IDS, of, seen, side, take_as


async def test_it_is_set_changed_and_ended(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"stalled-check:releases": {"release:1": str(NOW)}})
    assert await set_canary(keyspace, Canary(2, 0.05)) is None
    assert (await read_version_facts(keyspace)).canary == Canary(2, 0.05, NOW)
    assert await set_canary(keyspace, Canary(2, 0.5)) == Canary(2, 0.05)
    assert keys.get("marker") == Sorted({"0": 0})
    assert await set_canary(keyspace, None) == Canary(2, 0.5)
    assert keys.get("stalled-check:releases") == {"release:1": str(NOW)}
    assert (await read_version_facts(keyspace)).canary is None


async def test_what_waits_aside_follows_a_share_at_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)], **seen(1, 2, share=0.5)})
    first = await take_as(keyspace, 1)
    await set_canary(keyspace, Canary(2, 0.1))
    assert keys.get("stalled-check:version:1:canary") is None
    second = await take_as(keyspace, 1)
    assert first + second == sorted(first, key=int) + [
        each for each in IDS if side(0.5, each) == "canary" and side(0.1, each) == "stable"
    ]
    assert await take_as(keyspace, 2) == [each for each in IDS if side(0.1, each) == "canary"]


async def test_what_waits_aside_is_taken_back_at_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)], **seen(1, 2, share=0.5)})
    first = await take_as(keyspace, 1)
    await set_canary(keyspace, Canary(2, 0))
    assert await take_as(keyspace, 2) == []
    assert sorted(first + await take_as(keyspace, 1), key=int) == IDS


async def test_without_a_canary_every_worker_takes_what_it_understands(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({each: of(None) for each in IDS} | {"wait": [*reversed(IDS)], **seen(1, 2, share=0.5)})
    first = await take_as(keyspace, 2)
    await set_canary(keyspace, None)
    assert sorted(first + await take_as(keyspace, 2), key=int) == IDS
