"""One thing per event loop, made when first asked for; those of closed loops are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Things that belong to the loop they were made in, such as connections.

    Args:
        make: makes one, in the running loop.
        outside: gives what callers use in whose thread no loop runs. Defaults to none: they get a RuntimeError.
    """

    def __init__(self, make: Callable[[], T], *, outside: Callable[[], T] | None = None) -> None:
        self._make = make
        self._outside = outside
        self._things: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Return the running loop's thing, made now if there is none."""
        # Unlike get_running_loop it does not raise: an exception takes longer than the rest of this.
        loop = asyncio._get_running_loop()
        if loop is None:
            return self._without_loop()
        thing = self._things.get(loop)
        if thing is None:
            for closed in [each for each in tuple(self._things) if each.is_closed()]:
                self._things.pop(closed, None)
            thing = self._things[loop] = self._make()
        return thing

    def pop(self) -> T | None:
        """Forget the running loop's thing and return it, or None."""
        return self._things.pop(asyncio.get_running_loop(), None)

    def _without_loop(self) -> T:
        if self._outside is None:
            raise RuntimeError("no running event loop")
        return self._outside()
