"""What one queue is: its defaults for jobs and for workers, and its handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, Unpack, get_args, overload

from stockyard.errors import ConfigError, InvalidOption, suggestion
from stockyard.model.duration import lease_milliseconds
from stockyard.model.handler import Executor
from stockyard.model.options import JobOptions
from stockyard.model.retention import Keep
from stockyard.model.retry_rule import ErrorClasses, RetryRule
from stockyard.model.text import is_text, shown
from stockyard.topology.queue_options import KNOWN_OPTIONS, QueueOptions
from stockyard.topology.rate import Rate
from stockyard.topology.router import Router
from stockyard.topology.schedule_declaration import ScheduleDeclaration

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
        check: whether ``add`` refuses what its declared handlers do not take.
        retries: which exceptions are retried, or None for all.
        router: its handlers by job name.
        schedules: those that its workers make when they start.
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
    check: bool = True
    retries: RetryRule | None = None
    router: Router = field(default_factory=Router, compare=False, repr=False)
    schedules: list[ScheduleDeclaration] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def declare(cls, name: str, **options: Unpack[QueueOptions]) -> QueueSpec:
        """Check and declare a queue.

        Args:
            name: unique in its topology.
            options: see ``QueueOptions``.

        Raises:
            InvalidOption: an option is not known, or a value is out of its range.
            ConfigError: the name cannot be a queue's.
        """
        for option in options:
            if option not in KNOWN_OPTIONS:
                raise InvalidOption(
                    f"unknown option {option!r} of queue {name!r}{suggestion(option, KNOWN_OPTIONS)}"
                )
        if not is_text(name) or name != name.strip(":") or any(c.isspace() for c in name):
            raise ConfigError(
                f"a queue's name is text without spaces, lone surrogates, and ':' at its ends; got {shown(name)}"
            )
        concurrency, max_stalled = options.get("concurrency", 1), options.get("max_stalled", 1)
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise InvalidOption(f"concurrency must be a whole number, 1 or more; got {concurrency!r}")
        lock_ms = lease_milliseconds(options.get("lock", 30))
        if isinstance(max_stalled, bool) or not isinstance(max_stalled, int) or max_stalled < 0:
            raise InvalidOption(f"max_stalled must be a whole number, 0 or more; got {max_stalled!r}")
        executor, rate = options.get("executor"), options.get("rate")
        if executor is not None and executor not in get_args(Executor):
            raise InvalidOption(f"executor must be 'async', 'thread' or 'process'; got {executor!r}")
        if not isinstance(check := options.get("check", True), bool):
            raise InvalidOption(f"check must be True or False; got {check!r}")
        rule = RetryRule.of(options.get("autoretry_for"), options.get("dont_retry_on"))
        completed = options.get("remove_on_complete", KEEP_COMPLETED)
        failed = options.get("remove_on_fail", KEEP_FAILED)
        defaults = JobOptions().merged(
            attempts=options.get("attempts", 1),
            backoff=options.get("backoff"),
            priority=options.get("priority", 0),
            timeout=options.get("timeout"),
            # Keeping for ever is what every peer does unasked: it need not be said in each job.
            remove_on_complete=None if completed is False else completed,
            remove_on_fail=None if failed is False else failed,
        )
        return cls(
            name,
            concurrency,
            defaults,
            None if rate is None else Rate.of(rate),
            executor,
            lock_ms,
            max_stalled,
            options.get("high_priority", False),
            options.get("critical", False),
            options.get("description", ""),
            check,
            rule,
            router=Router(retries=rule),
        )

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(
        self,
        name: str | None = None,
        *,
        executor: Executor | None = None,
        autoretry_for: ErrorClasses | None = None,
        dont_retry_on: ErrorClasses | None = None,
    ) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, *, executor: Executor | None = None, **retries: Any) -> Any:
        """Register the decorated function for this queue's jobs of that name; see ``Router.handler``."""
        return self.router.handler(name, executor=self.executor if executor is None else executor, **retries)

    def schedule(self, schedule_id: str, /, **arguments: Any) -> None:
        """Declare a schedule of this queue; its workers make it, or change it, when they start.

        A schedule whose declaration is taken out stays on the server until ``Schedules.remove`` ends it.

        Args:
            schedule_id: its name in this queue.
            arguments: those of ``Schedules.upsert``.

        Raises:
            InvalidOption: an argument is not known or out of its range, or the id is declared already.
        """
        if any(each.id == schedule_id for each in self.schedules):
            raise InvalidOption(f"schedule {schedule_id!r} of queue {self.name!r} is declared already")
        self.schedules.append(ScheduleDeclaration.of(schedule_id, arguments))
