"""Looks for jobs through several queues, step by step; the next step goes on where one ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from stockyard.errors import InvalidOption
from stockyard.model.job_query import Query, query_of
from stockyard.model.search_index import is_indexed
from stockyard.produce.queue import Queue
from stockyard.produce.search import FoundJob


class Place(NamedTuple):
    """Where a search is.

    Attributes:
        queue: number of the queue.
        after: where in it; empty for its beginning.
    """

    queue: int = 0
    after: str = ""

    @classmethod
    def read(cls, text: str) -> Place:
        """Read a place as an address has it; the beginning where it is none."""
        number, _, after = text.partition("-")
        is_place = number.isascii() and number.isdecimal() and len(number) < 9
        return cls(int(number), after) if is_place else cls()

    def __str__(self) -> str:
        return f"{self.queue}-{self.after}"


class Steps(NamedTuple):
    """What one step through several queues has found.

    Attributes:
        found: the jobs, in the order in which they were found.
        looked_at: how many jobs it looked at.
        following: where the next step begins; None when all was looked at.
    """

    found: Sequence[FoundJob]
    looked_at: int
    following: Place | None


async def search_step(queues: Sequence[Queue], text: str, place: Place, *, seconds: float, most: int) -> Steps:
    """Look for jobs from a place on; at the beginning, every queue is asked for a job of that id.

    Args:
        queues: the place counts in their order.
        text: what is looked for.
        place: where to begin.
        seconds: after which no other page is read.
        most: hits after which no other page is read.

    Raises:
        InvalidOption: the place is none.
    """
    until = time.monotonic() + seconds
    query, found, looked_at = query_of(text), list[FoundJob](), 0
    if place == Place() and query.exact:
        pages = await asyncio.gather(*(_by_id(queue, query) for queue in queues))
        found += [each for page in pages for each in page]
        if query.kind == "id":
            return Steps(found, len(queues), None)
    if place == Place() and query.path:
        # What an index has is there at once, in whatever queue.
        quick = [each for each in queues if is_indexed(each.spec.indexed, query.path)]
        steps = await asyncio.gather(*(each.search(text, seconds=0) for each in quick))
        found += [each for step in steps for each in step.found]
        until = 0.0 if found else until
    known = {(each.job.queue, each.job.id) for each in found}
    while place.queue < len(queues):
        left = max(until - time.monotonic(), 0.0)
        step = await queues[place.queue].search(
            text, after=place.after or None, seconds=left, count=max(most - len(found), 1)
        )
        found += [each for each in step.found if (each.job.queue, each.job.id) not in known]
        looked_at += step.looked_at
        place = Place(place.queue + 1) if step.after is None else Place(place.queue, step.after)
        if len(found) >= most or time.monotonic() >= until:
            break
    return Steps(found, looked_at, place if place.queue < len(queues) else None)


async def _by_id(queue: Queue, query: Query) -> Sequence[FoundJob]:
    try:
        return (await queue.search(f"id:{query.exact}")).found
    except InvalidOption:
        # Several shards have a job of that id; what was meant as other text is no id.
        if query.kind == "id":
            raise
        return ()
