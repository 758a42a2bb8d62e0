"""Loads that wait for loads: refuses those that would wait for themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from stockyard.errors import LoadCycle


class Place(NamedTuple):
    """Identifies an entry among all caches of a process: the server with its prefix, the cache, the key."""

    server: str
    cache: str
    key: str


class Load:
    """A load that runs.

    Attributes:
        place: what it loads.
        is_nested: another load waits for it.
        is_running: False once it ended, though tasks that it started may go on.
    """

    __slots__ = ("is_nested", "is_running", "place")

    def __init__(self, place: Place, *, is_nested: bool) -> None:
        self.place: Place = place
        self.is_nested: bool = is_nested
        self.is_running: bool = True


def enclosing() -> Load | None:
    """Return the load within which the caller runs, also in a task or thread that took over its context."""
    load = _current.get()
    return load if load is not None and load.is_running else None


@contextmanager
def running(place: Place, *, is_nested: bool) -> Iterator[None]:
    """Run a loader: what it calls, and what is started in its context, is within this load."""
    load = Load(place, is_nested=is_nested)
    before = _current.set(load)
    try:
        yield
    finally:
        load.is_running = False
        _current.reset(before)


@contextmanager
def waiting(load: Load, wanted: Place) -> Iterator[None]:
    """Note that a load waits for an entry that is loaded.

    Raises:
        LoadCycle: the load of that entry waits for this one already, or is this one.
    """
    with _guard:
        path = _path(wanted, load.place)
        if path is not None:
            keys = " -> ".join(repr(each.key) for each in [load.place, *path])
            raise LoadCycle(
                f"the load of {load.place.key!r} in cache {load.place.cache!r} would wait for itself ({keys}): "
                "a loader must not ask for what it loads"
            )
        waits = _waits.setdefault(load.place, [])
        waits.append(wanted)
    try:
        yield
    finally:
        with _guard:
            waits.remove(wanted)
            if not waits:
                _waits.pop(load.place, None)


def _path(start: Place, end: Place) -> list[Place] | None:
    """Return the places from one to another along what waits for what, or None."""
    reached: dict[Place, Place | None] = {start: None}
    line = [start]
    for place in line:
        if place == end:
            path = []
            at: Place | None = place
            while at is not None:
                path.append(at)
                at = reached[at]
            return path[::-1]
        for each in _waits.get(place, ()):
            if each not in reached:
                reached[each] = place
                line.append(each)
    return None


_current: ContextVar[Load | None] = ContextVar("stockyard_load", default=None)
_waits: dict[Place, list[Place]] = {}
_guard = threading.Lock()


def _forked() -> None:
    # Another thread may have held it, and no load of the parent runs here.
    global _guard
    _guard = threading.Lock()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
