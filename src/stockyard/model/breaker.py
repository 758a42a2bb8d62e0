"""The circuit breaker of a queue: when it opens, and for how long."""

from __future__ import annotations

from stockyard.errors import HandlerError, JobCancelled, PayloadError, UnrecoverableError
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.retry_rule import ErrorClasses, RetryRule, exception_classes

_OF_THE_JOB = (UnrecoverableError, PayloadError, HandlerError, JobCancelled)
"""What fails a job for good says nothing about what all jobs call."""


class Breaker:
    """Stops a queue when what its jobs call is down: too many failures within a time open it.

    An open breaker halts the queue, for all workers of all processes. The runs that fail from then on are
    requeued without having used up an attempt. After ``reset_after`` one job is tried: if it completes, the queue
    goes on; if it fails, the breaker stays open for as long again.

    Args:
        failures: how many open it; 1 or more. Defaults to 5.
        within: the time in which they count. Defaults to 30 s.
        reset_after: how long it stays open before a trial. Defaults to 60 s.
        on: exception classes that count. Defaults to all but those that fail a job for good:
            ``UnrecoverableError``, ``PayloadError``, ``HandlerError``.
        ignore: exception classes that do not count. Defaults to none.

    Raises:
        InvalidOption: an argument is out of its range, or something else than exception classes.

    Example:
        desk.queue("execution:orders", breaker=Breaker(failures=5, within="30s", on=ConnectionError))
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        within: Duration = "30s",
        reset_after: Duration = "60s",
        on: ErrorClasses | None = None,
        ignore: ErrorClasses | None = None,
    ) -> None:
        self.failures: int = checks.whole("failures", failures, least=1, most=10_000)
        self.within_ms: int = checks.positive_ms("within", within)
        self.reset_after_ms: int = checks.positive_ms("reset_after", reset_after)
        self._rule = RetryRule(
            None if on is None else exception_classes("on", on),
            () if ignore is None else exception_classes("ignore", ignore),
        )

    def counts(self, error: BaseException) -> bool:
        """Say whether a failed run counts."""
        return not isinstance(error, _OF_THE_JOB) and self._rule.allows(error)

    def __repr__(self) -> str:
        return (
            f"Breaker(failures={self.failures}, within={self.within_ms / 1000:g}, "
            f"reset_after={self.reset_after_ms / 1000:g})"
        )
