"""Divides the places of a worker among the shards of its queue, so that none stays free while one has jobs."""

from __future__ import annotations

from typing import Protocol

TURN_SECONDS = 0.05
"""How long a shard has all places that become free. Calls stay large: for each, a server takes the longer."""

LONG_TURN_SECONDS = 0.2
"""The same where jobs are so short that each call has room for many: a change of turns costs two calls more."""

MANY = 25
"""Places of one call that are many."""


class Sharer(Protocol):
    """One of those who share places."""

    @property
    def in_hand(self) -> int:
        """How many places it has."""

    @property
    def reserved(self) -> int:
        """How many of them are kept for jobs that a call under way may bring."""

    @property
    def has_plenty(self) -> bool:
        """Whether it knows of jobs."""

    @property
    def wants(self) -> bool:
        """Whether it knows of jobs, or does not know that there are none, and can take them now."""

    def wake(self) -> None:
        """Have it look whether there is a place."""


class Shares:
    """The places of one worker.

    They take turns: what becomes free is for the first in line that wants some, until it has none left to take or
    its time is over. Jobs that take longer than a turn therefore come from one shard after the other.
    """

    def __init__(self) -> None:
        self._line: list[Sharer] = []
        self._holder: Sharer | None = None
        self._since = 0.0

    def join(self, sharer: Sharer) -> None:
        """Count another one in."""
        self._line.append(sharer)

    def leave(self, sharer: Sharer) -> None:
        """Count one of them in no longer."""
        self._line.remove(sharer)

    def free(self, places: int) -> int:
        """Return how many of so many places nobody has; 0 or less for none."""
        return places - sum(sharer.in_hand for sharer in self._line)

    def wake(self, *, unless: Sharer | None = None) -> None:
        """Wake the one whose turn it is; all, where nobody wants a place, so that they wait for jobs.

        Args:
            unless: one that is awake: nobody is woken when it is its turn. Defaults to none.
        """
        first = next((each for each in self._line if each.wants), None)
        if first is None:
            for each in self._line:
                each.wake()
        elif first is not unless:
            first.wake()

    def idle(self, places: int) -> int:
        """Return how many of so many places have no job; 0 or less for none."""
        return places - sum(sharer.in_hand - sharer.reserved for sharer in self._line)

    def room(self, sharer: Sharer, places: int) -> int:
        """Return how many of so many places one of them may take now; 0 or less for none."""
        free = self.free(places)
        if free <= 0:
            return free
        first = next((each for each in self._line if each.wants), sharer)
        if sharer is not first:
            return 0
        if sharer.has_plenty:
            return free
        # It may bring nothing: should its server not answer, the others go on with the rest.
        return min(free, max(places // len(self._line), 1))

    def took(self, sharer: Sharer, now: float, places: int) -> None:
        """Note that one of them takes what it may.

        Args:
            sharer: it.
            now: seconds, by a clock that is never put back.
            places: how many it takes.
        """
        if sharer is self._holder:
            if now - self._since >= (LONG_TURN_SECONDS if places >= MANY else TURN_SECONDS):
                self._holder = None
                self._to_end(sharer)
            return
        if self._holder in self._line and self._holder is not None:
            self._to_end(self._holder)
        self._holder, self._since = sharer, now

    def _to_end(self, sharer: Sharer) -> None:
        self._line.remove(sharer)
        self._line.append(sharer)
