"""caching.write: entries, their places and their sum; who leaves; what comes too late."""

import pytest

from stockyard._store.caches import caching
from stockyard._store.caches.caching import NO_ROOM, OUTDATED, STORED, UNBOUNDED, CacheKeyspace, NewEntry
from tests.scripts.caches import counted, lru, put
from tests.scripts.conftest import Keyspace
from tests.support.waiting import eventually


async def claimed(cache: CacheKeyspace, key: str, token: str, *tags: str) -> list[str]:
    """Take the lock of a load; return the versions of its tags."""
    claim = await caching.claim(
        cache, "c", key, token, lease_ms=60_000, stale_ms=0, seen=b"", tags=tags, lifetime_ms=60_000
    )
    assert claim.versions is not None
    return claim.versions


async def test_an_entry_has_a_time_to_live_a_place_and_a_size(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    written = await put(cache, NewEntry("a", b"12345", 30_000, stale_ms=10_000), NewEntry("b", b"1", 60_000))
    assert written.answers == [STORED, STORED]
    assert 39_000 < cache_keys.ttl("c::e:a") <= 40_000
    assert lru(cache_keys) == ["c::e:a", "c::e:b"]
    assert written.entries == 2
    assert written.bytes == counted(cache_keys) == int(cache_keys.get(":totals")["bytes"])
    assert written.bytes > 600


async def test_written_again_it_counts_once(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1" * 500, 60_000))
    written = await put(cache, NewEntry("a", b"1", 60_000))
    assert written.entries == 1
    assert written.bytes == counted(cache_keys)
    assert list(cache_keys.get(":expiry")) == list(cache_keys.get(":lru"))


async def test_the_least_recently_used_leave_for_a_new_one(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, b"1" * 100, 60_000) for key in "abcd"))
    await caching.read(cache, "c", ["a"])
    full = counted(cache_keys)
    written = await put(cache, NewEntry("e", b"1" * 100, 60_000), name="other", budget=full)
    assert written.answers == [STORED]
    # The key of the other cache is longer, so two had to leave.
    assert lru(cache_keys) == ["c::e:d", "c::e:a", "other::e:e"]
    assert [f"c::e:{key}" in cache_keys.names() for key in "abcd"] == [True, False, False, True]
    assert cache_keys.get(":totals")["c:evictions"] == "2"
    assert counted(cache_keys) <= full


async def test_what_is_larger_than_the_budget_is_refused_and_leaves_no_older_value(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, NewEntry("a", b"1", 60_000), NewEntry("b", b"1", 60_000))
    written = await put(cache, NewEntry("a", b"1" * 5000, 60_000), budget=2000)
    assert written.answers == [NO_ROOM]
    assert lru(cache_keys) == ["c::e:b"]
    assert written.bytes == counted(cache_keys)


async def test_the_account_survives_expiry(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(f"short{each}", b"1" * 50, 20) for each in range(5)))
    # Again under the same keys, some of the same size, before and after the first have expired.
    await put(cache, NewEntry("short0", b"1" * 50, 40), NewEntry("short1", b"1" * 70, 40))
    await eventually(lambda: "c::e:short4" not in cache_keys.names())
    await put(cache, NewEntry("short2", b"1" * 50, 60_000), NewEntry("short3", b"1" * 70, 60_000))
    await eventually(lambda: not {"c::e:short0", "c::e:short1"} & set(cache_keys.names()))
    written = await put(cache, NewEntry("last", b"1", 60_000))
    assert sorted(lru(cache_keys)) == ["c::e:last", "c::e:short2", "c::e:short3"]
    assert written.bytes == counted(cache_keys)
    assert written.entries == 3
    assert written.evictions == 0


async def test_a_newer_entry_does_not_leave_in_the_place_of_an_expired_one(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, NewEntry("a", b"1" * 500, 60_000))
    (old,) = cache_keys.get(":lru")
    cache_keys.delete("c::e:a")
    await put(cache, NewEntry("a", b"1", 60_000))
    assert old in cache_keys.get(":lru")
    written = await put(cache, NewEntry("b", b"1", 60_000), budget=counted(cache_keys))
    assert written.answers == [STORED]
    assert lru(cache_keys) == ["c::e:a", "c::e:b"]
    assert "c::e:a" in cache_keys.names()


async def test_a_wrong_account_is_dropped(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    cache_keys.put({":totals": {"bytes": 10**9, "c:bytes": 10**9}})
    written = await put(cache, NewEntry("a", b"1", 60_000))
    assert written.answers == [STORED]
    assert written.bytes == counted(cache_keys)


async def test_what_was_loaded_is_written_under_its_lock_alone(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await claimed(cache, "a", "w:1")
    late = await put(cache, NewEntry("a", b"0", 60_000, token="w:0"))
    assert late.answers == [OUTDATED]
    assert cache_keys.get("c::l:a:lock") == "w:1"
    assert (await put(cache, NewEntry("a", b"1", 60_000, token="w:1"))).answers == [STORED]
    assert cache_keys.get("c::l:a:lock") is None


async def test_a_plain_write_outdates_the_load_that_runs(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await claimed(cache, "a", "w:1")
    await put(cache, NewEntry("a", b"2", 60_000))
    assert (await put(cache, NewEntry("a", b"1", 60_000, token="w:1"))).answers == [OUTDATED]
    (found,) = await caching.read(cache, "c", ["a"])
    assert found is not None
    assert found.value == b"2"
    assert cache_keys.get("c::l:a:lock") is None


async def test_a_tag_that_is_invalidated_during_the_load_outdates_it(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    versions = await claimed(cache, "a", "w:1", "x", "y")
    await caching.invalidate(cache, "c", ["y"])
    entry = NewEntry("a", b"1", 60_000, token="w:1", tags=["x", "y"], versions=versions)
    assert (await put(cache, entry)).answers == [OUTDATED]
    assert cache_keys.get("c::l:a:lock") is None
    assert "c::e:a" not in cache_keys.names()


async def test_a_tag_outlives_what_is_written_under_it(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1", 10_000, tags=["x"]))
    first = cache_keys.get("c::t:x")
    assert 19_000 < cache_keys.ttl("c::t:x") <= 20_000
    await put(cache, NewEntry("b", b"1", 15_000, tags=["x"]))
    assert cache_keys.ttl("c::t:x") <= 20_000
    await put(cache, NewEntry("c", b"1", 60_000, stale_ms=60_000, tags=["x"]))
    assert 239_000 < cache_keys.ttl("c::t:x") <= 240_000
    assert cache_keys.get("c::t:x") == first


async def test_a_tag_used_again_after_its_end_revives_nothing(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1", 60_000, tags=["x"]))
    await caching.invalidate(cache, "c", ["x"])
    await put(cache, NewEntry("b", b"1", 60_000, tags=["x"]))
    old, new = await caching.read(cache, "c", ["a", "b"])
    assert old is None
    assert new is not None


async def test_on_a_server_that_evicts_nothing_is_counted(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    written = await put(cache, NewEntry("a", b"1", 60_000), budget=UNBOUNDED)
    assert written == ([STORED], 0, 0, 0)
    assert cache_keys.names() == ["c::e:a"]


@pytest.mark.parametrize("value", [b'"\xc3\xa9\\n"', b'"' + b"x" * 100_000 + b'"', b""])
async def test_text_comes_back_as_it_was(cache: CacheKeyspace, value: bytes) -> None:
    await put(cache, NewEntry("ключ\n::e:", value, 60_000, tags=["тег"]))
    (found,) = await caching.read(cache, "c", ["ключ\n::e:"])
    assert found is not None
    assert found.value == value
