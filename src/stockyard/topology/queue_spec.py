"""What one queue is: its defaults for jobs and for workers, and its handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, Unpack, get_args, overload

from stockyard.errors import ConfigError, InvalidOption
from stockyard.model import checks
from stockyard.model.durability import Durability
from stockyard.model.duration import SHORTEST_LEASE
from stockyard.model.handler import Executor
from stockyard.model.options import JobOptions
from stockyard.model.retention import Keep
from stockyard.model.retry_rule import RetryRule
from stockyard.topology.queue_options import KNOWN_OPTIONS, QueueOptions
from stockyard.topology.rate import Rate
from stockyard.topology.router import HandlerOptions, Router
from stockyard.topology.schedule_declaration import ScheduleDeclaration, ScheduleOptions

F = TypeVar("F", bound=Callable[[Any], Any])

KEEP_COMPLETED = Keep.within("1h", 10_000)
KEEP_FAILED = Keep.within("7d", 50_000)


def durability_of(value: Any) -> Durability | None:
    """Return what has to be safe before an add is answered; raises InvalidOption."""
    return None if value is None else checks.one_of("durability", value, get_args(Durability))


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
        durability: what has to be safe before an add is answered, or None.
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
    durability: Durability | None = None
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
        checks.refuse_unknown(options, KNOWN_OPTIONS, of=f"queue {name!r}")
        if not checks.is_text(name) or name != name.strip(":") or any(c.isspace() for c in name):
            raise ConfigError(
                "a queue's name is text without spaces, lone surrogates, and ':' at its ends; "
                f"got {checks.shown(name)}"
            )
        executor, rate = options.get("executor"), options.get("rate")
        if executor is not None:
            checks.one_of("executor", executor, get_args(Executor))
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
            checks.whole("concurrency", options.get("concurrency", 1), least=1),
            defaults,
            None if rate is None else Rate.of(rate),
            executor,
            checks.positive_ms("lock", options.get("lock", 30), least=SHORTEST_LEASE),
            checks.whole("max_stalled", options.get("max_stalled", 1)),
            checks.flag("high_priority", options.get("high_priority", False)),
            checks.flag("critical", options.get("critical", False)),
            checks.line("description", options.get("description", "")),
            checks.flag("check", options.get("check", True)),
            rule,
            durability=durability_of(options.get("durability")),
            router=Router(retries=rule),
        )

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(self, name: str | None = None, **options: Unpack[HandlerOptions]) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, **options: Unpack[HandlerOptions]) -> Any:
        """Register the decorated function for this queue's jobs of that name; see ``Router.handler``."""
        if options.get("executor") is None:
            options["executor"] = self.executor
        return self.router.handler(name, **options)

    def schedule(self, schedule_id: str, /, **options: Unpack[ScheduleOptions]) -> None:
        """Declare a schedule of this queue; its workers make it, or change it, when they start.

        A schedule whose declaration is taken out stays on the server until ``Schedules.remove`` ends it.

        Args:
            schedule_id: its name in this queue.
            options: see ``ScheduleOptions``.

        Raises:
            InvalidOption: an option is not known or out of its range, or the id is declared already.
        """
        if any(each.id == schedule_id for each in self.schedules):
            raise InvalidOption(f"schedule {schedule_id!r} of queue {self.name!r} is declared already")
        self.schedules.append(ScheduleDeclaration.of(schedule_id, options))
