"""reading.read_one: what a plain read finds is what the script finds."""

import pytest

from stockyard._store.caches import caching, reading
from stockyard._store.caches.caching import CacheKeyspace, NewEntry
from tests.scripts.caches import lru, put
from tests.scripts.conftest import Keyspace


@pytest.mark.parametrize(
    "entry",
    [
        NewEntry("a", b'{"x":1}', 60_000, took_ms=7),
        NewEntry("a", b"", 60_000),
        NewEntry("k" * 5000, b"1", 60_000, stale_ms=5),
        NewEntry("a", b"1", 60_000, tags=["x", "y"]),
        NewEntry("é\x00", b"\xff\x00", 2**40),
    ],
    ids=["plain", "nothing", "long key", "tags", "odd"],
)
async def test_it_is_what_the_script_finds(cache: CacheKeyspace, entry: NewEntry) -> None:
    await put(cache, entry)
    (by_script,) = await caching.read(cache, "c", [entry.key])
    found = await reading.read_one(cache, "c", entry.key)
    assert by_script is not None
    assert found is not None
    assert found.found._replace(fresh_ms=0) == by_script._replace(fresh_ms=0)
    assert 0 <= by_script.fresh_ms - found.found.fresh_ms < 5_000


async def test_past_its_time_it_is_stale_by_a_negative_rest(cache: CacheKeyspace) -> None:
    await put(cache, NewEntry("a", b"1", 1, stale_ms=60_000))
    while True:
        entry = await reading.read_one(cache, "c", "a")
        assert entry is not None
        if entry.found.fresh_ms < 0:
            break


async def test_what_is_not_there_is_none(cache: CacheKeyspace) -> None:
    assert await reading.read_one(cache, "c", "a") is None


async def test_its_use_is_noted_apart(cache: CacheKeyspace, cache_keys: Keyspace) -> None:
    await put(cache, *(NewEntry(key, b"1", 60_000) for key in "abc"))
    uses = {}
    for key in ("b", "a"):
        entry = await reading.read_one(cache, "c", key)
        assert entry is not None
        uses[entry.member] = entry.used_us
    assert lru(cache_keys) == ["c::e:a", "c::e:b", "c::e:c"]
    await reading.note_uses(cache, uses | {"9:c::e:gone": 2**52})
    assert lru(cache_keys) == ["c::e:c", "c::e:b", "c::e:a"]
