"""A process's own copies of entries, true because every write is heard of."""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, NamedTuple


class NearEntry(NamedTuple):
    """A copy: until when it may be used (monotonic seconds), the value, the tags of the entry."""

    until: float
    value: Any
    tags: tuple[str, ...]


class NearCache:
    """Copies of one cache's entries, used by every thread of the process.

    Reading is looking into ``kept``. A copy is made only of what was read while no write to the entry was heard
    of: the word of a write may arrive before the answer to a read that the server answered earlier. Off, it is
    empty and stays empty.

    Args:
        seconds: how long a copy may be used.
        most: copies at most; the oldest leave.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self.kept: dict[str, NearEntry] = {}
        self._seconds = seconds
        self._most = most
        self._guard = threading.Lock()
        self._is_on = False
        self._reading: dict[str, object] = {}
        self._by_tag: dict[str, set[str]] = {}
        _everywhere.add(self)

    @property
    def is_on(self) -> bool:
        """Whether writes are heard of, so that copies are made."""
        return self._is_on

    def turn_on(self) -> None:
        """From now on every write will be heard of."""
        with self._guard:
            self._clear()
            self._is_on = True

    def turn_off(self) -> None:
        """Writes are not heard of any more: forget everything."""
        with self._guard:
            self._is_on = False
            self._clear()

    def begin(self, key: str) -> object | None:
        """An entry is about to be read; the ticket says so to ``keep``."""
        if not self._is_on:
            return None
        ticket = object()
        with self._guard:
            self._reading[key] = ticket
        return ticket

    def keep(self, key: str, ticket: object | None, value: Any, tags: tuple[str, ...], seconds: float) -> None:
        """Make a copy of what was read, unless a write was heard of since the ticket; in date for so long."""
        if ticket is None:
            return
        until = time.monotonic() + min(seconds, self._seconds)
        with self._guard:
            if self._reading.get(key) is not ticket:
                return
            del self._reading[key]
            self._drop(key)
            if len(self.kept) >= self._most:
                self._drop(next(iter(self.kept)))
            self.kept[key] = NearEntry(until, value, tags)
            for tag in tags:
                self._by_tag.setdefault(tag, set()).add(key)

    def end(self, key: str, ticket: object | None) -> None:
        """What was read is not to be kept."""
        if ticket is not None:
            with self._guard:
                if self._reading.get(key) is ticket:
                    del self._reading[key]

    def forget(self, key: str) -> None:
        """The entry was written or deleted."""
        with self._guard:
            self._reading.pop(key, None)
            self._drop(key)

    def forget_tag(self, tag: str) -> None:
        """The tag was invalidated; what is being read may be under it."""
        with self._guard:
            self._reading.clear()
            for key in self._by_tag.pop(tag, ()):
                self._drop(key)

    def _drop(self, key: str) -> None:
        gone = self.kept.pop(key, None)
        for tag in gone.tags if gone else ():
            keys = self._by_tag.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_tag[tag]

    def _clear(self) -> None:
        self.kept.clear()
        self._reading.clear()
        self._by_tag.clear()

    def _reset(self) -> None:
        # A forked child hears nothing, and the thread that held the lock is not in it.
        self._guard = threading.Lock()
        self.turn_off()


_everywhere: weakref.WeakSet[NearCache] = weakref.WeakSet()


def _forked() -> None:
    for near in list(_everywhere):
        near._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
