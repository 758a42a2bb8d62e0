"""caching.read: what is there and holds, and what that does to the order of use."""

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, NewEntry, invalidated_by
from tests.scripts.caches import BUDGET, lru, put
from tests.scripts.conftest import Keyspace


async def test_what_is_there_is_read_in_the_order_asked(cache: CacheKeyspace) -> None:
    await put(cache, NewEntry("a", b'{"x":1}', 60_000, took_ms=7), NewEntry("b", b"", 60_000))
    first, none, nothing = await caching.read(cache, "c", ["a", "zz", "b"])
    assert first is not None
    assert (first.value, first.took_ms, first.tags) == (b'{"x":1}', 7, b"")
    assert 59_000 < first.fresh_ms <= 60_000
    assert none is None
    assert nothing is not None
    assert nothing.value == b""


async def test_past_its_time_an_entry_is_stale_by_a_negative_rest(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, NewEntry("a", b"1", 1, stale_ms=60_000))
    while True:
        (found,) = await caching.read(cache, "c", ["a"])
        assert found is not None
        if found.fresh_ms < 0:
            break
    assert 50_000 < cache_keys.ttl("c::e:a") <= 60_001


async def test_an_entry_holds_as_long_as_its_tags_do(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1", 60_000, tags=["x", "y"]), NewEntry("b", b"2", 60_000, tags=["y"]))
    (found, _) = await caching.read(cache, "c", ["a", "b"])
    assert found is not None
    assert invalidated_by("k", found) == ["x", "y"]
    cache_keys.delete("c::t:x")
    gone, kept = await caching.read(cache, "c", ["a", "b"])
    assert gone is None
    assert kept is not None
    assert "c::e:a" not in cache_keys.names()
    assert lru(cache_keys) == ["c::e:b"]
    assert cache_keys.get(":totals")["c:entries"] == "1"


async def test_what_is_read_is_the_last_to_leave(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, b"1", 60_000) for key in "abc"))
    await caching.read(cache, "c", ["b", "a"])
    assert lru(cache_keys) == ["c::e:c", "c::e:b", "c::e:a"]


async def test_a_long_key_is_stored_by_its_digest_and_found(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    long = ["k" * 5000, "k" * 5001]
    await put(cache, *(NewEntry(key, key[-1:].encode(), 60_000) for key in long))
    assert all(await caching.read(cache, "c", long))
    assert all(len(path) < 200 for path in lru(cache_keys))
    assert BUDGET > 0


async def test_large_values_come_in_several_answers(cache: CacheKeyspace) -> None:
    for key in "abcde":
        await put(cache, NewEntry(key, key.encode() * 150_000, 60_000), budget=10**7)
    found = await caching.read(cache, "c", ["a", "b", "zz", "c", "d", "e"])
    assert [each and each.value[:1] for each in found] == [b"a", b"b", None, b"c", b"d", b"e"]
