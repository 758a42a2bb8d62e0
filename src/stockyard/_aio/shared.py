"""Waits for work that several callers share, and keeps its end apart from the caller's own."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from stockyard.errors import SharedWorkCancelled

T = TypeVar("T")


async def shared(work: asyncio.Future[T], what: str) -> T:
    """Return the result of shared work, which a caller that is cancelled leaves to the others.

    Args:
        work: the future or task.
        what: names it, for the message: ``"the load of 'k'"``.

    Raises:
        CancelledError: the caller was cancelled.
        SharedWorkCancelled: the work was cancelled, and the caller was not.
    """
    caller = asyncio.current_task()
    before = caller.cancelling() if caller is not None else 0
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if work.cancelled() and (caller is None or caller.cancelling() == before):
            raise cancelled(what) from None
        raise


def cancelled(what: str) -> SharedWorkCancelled:
    """Return the error for those who waited for work that was cancelled."""
    return SharedWorkCancelled(f"{what} was cancelled while others waited for it")
