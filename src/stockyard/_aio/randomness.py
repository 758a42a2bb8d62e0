"""Random numbers that leave the program's own generator alone, which a backtest may have seeded."""

from __future__ import annotations

import os


def random_number() -> float:
    """Return a random number, at least 0 and below 1."""
    # As SystemRandom: the same numbers never come twice, not even in processes that were forked. The import of
    # ``random`` loads OpenSSL.
    return (int.from_bytes(os.urandom(7)) >> 3) * 2**-53


def jitter(seconds: float) -> float:
    """Return a pause of half to one and a half of a given one, so that those who wait do not return together."""
    return seconds * (0.5 + random_number())
