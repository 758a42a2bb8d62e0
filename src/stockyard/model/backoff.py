"""How long a failed job waits before its next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import LONGEST, Duration, milliseconds

FAIL_NOW = -1
"""A custom strategy returns this to fail the job without another attempt."""

BackoffStrategy = Callable[[int, BaseException], Duration | None]
"""Custom strategy: (attempts made, error) -> wait before the next attempt, or None to fail now."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait between attempts.

    Attributes:
        type: ``"fixed"``, ``"exponential"``, or the name of a strategy that the worker was given.
        delay_ms: base wait in milliseconds.
        jitter: 0 to 1; the wait is drawn from ``[wait * (1 - jitter), wait)``. Defaults to 0, no jitter.
        maximum_ms: the longest wait in milliseconds, before jitter; None is a hundred years. BullMQ has no such
            field: a worker on Node waits as without it.
    """

    type: str
    delay_ms: int
    jitter: float = 0.0
    maximum_ms: int | None = None

    def __post_init__(self) -> None:
        checks.number("backoff jitter", self.jitter, least=0, most=1)

    @classmethod
    def fixed(cls, delay: Duration, *, jitter: float = 0.0) -> Backoff:
        """Wait the same time before every attempt."""
        return cls("fixed", milliseconds(delay, option="backoff delay"), jitter)

    @classmethod
    def exponential(cls, delay: Duration, *, maximum: Duration | None = None, jitter: float = 0.0) -> Backoff:
        """Wait ``delay``, then twice, four times … that, ``maximum`` at most: from 1 s it is 1 s, 2 s, 4 s.

        Raises:
            InvalidOption: a duration is none, or the maximum is shorter than the delay.
        """
        base = milliseconds(delay, option="backoff delay")
        longest = None if maximum is None else milliseconds(maximum, option="backoff maximum")
        if longest is not None and longest < base:
            raise InvalidOption(f"backoff maximum must be the delay or longer; got {maximum!r} for {delay!r}")
        return cls("exponential", base, jitter, longest)

    @classmethod
    def custom(cls, strategy: str, delay: Duration = 0) -> Backoff:
        """Ask the worker's strategy of that name (``Worker(backoff_strategies={...})``)."""
        return cls(strategy, milliseconds(delay, option="backoff delay"))

    @classmethod
    def of(cls, value: Backoff | Duration) -> Backoff:
        """Accept a Backoff, or a duration as a fixed one.

        Raises:
            InvalidOption: it is neither.
        """
        if isinstance(value, Backoff):
            checks.whole("the delay_ms of backoff", value.delay_ms)
            if value.maximum_ms is not None:
                checks.whole("the maximum_ms of backoff", value.maximum_ms)
            return value
        try:
            return cls.fixed(value)
        except InvalidOption:
            raise InvalidOption(
                "backoff must be a duration (fixed), Backoff.fixed('1s'), Backoff.exponential('1s', jitter=0.2) "
                f"or Backoff.custom('name'); got {value!r}"
            ) from None


def next_delay(
    backoff: Backoff | None,
    attempts_made: int,
    error: BaseException,
    *,
    strategies: Mapping[str, BackoffStrategy],
    rng: random.Random,
) -> int:
    """Return the wait in milliseconds after attempt number ``attempts_made`` failed, or ``FAIL_NOW``.

    The formulas are BullMQ's: exponential is ``delay * 2 ** (attempts_made - 1)``.

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
        answer = strategies[backoff.type](attempts_made, error)
        return FAIL_NOW if answer is None else milliseconds(answer, option=f"backoff strategy {backoff.type!r}")
    else:
        known = ", ".join(sorted({"fixed", "exponential", *strategies}))
        raise InvalidOption(f"this worker has no backoff strategy {backoff.type!r}; it knows {known}")
    # What a peer wrote may be out of every range.
    wait = min(max(wait, 0), LONGEST if backoff.maximum_ms is None else backoff.maximum_ms)
    if backoff.jitter:
        floor = wait * (1 - backoff.jitter)
        return int(floor + rng.random() * (wait - floor))
    return wait
