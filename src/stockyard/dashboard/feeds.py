"""Looks again and again at what is watched: once for each page, however many browsers show it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from typing import NamedTuple

from stockyard.errors import StockyardError

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """What is new since a browser was sent something.

    Attributes:
        fragments: elements that changed, as HTML.
        trouble: why nothing newer can be seen, or empty.
    """

    fragments: Sequence[str]
    trouble: str


Look = Callable[[], Awaitable[Sequence[str]]]


class Feeds:
    """The pages that are watched; nobody is asked about a page that no browser shows."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Feed] = {}

    @property
    def watched(self) -> int:
        """How many pages are watched."""
        return len(self._open)

    async def watch(self, page: Hashable, look: Look, every: float) -> AsyncGenerator[Change, None]:
        """Yield what a browser has to change, beginning with the whole page.

        Args:
            page: what is the same for all browsers that share the look.
            look: returns the page's fragments. The first watcher's is used.
            every: seconds between two looks.
        """
        feed = self._open.get(page)
        if feed is None:
            feed = self._open[page] = _Feed(look, every)
        feed.watchers += 1
        seen: Sequence[str] = ()
        trouble, number = "", 0
        try:
            while True:
                await feed.newer_than(number)
                number = feed.number
                fresh = feed.fragments
                changed = [each for place, each in enumerate(fresh) if place >= len(seen) or each != seen[place]]
                if changed or feed.trouble != trouble:
                    seen, trouble = fresh, feed.trouble
                    yield Change(changed, trouble)
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._open.pop(page, None)
                feed.stop()


class _Feed:
    """One page; a task looks while there are watchers."""

    def __init__(self, look: Look, every: float) -> None:
        self.watchers = 0
        self.number = 0
        self.fragments: Sequence[str] = ()
        self.trouble = ""
        self._look = look
        self._every = every
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="dashboard look")

    async def newer_than(self, number: int) -> None:
        """Return once there was a look after that one."""
        while self.number <= number:
            await self._changed.wait()

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                self.fragments = await self._look()
                self.trouble = ""
            except StockyardError as error:
                self.trouble = str(error)
            except Exception:
                _log.exception("a page of the dashboard cannot be drawn")
                self.trouble = "this page cannot be drawn: the dashboard's log says why"
            self.number += 1
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            await asyncio.sleep(self._every)
