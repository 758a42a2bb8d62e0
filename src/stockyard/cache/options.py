"""What a cache is declared with, checked once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from stockyard.errors import InvalidOption, suggestion
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.text import is_text

_NAME = re.compile(r"[\w.-]+(:[\w.-]+)*", re.ASCII)


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
        for name in given:
            if name not in CacheOptions.__annotations__:
                known = CacheOptions.__annotations__
                raise InvalidOption(f"unknown cache option {name!r}{suggestion(name, known)}")
        jitter = given.get("jitter", 0.1)
        if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter < 1:
            raise InvalidOption(f"jitter must be a number from 0 to below 1; got {jitter!r}")
        near_entries = given.get("near_entries", 10_000)
        if isinstance(near_entries, bool) or not isinstance(near_entries, int) or near_entries < 1:
            raise InvalidOption(f"near_entries must be a whole number, 1 or more; got {near_entries!r}")
        near = given.get("near")
        return cls(
            positive_ms(given.get("ttl", "5m"), "ttl"),
            float(jitter),
            0 if near is None else positive_ms(near, "near"),
            near_entries,
            max(positive_ms(given.get("lock", "10s"), "lock"), 100),
        )


def positive_ms(value: Duration, option: str) -> int:
    """Return a duration in milliseconds, which must be more than none."""
    amount = milliseconds(value, option=option)
    if amount < 1:
        raise InvalidOption(f"{option} must be more than 0; got {value!r}")
    return amount


def checked_name(name: str) -> str:
    """Return a cache's name if it can be one."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(
            f"a cache's name must be letters, digits, '_', '.', '-', and single ':' between them; got {name!r}"
        )
    return name


def checked_key(key: str) -> str:
    """Return a key if it can be one."""
    if not is_text(key):
        raise InvalidOption(f"a cache's key must be non-empty text; got {key!r}")
    return key


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, each once, if they can be tags."""
    if isinstance(tags, str):
        raise InvalidOption(f"tags must be a list of texts; got the text {tags!r}: write [{tags!r}]")
    found = tuple(tags)
    for tag in found:
        if not is_text(tag):
            raise InvalidOption(f"a tag must be non-empty text; got {tag!r}")
    return tuple(dict.fromkeys(found))
