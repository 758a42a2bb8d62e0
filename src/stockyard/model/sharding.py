"""Spreads one queue over several: hash tags whose slots lie evenly in a cluster, and the shard of a key."""

from __future__ import annotations

import binascii
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from stockyard.errors import InvalidOption
from stockyard.model.naming import Slots

SLOTS = 16_384
"""Slots of a cluster."""

MOST_SHARDS = 64

_EDGE, _WIDTH = 64, 128
"""Where the slot of a shard's tag lies in its part of all slots: so far behind the beginning, within so many. In
the smallest part as much is left behind it, for nodes that begin some slots away from an even cut."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Shard(NamedTuple):
    """One shard of a queue.

    Attributes:
        tag: what no other shard of the queue has, as in ``4c``; the ids of its jobs end with it: ``17@4c``.
        queue: name of the BullMQ queue that it is, as in ``{market-4c}:ticks``.
    """

    tag: str
    queue: str


@lru_cache(maxsize=256)
def shards_of(queue: str, number: int, slots: Slots | None = None) -> tuple[Shard, ...]:
    """Return the shards of a queue; the slot of shard *i* lies in the *i*-th of so many equal parts of all slots.

    The tags are part of what is stored: they depend on these arguments alone, and must not change. Those of ``n``
    shards are among those of any multiple of ``n``. The queues of a family have the same tags.

    Args:
        queue: its name.
        number: of shards, 1 to ``MOST_SHARDS``.
        slots: what shares a slot. Defaults to ``family``, as on a cluster.
    """
    family, _, name = queue.partition(":")
    if slots == "queue" or not name:
        head, colon, last = queue.rpartition(":")
        return tuple(Shard(tag, f"{head}{colon}{{{last}-{tag}}}") for tag in tags_of(last, number))
    return tuple(Shard(tag, f"{{{family}-{tag}}}:{name}") for tag in tags_of(family, number))


def tags_of(stem: str, number: int) -> tuple[str, ...]:
    """Return the shortest tags that put ``stem-tag`` into each of so many equal parts of all slots, in order."""
    first = binascii.crc_hqx(f"{stem}-".encode(), 0)
    missing = {part: -(-part * SLOTS // number) + _EDGE for part in range(number)}
    tags = [""] * number
    for tried in count():
        tag = _in_digits(tried)
        slot = binascii.crc_hqx(tag.encode(), first) % SLOTS
        for part, begin in list(missing.items()):
            if begin <= slot < begin + _WIDTH:
                tags[part] = tag
                del missing[part]
        if not missing:
            return tuple(tags)
    raise AssertionError("unreachable")


def part_of(key: str, number: int) -> int:
    """Return which of so many shards a key belongs to: CRC-32 of its UTF-8, scaled to the number.

    Of the keys of one shard, half stay there when the number is doubled, and half move to the next shard.
    """
    return binascii.crc32(key.encode("utf-8", "surrogatepass")) * number >> 32


def numbered_id(job_id: str) -> tuple[str, str] | None:
    """Return number and tag of an id like ``17@4c``, as the shards number their jobs, or None for another id."""
    number, _, tag = job_id.partition("@")
    is_numbered = number.isascii() and number.isdigit() and tag.isascii() and tag.isalnum()
    return (number, tag) if is_numbered else None


def refuse_numbered(job_id: str) -> None:
    """Refuse an id of a producer's own that looks like those of a shard; raises InvalidOption."""
    if numbered_id(job_id) is not None:
        raise InvalidOption(
            f"job_id {job_id!r} looks like those that the shards of a queue give; write for example "
            f"'order-{job_id}'"
        )


def _in_digits(number: int) -> str:
    text = _DIGITS[number % 36]
    while number := number // 36:
        text = _DIGITS[number % 36] + text
    return text
