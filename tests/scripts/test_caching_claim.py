"""caching.claim: one takes the lock, the others wait or find the entry."""

from typing import Any

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, Claim, NewEntry
from tests.scripts.caches import put
from tests.scripts.conftest import Keyspace


async def claim(cache: CacheKeyspace, token: str, **options: Any) -> Claim:
    """Claim the entry ``a``."""
    plain: dict[str, Any] = {"lease_ms": 60_000, "stale_ms": 0, "seen": b"", "tags": (), "lifetime_ms": 9000}
    return await caching.claim(cache, "c", "a", token, **(plain | options))


async def test_the_first_has_the_lock_and_the_others_wait(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    assert await claim(cache, "w:1") == Claim(versions=[])
    assert await claim(cache, "w:2") == Claim()
    assert cache_keys.all() == {"c::l:a:lock": "w:1"}
    assert 59_000 < cache_keys.ttl("c::l:a:lock") <= 60_000


async def test_it_learns_the_versions_of_its_tags_which_begin_now(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    cache_keys.put({"c::t:x": "known"})
    claimed = await claim(cache, "w:1", tags=["x", "y"])
    assert claimed.versions == ["known", cache_keys.get("c::t:y")]
    assert 17_000 < cache_keys.ttl("c::t:y") <= 18_000


async def test_who_comes_when_it_is_loaded_finds_it(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1", 60_000))
    claimed = await claim(cache, "w:1")
    assert claimed.found is not None
    assert claimed.found.value == b"1"
    assert cache_keys.get("c::l:a:lock") is None


async def test_what_was_seen_will_not_do(cache: CacheKeyspace) -> None:
    await put(cache, NewEntry("a", b"1", 60_000))
    (found,) = await caching.read(cache, "c", ["a"])
    assert found is not None
    assert await claim(cache, "w:1", seen=found.stamp) == Claim(versions=[])


async def test_what_is_stale_will_do_for_who_takes_it(cache: CacheKeyspace) -> None:
    await put(cache, NewEntry("a", b"1", 1, stale_ms=60_000))
    while True:
        (found,) = await caching.read(cache, "c", ["a"])
        assert found is not None
        if found.fresh_ms < 0:
            break
    assert (await claim(cache, "w:1", stale_ms=60_000)).found is not None
    assert await claim(cache, "w:1") == Claim(versions=[])
