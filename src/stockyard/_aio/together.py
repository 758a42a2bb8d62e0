"""Awaits one thing of several objects at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Q = TypeVar("Q")
T = TypeVar("T")


async def of_each(things: Iterable[Q], ask: Callable[[Q], Awaitable[T]]) -> list[T]:
    """Ask all things at a time, or one after the other where no loop runs; return the answers in order.

    Raises:
        The error of the first thing that has one, once all have answered.
    """
    asked = list(things)
    # A single one is asked in the caller's own task. Unlike get_running_loop, the question does not raise.
    if len(asked) == 1 or asyncio._get_running_loop() is None:
        return [await ask(thing) for thing in asked]
    answers = await asyncio.gather(*map(ask, asked), return_exceptions=True)
    results: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        results.append(answer)
    return results
