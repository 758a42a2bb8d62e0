"""Random numbers that leave the program's own generator alone, which a backtest may have seeded."""

from __future__ import annotations

import os
import struct

_NUMBERS = struct.Struct("64Q")
_drawn: list[float] = []
"""Drawn many at once, as each draw is a call of the system; a forked child draws its own."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)


def random_number() -> float:
    """Return a random number, at least 0 and below 1."""
    # As SystemRandom: the same numbers never come twice, not even in processes that were forked. The import of
    # ``random`` loads OpenSSL.
    while True:
        try:
            return _drawn.pop()
        except IndexError:
            _drawn.extend((number >> 11) * 2**-53 for number in _NUMBERS.unpack(os.urandom(_NUMBERS.size)))


def jitter(seconds: float) -> float:
    """Return a pause of half to one and a half of a given one, so that those who wait do not return together."""
    return seconds * (0.5 + random_number())
