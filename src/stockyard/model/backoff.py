"""How long a failed job waits before its next attempt."""

from __future__ import annotations

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds


class Backoff(msgspec.Struct, frozen=True):
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
