"""caching.delete: entries go with their places and their locks."""

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, NewEntry
from tests.scripts.caches import counted, lru, put
from tests.scripts.conftest import Keyspace


async def test_entries_go_with_their_places_and_locks(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, b"1", 60_000) for key in "abc"))
    cache_keys.put({"c::l:a:lock": "w:1", "c::l:zz:lock": "w:2"})
    assert await caching.delete(cache, "c", ["a", "zz", "c"]) == 2
    assert lru(cache_keys) == ["c::e:b"]
    assert cache_keys.names() == [":expiry", ":lru", ":totals", "c::e:b"]
    assert cache_keys.get(":totals") == {
        "bytes": str(counted(cache_keys)),
        "c:bytes": str(counted(cache_keys)),
        "c:entries": "1",
    }


async def test_a_whole_cache_goes_and_no_other(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(str(each), b"1", 60_000, tags=["x"]) for each in range(250)))
    await put(cache, NewEntry("kept", b"1", 60_000, tags=["x"]), name="c2")
    assert await caching.drop(cache, "c") == 250
    assert cache_keys.names() == [":expiry", ":lru", ":totals", "c2::e:kept", "c2::t:x"]
    assert int(cache_keys.get(":totals")["bytes"]) == counted(cache_keys)
