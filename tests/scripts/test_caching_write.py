"""caching.write: entries, their places and their sum; who leaves; what comes too late."""

import pytest

from stockyard._store.caches import caching, reading
from stockyard._store.caches.caching import (
    NO_ROOM,
    OUTDATED,
    STORED,
    UNBOUNDED,
    CacheKeyspace,
    CacheTotals,
    NewEntry,
    Written,
)
from tests.scripts.caches import counted, lru, put
from tests.scripts.conftest import Keyspace
from tests.support.waiting import eventually


def totals(written: Written) -> CacheTotals:
    """What the cache holds after a call that changed it."""
    assert written.totals is not None
    return written.totals


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
    assert totals(written).entries == 2
    assert totals(written).bytes == counted(cache_keys) == int(cache_keys.get(":totals")["bytes"])
    assert totals(written).bytes > 600


async def test_written_again_it_counts_once(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, NewEntry("a", b"1" * 500, 60_000))
    written = await put(cache, NewEntry("a", b"1", 60_000))
    assert totals(written).entries == 1
    assert totals(written).bytes == counted(cache_keys)
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
    assert totals(written).bytes == counted(cache_keys)


async def test_written_again_at_the_same_size_it_keeps_its_place_in_the_budget(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, NewEntry("a", b"1" * 100, 60_000), NewEntry("b", b"1" * 100, 60_000))
    full, places = counted(cache_keys), set(cache_keys.get(":lru"))
    written = await put(cache, NewEntry("a", b"2" * 100, 90_000), budget=full)
    assert written == Written([STORED], None)
    assert cache_keys.get(":totals") == {"bytes": str(full), "c:bytes": str(full), "c:entries": "2"}
    assert set(cache_keys.get(":lru")) == set(cache_keys.get(":expiry")) == places
    assert lru(cache_keys) == ["c::e:b", "c::e:a"]
    (found,) = await caching.read(cache, "c", ["a"])
    assert found is not None
    assert found.value == b"2" * 100
    assert 80_000 < cache_keys.ttl("c::e:a") <= 90_000
    # There is room for one of them: the other leaves, and then the first is too large itself.
    written = await put(cache, NewEntry("a", b"3" * 100, 60_000), budget=full - 1)
    assert written == Written([STORED], CacheTotals(counted(cache_keys), 1, 1))
    assert lru(cache_keys) == ["c::e:a"]
    written = await put(cache, NewEntry("a", b"4" * 100, 60_000), budget=full // 4)
    assert written == Written([NO_ROOM], CacheTotals(0, 0, 1))
    assert "c::e:a" not in cache_keys.names()


async def test_the_account_survives_expiry(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(f"short{each}", b"1" * 50, 20) for each in range(5)))
    # Again under the same keys, some of the same size, before and after the first have expired.
    await put(cache, NewEntry("short0", b"1" * 50, 40), NewEntry("short1", b"1" * 70, 40))
    await eventually(lambda: "c::e:short4" not in cache_keys.names())
    await put(cache, NewEntry("short2", b"1" * 50, 60_000), NewEntry("short3", b"1" * 70, 60_000))
    await eventually(lambda: not {"c::e:short0", "c::e:short1"} & set(cache_keys.names()))
    written = await put(cache, NewEntry("last", b"1", 60_000))
    assert sorted(lru(cache_keys)) == ["c::e:last", "c::e:short2", "c::e:short3"]
    assert totals(written).bytes == counted(cache_keys)
    assert totals(written).entries == 3
    assert totals(written).evictions == 0


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
    assert totals(written).bytes == counted(cache_keys)


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
    assert written == Written([STORED], None)
    assert cache_keys.names() == ["c::e:a"]


@pytest.mark.parametrize("value", [b'"\xc3\xa9\\n"', b'"' + b"x" * 100_000 + b'"', b""])
async def test_text_comes_back_as_it_was(cache: CacheKeyspace, value: bytes) -> None:
    await put(cache, NewEntry("ключ\n::e:", value, 60_000, tags=["тег"]))
    (found,) = await caching.read(cache, "c", ["ключ\n::e:"])
    assert found is not None
    assert found.value == value


async def test_who_was_read_without_a_script_counts_as_used_before_anybody_leaves(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, *(NewEntry(key, b"1" * 100, 60_000) for key in "abcd"))
    entry = await reading.read_one(cache, "c", "a")
    gone = {"9:c::e:gone": 2**52}
    assert entry is not None
    uses = {entry.member: entry.used_us} | gone
    written = await caching.write(cache, "c", [NewEntry("e", b"1" * 100, 60_000)], counted(cache_keys), uses)
    assert written.answers == [STORED]
    assert lru(cache_keys) == ["c::e:c", "c::e:d", "c::e:a", "c::e:e"]


async def test_a_use_that_is_noted_late_takes_no_later_one_back(
    cache: CacheKeyspace, cache_keys: Keyspace
) -> None:
    await put(cache, NewEntry("a", b"1", 60_000), NewEntry("b", b"1", 60_000))
    entry = await reading.read_one(cache, "c", "a")
    assert entry is not None
    await caching.read(cache, "c", ["a"])
    before = cache_keys.get(":lru")
    await reading.note_uses(cache, {entry.member: entry.used_us})
    assert cache_keys.get(":lru") == before


async def test_entries_of_the_same_size_are_placed_together(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, b"1" * 100, 60_000) for key in "abcd"))
    full = counted(cache_keys)
    again = [NewEntry(key, b"2" * 100, 90_000) for key in "cab"]
    assert await put(cache, *again, budget=full) == Written([STORED] * 3, None)
    assert lru(cache_keys) == [f"c::e:{key}" for key in "dcab"]
    # Between them one that needs room: those that were just written stay, and one that was not leaves.
    written = await put(cache, again[0], NewEntry("e", b"1" * 100, 60_000), again[1], budget=full)
    assert written == Written([STORED] * 3, CacheTotals(full, 4, 1))
    assert lru(cache_keys) == [f"c::e:{key}" for key in "bcea"]
    assert set(cache_keys.get(":lru")) == set(cache_keys.get(":expiry"))
    # What somebody has taken from the budget is counted again.
    cache_keys.delete(":lru")
    cache_keys.put({":totals": {"bytes": 0, "c:bytes": 0, "c:entries": 0}})
    assert totals(await put(cache, again[0], again[1])) == CacheTotals(counted(cache_keys), 2, 1)


async def test_what_has_lost_its_place_is_counted_again(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    entries = [NewEntry(key, b"1" * 100, 60_000) for key in "abc"]
    await put(cache, *entries)
    totals = cache_keys.get(":totals")
    cache_keys.delete(":lru")
    cache_keys.delete(":totals")
    written = await put(cache, *entries)
    assert cache_keys.get(":totals") == totals
    assert written.totals is not None
    assert written.totals.entries == 3
    assert lru(cache_keys) == ["c::e:a", "c::e:b", "c::e:c"]
