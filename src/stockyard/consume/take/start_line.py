"""Lets jobs of several calls start in the order in which the server started them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 0.1
"""How long jobs wait at most for those of a call before theirs: its connection may be broken."""


class StartLine:
    """The calls under way of one fetcher, in the order in which they were sent.

    A server runs calls in the order in which they arrive, but writes the replies of one turn of its loop to its
    clients in any order: a later call's reply may be read first.
    """

    def __init__(self) -> None:
        self._calls: deque[StartPlace] = deque()

    @contextmanager
    def place(self) -> Iterator[StartPlace]:
        """Take the last place, until the call's jobs are started or none come."""
        mine = StartPlace(self._calls)
        self._calls.append(mine)
        try:
            yield mine
        finally:
            self._calls.remove(mine)
            mine.leave()


class StartPlace:
    """The place of one call."""

    __slots__ = ("_calls", "_left")

    def __init__(self, calls: deque[StartPlace]) -> None:
        self._calls = calls
        self._left: asyncio.Future[None] | None = None

    async def come_up(self) -> None:
        """Wait until the jobs of all calls before this one are started, or for a tenth of a second."""
        if self._calls[0] is self:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + _SECONDS
        while (first := self._calls[0]) is not self and (left := until - loop.time()) > 0:
            if first._left is None:
                first._left = loop.create_future()
            await asyncio.wait([first._left], timeout=left)

    def leave(self) -> None:
        """Let the next one come up."""
        if self._left is not None and not self._left.done():
            self._left.set_result(None)
