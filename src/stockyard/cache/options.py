"""What a cache is declared with, checked once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from stockyard.model import checks
from stockyard.model.duration import Duration


class CacheOptions(TypedDict, total=False):
    """What ``App.cache`` takes beside a name and a type.

    Attributes:
        ttl: how long an entry is in date unless it says otherwise. Defaults to 5 minutes.
        jitter: part by which each such time is lengthened or shortened at random, from 0 to 1, so that what was
            written together does not expire together. Defaults to 0.1.
        near: how long this process may answer from a copy of its own, which the server's word keeps true.
            Defaults to None: no copies.
        near_entries: copies at most. Defaults to 10,000.
        lock: for how long the right to load an entry outlives the process that has it. Defaults to 10 s; it is
            renewed as long as the load runs.
    """

    ttl: Duration
    jitter: float
    near: Duration | None
    near_entries: int
    lock: Duration


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """The same, in milliseconds."""

    ttl_ms: int
    jitter: float
    near_ms: int
    near_entries: int
    lock_ms: int

    @classmethod
    def of(cls, given: CacheOptions) -> CacheSpec:
        """Check options and fill in the defaults.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        checks.refuse_unknown(given, CacheOptions.__annotations__, what="cache option")
        near = given.get("near")
        return cls(
            checks.positive_ms("ttl", given.get("ttl", "5m")),
            checks.number("jitter", given.get("jitter", 0.1), least=0, below=1),
            0 if near is None else checks.positive_ms("near", near),
            checks.whole("near_entries", given.get("near_entries", 10_000), least=1),
            max(checks.positive_ms("lock", given.get("lock", "10s")), 100),
        )


def checked_key(key: str) -> str:
    """Return a key if it can be one."""
    return checks.text("a cache's key", key)


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, each once, if they can be tags."""
    if tags == ():
        return ()
    found = checks.several("tags", tags, of="texts")
    for tag in found:
        checks.text("a tag", tag)
    return tuple(dict.fromkeys(found))
