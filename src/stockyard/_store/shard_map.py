"""The shards of one queue: those that it is declared with, and those that may still hold jobs of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._wire.fields import SHARDS
from stockyard.model.sharding import MOST_SHARDS

FRESH_SECONDS = 5.0
"""How long what was learnt counts."""


class ShardMap:
    """The shards of a queue whose number may have been another one before, or is another one elsewhere.

    Each number that a program declares is written into the ``meta`` of the first shard, which is the same for all
    numbers. Jobs are added to the shards of the own number alone; all others are read and worked on as well.

    Args:
        declared: the keys of each shard, in order; of a queue without shards, its own.
        unsharded: the keys of the queue when it had no shards.
        of_number: gives the keys of each shard for another number of them.
    """

    def __init__(
        self,
        declared: Sequence[QueueKeyspace],
        *,
        unsharded: QueueKeyspace,
        of_number: Callable[[int], Sequence[QueueKeyspace]],
    ) -> None:
        self.declared = tuple(declared)
        self.all: tuple[QueueKeyspace, ...] = self.declared
        self._unsharded = unsharded
        self._of_number = of_number
        self._fresh_until = 0.0
        self._is_noted = False

    async def learn(self, *, notes: bool = False) -> tuple[QueueKeyspace, ...]:
        """Return the keys of all shards that may hold jobs, the declared ones first; looked up every few seconds.

        Args:
            notes: note the own number, for other programs: this one adds jobs, or works on them.

        Raises:
            ServerError: the server did not answer, or does not allow it.
        """
        if len(self.declared) == 1 or (time.monotonic() < self._fresh_until and (self._is_noted or not notes)):
            return self.all
        home = self.declared[0]
        number = len(self.declared)
        commands: list[Command] = [("HGETALL", home.keys["meta"]), ("EXISTS", self._unsharded.keys["meta"])]
        if notes:
            commands.insert(0, ("HSET", home.keys["meta"], f"{SHARDS}{number}", 1))
        *_, fields, was_unsharded = map(accepted, await home.server.ask(commands))
        numbers = sorted(numbers_in(field.decode(errors="replace") for field in fields[::2]))
        self._is_noted = self._is_noted or notes
        others = [keyspace for each in numbers if each != number for keyspace in self._of_number(each)]
        if was_unsharded:
            others.append(self._unsharded)
        known = {keyspace.base: keyspace for keyspace in self.all}
        for keyspace in others:
            known.setdefault(keyspace.base, keyspace)
        self.all = tuple(known.values())
        self._fresh_until = time.monotonic() + FRESH_SECONDS
        return self.all

    def forget(self) -> None:
        """Forget what was learnt: the queue was removed with all that was noted."""
        self.all = self.declared
        self._fresh_until = 0.0
        self._is_noted = False


def numbers_in(fields: Iterable[str]) -> set[int]:
    """Return the numbers of shards that are noted in fields of ``meta``."""
    texts = (field.removeprefix(SHARDS) for field in fields if field.startswith(SHARDS))
    return {int(text) for text in texts if text.isascii() and text.isdecimal() and 1 < int(text) <= MOST_SHARDS}
