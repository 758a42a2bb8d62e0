"""caching.release: a lock is given up by its holder alone."""

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace
from tests.scripts.conftest import Keyspace


async def test_a_lock_is_given_up_by_its_holder_alone(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    cache_keys.put({"c::l:a:lock": "w:1"})
    await caching.release(cache, "c", "a", "w:2")
    assert cache_keys.all() == {"c::l:a:lock": "w:1"}
    await caching.release(cache, "c", "a", "w:1")
    assert cache_keys.all() == {}
