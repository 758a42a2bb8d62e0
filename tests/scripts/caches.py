"""What the tests of the caching scripts share: writes within a budget, and the order of use."""

from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace, NewEntry, Written
from tests.scripts.conftest import Keyspace, Sorted

BUDGET = 1_000_000


async def put(cache: CacheKeyspace, *entries: NewEntry, name: str = "c", budget: int = BUDGET) -> Written:
    """Write entries of a cache."""
    return await caching.write(cache, name, entries, budget)


def lru(keys: Keyspace) -> list[str]:
    """The entries, the least recently used first."""
    found = keys.get(":lru") or Sorted()
    return [member.partition(":")[2] for member in sorted(found, key=lambda each: found[each])]


def counted(keys: Keyspace) -> int:
    """The bytes of all entries by their places."""
    return sum(int(member.partition(":")[0]) for member in keys.get(":lru") or ())
