"""Asks every queue: one that cannot be read does not hide the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from stockyard.cli.display import complain
from stockyard.errors import ServerRefused

Q = TypeVar("Q")
T = TypeVar("T")


async def of_each(
    queues: Sequence[Q], ask: Callable[[Q], Awaitable[T]]
) -> tuple[list[tuple[Q, T]], list[ServerRefused]]:
    """Return the queues that answered, each with its answer, and the errors of those whose keys cannot be read.

    Raises:
        ServerRefused: none of them can be read.
    """

    async def one(queue: Q) -> T | ServerRefused:
        try:
            return await ask(queue)
        except ServerRefused as error:
            return error

    answers = await asyncio.gather(*map(one, queues))
    refused = [each for each in answers if isinstance(each, ServerRefused)]
    if refused and len(refused) == len(queues):
        raise refused[0]
    pairs = zip(queues, answers, strict=True)
    return [(queue, each) for queue, each in pairs if not isinstance(each, ServerRefused)], refused


def complain_of(refused: Iterable[ServerRefused]) -> int:
    """Say what could not be read; return the exit status."""
    status = 0
    for each in refused:
        complain(f"stockyard: {each}")
        status = 1
    return status
