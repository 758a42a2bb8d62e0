"""caching.evict_to: the caches become smaller without a write."""

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, CacheTotals, NewEntry
from tests.scripts.caches import counted, lru, put
from tests.scripts.conftest import Keyspace
from tests.support.waiting import eventually


async def test_the_least_recently_used_of_all_caches_leave(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1", 60_000))
    await put(cache, NewEntry("b", b"1", 60_000), name="d")
    await put(cache, NewEntry("c", b"1", 60_000))
    one = counted(cache_keys) // 3
    assert await caching.evict_to(cache, one) == {"c": CacheTotals(one, 1, 1), "d": CacheTotals(0, 0, 1)}
    assert lru(cache_keys) == ["c::e:c"]
    assert await caching.evict_to(cache, 0) == {"c": CacheTotals(0, 0, 2), "d": CacheTotals(0, 0, 1)}
    assert cache_keys.names() == [":totals"]


async def test_expired_entries_are_counted_out(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(str(each), b"1", 1) for each in range(20)))
    await eventually(lambda: "c::e:19" not in cache_keys.names())
    assert await caching.evict_to(cache, 10**9) == {"c": CacheTotals(0, 0, 0)}
    assert cache_keys.names() == [":totals"]


async def test_more_than_one_call_may_drop_leaves_in_several(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    for start in range(0, 2500, 100):
        await put(cache, *(NewEntry(str(start + each), b"1", 60_000) for each in range(100)), budget=10**8)
    assert (await caching.evict_to(cache, 0))["c"] == CacheTotals(0, 0, 2500)
    assert cache_keys.names() == [":totals"]
