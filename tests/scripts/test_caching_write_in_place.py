"""caching.write_in_place: an entry takes the room of the one before; the rest is left to caching.write."""

import pytest

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, NewEntry
from tests.scripts.caches import BUDGET, counted, lru, put
from tests.scripts.conftest import Keyspace

VALUE, OTHER = b"1" * 100, b"2" * 100


async def in_place(cache: CacheKeyspace, value: bytes = OTHER, *, budget: int = BUDGET) -> bool:
    entry = NewEntry("a", value, 90_000, stale_ms=5_000, took_ms=7)
    return await caching.write_in_place(cache, "c", entry, budget)


async def test_it_takes_the_room_of_the_one_before(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", VALUE, 60_000), NewEntry("b", VALUE, 60_000))
    totals, places = cache_keys.get(":totals"), set(cache_keys.get(":lru"))
    assert await in_place(cache, budget=counted(cache_keys))
    assert cache_keys.get(":totals") == totals
    assert set(cache_keys.get(":lru")) == set(cache_keys.get(":expiry")) == places
    assert lru(cache_keys) == ["c::e:b", "c::e:a"]
    assert 94_000 < cache_keys.ttl("c::e:a") <= 95_000
    (found,) = await caching.read(cache, "c", ["a"])
    assert found is not None
    assert (found.value, found.took_ms, found.tags) == (OTHER, 7, b"")
    assert 89_000 < found.fresh_ms <= 90_000
    # The sum still counts what leaves.
    assert await caching.delete(cache, "c", ["a", "b"]) == 2
    assert cache_keys.get(":totals")["bytes"] == "0"


async def test_a_load_that_runs_is_outdated(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", VALUE, 60_000))
    (seen,) = await caching.read(cache, "c", ["a"])
    assert seen is not None
    options = {"lease_ms": 30_000, "stale_ms": 0, "tags": (), "lifetime_ms": 60_000}
    claim = await caching.claim(cache, "c", "a", "t1", seen=seen.stamp, **options)  # type: ignore[arg-type]
    assert claim.versions is not None
    assert await in_place(cache)
    loaded = await put(cache, NewEntry("a", b"3" * 100, 60_000, token="t1"))
    assert loaded.answers == [caching.OUTDATED]


async def test_uses_that_were_noted_come_first(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, VALUE, 60_000) for key in "abc"))
    member = next(each for each in cache_keys.get(":lru") if each.endswith("b"))
    used = {member: 2**52, "100:c::e:gone": 2**52}
    assert await caching.write_in_place(cache, "c", NewEntry("a", OTHER, 60_000), BUDGET, used)
    assert lru(cache_keys) == ["c::e:c", "c::e:a", "c::e:b"]


@pytest.mark.parametrize("case", ["missing", "larger", "smaller", "over budget", "larger than all", "uncounted"])
async def test_another_case_changes_nothing(cache: CacheKeyspace, cache_keys: Keyspace, case: str) -> None:
    if case != "missing":
        await put(cache, NewEntry("a", VALUE, 60_000))
    if case == "uncounted":
        cache_keys.delete(":lru")
    before = cache_keys.dumps()
    value = {"larger": b"1" * 200, "smaller": b"1" * 20}.get(case, OTHER)
    budget = {"over budget": counted(cache_keys) - 1, "larger than all": 10}.get(case, BUDGET)
    assert not await in_place(cache, value, budget=budget)
    assert cache_keys.dumps() == before
