"""The key names of the caches of one prefix, which never meet those of a queue."""

from __future__ import annotations

import hashlib

_LONGEST = 256


class CacheKeys:
    """The keys of all caches under one prefix; the empty part of ``::cache`` cannot occur in a queue's name.

    What belongs to all caches follows the base with a colon, which no cache's name begins with.

    Args:
        prefix: first part of every key.
    """

    __slots__ = ("base", "totals")

    def __init__(self, prefix: str) -> None:
        self.base = f"{prefix}::cache:"
        self.totals = f"{self.base}:totals"

    def entries(self, cache: str) -> str:
        """Return what the keys of a cache's entries begin with."""
        return f"{self.base}{cache}::e:"

    def locks(self, cache: str) -> str:
        """Return what the keys of a cache's locks begin with."""
        return f"{self.base}{cache}::l:"

    def tags(self, cache: str) -> str:
        """Return what the keys of a cache's tags begin with."""
        return f"{self.base}{cache}::t:"


def lock_queue(cache: str) -> str:
    """Return the queue that a cache's locks would belong to if they were those of jobs.

    They have that shape, so that the process that renews the leases of jobs renews them too.
    """
    return f":cache:{cache}:"


def lock_job(key: str) -> str:
    """Return the job that the lock of an entry would belong to."""
    return f"l:{key}"


def is_cut(stored: str) -> bool:
    """Say whether a written key looks like one that was cut, whose whole text is not known."""
    return len(stored) == _LONGEST // 4 + 65 and stored[_LONGEST // 4] == "~"


def stored_key(key: str) -> str:
    """Return a key as it is written: a long one is cut and gets a digest."""
    if len(key) <= _LONGEST // 4 or len(key.encode()) <= _LONGEST:
        return key
    return f"{key[: _LONGEST // 4]}~{hashlib.sha256(key.encode()).hexdigest()}"
