"""What one queue is: its defaults for jobs and for workers, and its handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from stockyard.errors import ConfigError, InvalidOption
from stockyard.model.backoff import Backoff
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.handler import Executor
from stockyard.model.options import JobOptions
from stockyard.model.retention import Keep, KeepOption
from stockyard.topology.rate import Rate
from stockyard.topology.router import Router

F = TypeVar("F", bound=Callable[[Any], Any])

KEEP_COMPLETED = Keep.within("1h", 10_000)
KEEP_FAILED = Keep.within("7d", 50_000)


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A declared queue.

    Attributes:
        name: may hold colons (``portfolio:high_priority``).
        concurrency: jobs that one worker runs at a time.
        defaults: options of its jobs where ``add`` gives none.
        rate: window limit over all workers, or None.
        executor: where its handlers run unless they say so themselves, or None.
        lock_ms: lease of a running job; a dead worker's job runs again within twice that.
        max_stalled: how often a job may lose its worker before it is failed.
        high_priority: people wait for it: its backlog is alerted on.
        critical: its workers refuse a server that may lose its jobs.
        description: one line for people.
        router: its handlers by job name.
    """

    name: str
    concurrency: int = 1
    defaults: JobOptions = field(default_factory=JobOptions)
    rate: Rate | None = None
    executor: Executor | None = None
    lock_ms: int = 30_000
    max_stalled: int = 1
    high_priority: bool = False
    critical: bool = False
    description: str = ""
    router: Router = field(default_factory=Router, compare=False, repr=False)

    @classmethod
    def declare(
        cls,
        name: str,
        *,
        concurrency: int = 1,
        attempts: int = 1,
        backoff: Backoff | Duration | None = None,
        priority: int = 0,
        timeout: Duration | None = None,
        remove_on_complete: KeepOption = KEEP_COMPLETED,
        remove_on_fail: KeepOption = KEEP_FAILED,
        rate: Rate | str | None = None,
        executor: Executor | None = None,
        lock: Duration = 30,
        max_stalled: int = 1,
        high_priority: bool = False,
        critical: bool = False,
        description: str = "",
    ) -> QueueSpec:
        """Check and declare a queue.

        Args:
            name: unique in its topology.
            concurrency: jobs that one worker runs at a time. Defaults to 1.
            attempts: tries of a job in all. Defaults to 1.
            backoff: wait between attempts. Defaults to none.
            priority: of its jobs; 0 is none. Defaults to 0.
            timeout: limit of one run. Defaults to none.
            remove_on_complete: retention. Defaults to 1 hour and at most 10,000.
            remove_on_fail: retention. Defaults to 7 days and at most 50,000.
            rate: ``"100/s"``: jobs started per time by all workers together. Defaults to no limit.
            executor: ``"async"``, ``"thread"`` or ``"process"``. Defaults to what the handler is.
            lock: lease of a running job. Defaults to 30 s.
            max_stalled: how often a job may lose its worker before it is failed. Defaults to 1.
            high_priority: alert on its backlog. Defaults to False.
            critical: its workers do not start on a server that evicts keys, or hides whether it does. Defaults
                to False: they warn.
            description: one line for people.

        Raises:
            InvalidOption: a value is out of its range.
            ConfigError: the name cannot be a queue's.
        """
        if not isinstance(name, str) or not name or name != name.strip(":") or any(c.isspace() for c in name):
            raise ConfigError(f"a queue's name is text without spaces and without ':' at its ends; got {name!r}")
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidOption(f"concurrency must be a whole number, 1 or more; got {concurrency!r}")
        lock_ms = milliseconds(lock, option="lock")
        if lock_ms < 100:
            raise InvalidOption(f"lock must be 100 ms or longer; got {lock!r}")
        if isinstance(max_stalled, bool) or not isinstance(max_stalled, int) or max_stalled < 0:
            raise InvalidOption(f"max_stalled must be a whole number, 0 or more; got {max_stalled!r}")
        defaults = JobOptions().merged(
            attempts=attempts,
            backoff=backoff,
            priority=priority,
            timeout=timeout,
            # Keeping for ever is what every peer does unasked: it need not be said in each job.
            remove_on_complete=None if remove_on_complete is False else remove_on_complete,
            remove_on_fail=None if remove_on_fail is False else remove_on_fail,
        )
        return cls(
            name,
            concurrency,
            defaults,
            None if rate is None else Rate.of(rate),
            executor,
            lock_ms,
            max_stalled,
            high_priority,
            critical,
            description,
        )

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(self, name: str | None = None, *, executor: Executor | None = None) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, *, executor: Executor | None = None) -> Any:
        """Register the decorated function for this queue's jobs of that name; see ``Router.handler``."""
        return self.router.handler(name, executor=self.executor if executor is None else executor)
