"""Random numbers that leave the program's own generator alone, which a backtest may have seeded."""

from __future__ import annotations

import random

# The system's source: the same numbers never come twice, not even in processes that were forked.
_source = random.SystemRandom()


def random_number() -> float:
    """Return a random number, at least 0 and below 1."""
    return _source.random()


def jitter(seconds: float) -> float:
    """Return a pause of half to one and a half of a given one, so that those who wait do not return together."""
    return seconds * (0.5 + _source.random())
