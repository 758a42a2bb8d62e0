"""Says how long a failed job waits, by its backoff or by a strategy of the program's own."""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

from stockyard.errors import InvalidOption
from stockyard.model.backoff import Backoff
from stockyard.model.duration import LONGEST, Duration, milliseconds
from stockyard.model.job import Job

FAIL_NOW = -1
"""The wait of a job that fails without another attempt, as a custom strategy may say."""

BackoffStrategy = Callable[[int, str, BaseException, Job[Any]], Awaitable[Duration | None] | Duration | None]
"""Custom strategy, plain or ``async def``: (attempts made, type of the backoff, error, job) -> wait before the
next attempt, or None to fail now."""


class AskedDelay:
    """The answer of a strategy that is a coroutine function; await it for milliseconds, or close it."""

    def __init__(self, answer: Awaitable[Duration | None], strategy: str) -> None:
        self._answer = answer
        self._strategy = strategy

    def __await__(self) -> Generator[Any, None, int]:
        answer = yield from self._answer.__await__()
        return _read(answer, self._strategy)

    def close(self) -> None:
        """Do without the answer."""
        if inspect.iscoroutine(self._answer):
            self._answer.close()


def next_delay(
    backoff: Backoff | None,
    attempts_made: int,
    error: BaseException,
    *,
    job: Job[Any],
    strategies: Mapping[str, BackoffStrategy],
    rng: random.Random,
) -> int | AskedDelay:
    """Return the wait in milliseconds after attempt number ``attempts_made`` failed, or ``FAIL_NOW``.

    The formulas are BullMQ's: exponential is ``delay * 2 ** (attempts_made - 1)``. The answer of a strategy that
    is a coroutine function is to be awaited.

    Raises:
        InvalidOption: the type names a strategy that the worker does not have.
    """
    if backoff is None:
        return 0
    if backoff.type == "fixed":
        wait = backoff.delay_ms
    elif backoff.type == "exponential":
        wait = round(backoff.delay_ms * 2 ** min(attempts_made - 1, 60))
    elif backoff.type in strategies:
        answer = strategies[backoff.type](attempts_made, backoff.type, error, job)
        return AskedDelay(answer, backoff.type) if inspect.isawaitable(answer) else _read(answer, backoff.type)
    else:
        known = ", ".join(sorted({"fixed", "exponential", *strategies}))
        raise InvalidOption(f"this worker has no backoff strategy {backoff.type!r}; it knows {known}")
    # What a peer wrote may be out of every range.
    wait = min(max(wait, 0), LONGEST if backoff.maximum_ms is None else backoff.maximum_ms)
    if backoff.jitter:
        floor = wait * (1 - backoff.jitter)
        return int(floor + rng.random() * (wait - floor))
    return wait


def _read(answer: Any, strategy: str) -> int:
    return FAIL_NOW if answer is None else milliseconds(answer, option=f"backoff strategy {strategy!r}")
