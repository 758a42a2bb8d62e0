"""Gives work to the parts of a whole in turn, some in a row, so that none gets more than the others."""

from __future__ import annotations


class EvenTurns:
    """The turns of so many parts.

    Args:
        parts: how many there are.
        run: turns in a row of one part, at most.
        first: the part that begins. Defaults to the first.

    Attributes:
        part: whose turn was the last.
    """

    def __init__(self, parts: int, *, run: int, first: int = 0) -> None:
        self._given = [0] * parts
        self._run = run
        self.part: int = first
        self._in_a_row = 0

    def next(self, *, stays: bool) -> int:
        """Return the part whose turn it is.

        Args:
            stays: the part of the turn before has the next one too, unless it has had too many in a row. Otherwise
                the part follows that has had the fewest turns, the next in order of several.
        """
        if self._in_a_row and (not stays or self._in_a_row >= self._run):
            parts = len(self._given)
            behind = self.part + 1
            self.part = min(range(parts), key=lambda part: (self._given[part], (part - behind) % parts))
            self._in_a_row = 0
        self._in_a_row += 1
        self._given[self.part] += 1
        return self.part
