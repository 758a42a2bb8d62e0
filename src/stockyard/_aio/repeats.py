"""Warnings that repeat: the first is logged, the same ones of the next minute are counted."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

EVERY = 60.0
"""Seconds between two lines that say the same."""

_MOST = 500


class Repeats:
    """The warnings of a process's loops that try again, whichever loop they come from.

    An outage of one server fails every loop that uses it several times a second, for one and the same reason: that
    is one line a minute, not hundreds. ``over`` lets the next outage be logged at once.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def warn(self, log: logging.Logger, who: str, why: object) -> None:
        """Log that someone cannot go on for now, unless the same reason was logged within the last minute.

        Args:
            log: where.
            who: who tries again; begins the line.
            why: the reason; what is compared.
        """
        reason, now = str(why), time.monotonic()
        logged_at, times = self._seen.get(reason, (-EVERY, 0))
        if now - logged_at < EVERY:
            self._seen[reason] = (logged_at, times + 1)
            log.debug("%s: %s", who, reason)
            return
        self._seen.pop(reason, None)
        self._seen[reason] = (now, 0)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        if times:
            log.warning("%s: %s (and %d times more since the last message)", who, reason, times)
        else:
            log.warning("%s: %s", who, reason)

    def clear(self) -> None:
        """Forget every reason."""
        self._seen.clear()

    def over(self, why: object) -> None:
        """Forget a reason that does not hold any more."""
        self._seen.pop(str(why), None)


repeats = Repeats()
"""Those of this process."""
