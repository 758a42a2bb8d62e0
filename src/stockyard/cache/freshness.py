"""How long an entry lasts, and when it is refreshed before its time."""

from __future__ import annotations

import math


def jittered(ttl_ms: int, jitter: float, random_number: float) -> int:
    """Return a time to live, lengthened or shortened at random.

    Args:
        ttl_ms: as declared.
        jitter: greatest part by which it changes, from 0 to 1.
        random_number: a random number from 0 to 1.
    """
    return max(1, round(ttl_ms * (1 + jitter * (2 * random_number - 1))))


def is_due_early(fresh_ms: int, took_ms: int, eagerness: float, random_number: float) -> bool:
    """Say whether one reader should refresh an entry that is still in date.

    The nearer its end and the longer its load takes, the likelier; so one of many readers refreshes it before it
    expires under all of them. This is XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
    Stampede Prevention", PVLDB 8(8), 2015.

    Args:
        fresh_ms: how long the entry stays in date.
        took_ms: how long its load took.
        eagerness: 1 is the paper's choice, more is earlier, 0 is never.
        random_number: a random number above 0, at most 1.
    """
    return eagerness > 0 and -max(took_ms, 1) * eagerness * math.log(random_number) >= fresh_ms
