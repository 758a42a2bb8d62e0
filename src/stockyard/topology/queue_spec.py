"""What one queue is: its defaults for jobs and for workers, and its handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, get_args, overload

import msgspec

from stockyard.errors import ConfigError, InvalidOption
from stockyard.model import checks
from stockyard.model.arrangement import Arrangement, arrangement_of
from stockyard.model.breaker import Breaker
from stockyard.model.durability import Durability
from stockyard.model.duration import SHORTEST_LEASE
from stockyard.model.handler import Executor
from stockyard.model.key_order import KeyOrder
from stockyard.model.limit_use import LimitUse
from stockyard.model.options import JobOptions, checked_version
from stockyard.model.retention import Keep
from stockyard.model.retry_rule import RetryRule
from stockyard.model.search_index import checked_paths
from stockyard.model.sharding import MOST_SHARDS
from stockyard.model.venue import Delivery, UnknownHandler, Venue
from stockyard.topology.queue_options import KNOWN_OPTIONS, QueueOptions
from stockyard.topology.rate import Rate
from stockyard.topology.router import HandlerOptions, Router
from stockyard.topology.schedule_declaration import ScheduleDeclaration, ScheduleOptions

if TYPE_CHECKING:
    from stockyard.model.limits import Limits

F = TypeVar("F", bound=Callable[[Any], Any])

KEEP_COMPLETED = Keep.within("1h", 10_000)
KEEP_FAILED = Keep.within("7d", 50_000)


def durability_of(value: Any) -> Durability | None:
    """Return what has to be safe before an add is answered; raises InvalidOption."""
    return None if value is None else checks.one_of("durability", value, get_args(Durability))


def _limits_of(name: str, value: Any) -> Limits | None:
    """Return the limits of a queue's jobs; raises InvalidOption."""
    if value is None:
        return None
    # Most queues have none: their programs start without the kinds of limits.
    from stockyard.model.limit import InFlight
    from stockyard.model.limits import Limits

    limits: Limits = checks.instance("limits", value, Limits)
    if any(isinstance(each, InFlight) for each in limits.limits):
        raise InvalidOption(
            f"the limits of queue {name!r} have an InFlight, which counts calls and not jobs: limit jobs that run "
            "at a time by Queue.set_concurrency, or take it in the handler"
        )
    return limits


def _versions_of(name: str, options: QueueOptions) -> tuple[int, ...]:
    """Return which payload versions a queue's workers understand, empty for all; raises InvalidOption."""
    version, versions = options.get("version"), options.get("versions")
    if version is None:
        if versions is not None:
            raise InvalidOption(
                f"queue {name!r} has versions and no version: say which version the payloads have that this "
                "program adds"
            )
        return ()
    if options.get("shards", 1) != 1:
        raise InvalidOption(f"queue {name!r} has a version and shards, which exclude each other: leave one out")
    given = (version,) if versions is None else tuple(checks.several("versions", versions, of="whole numbers"))
    if not given:
        raise InvalidOption(f"the versions of queue {name!r} are none: its workers would take no job")
    return tuple(sorted({checked_version("versions", each) for each in given}))


def _venue_of(value: Any) -> Venue | None:
    return None if value is None else checks.instance("venue", value, Venue)


def _reconciliation_of(value: Any) -> UnknownHandler | None:
    if value is not None and not inspect.iscoroutinefunction(checks.function("on_unknown", value)):
        raise InvalidOption(
            f"on_unknown must be an `async def` that is given an effect; got {checks.shown(value)}"
        )
    handler: UnknownHandler | None = value
    return handler


def _breaker_of(name: str, options: QueueOptions) -> Breaker | None:
    """Return the circuit breaker of a queue; raises InvalidOption."""
    given = options.get("breaker")
    if given is None:
        return None
    breaker: Breaker = checks.instance("breaker", given, Breaker)
    if options.get("shards", 1) != 1:
        raise InvalidOption(
            f"queue {name!r} has a breaker and shards, each of which would count failures by itself. Leave one "
            "of them out"
        )
    if options.get("version") is not None:
        raise InvalidOption(
            f"queue {name!r} has a breaker and a version: a trial may be a job that its worker does not "
            "understand. Leave one of them out"
        )
    return breaker


def _shards(name: str, options: QueueOptions) -> int:
    """Return over how many BullMQ queues the queue is spread; raises InvalidOption."""
    shards = checks.whole("shards", options.get("shards", 1), least=1, most=MOST_SHARDS)
    if shards > 1 and options.get("rate") is not None:
        raise InvalidOption(
            f"queue {name!r} has shards={shards} and a rate: each shard would count the jobs that it starts by "
            "itself. Leave one of them out"
        )
    if shards > 1 and options.get("limits") is not None:
        raise InvalidOption(
            f"queue {name!r} has shards={shards} and limits, which keep what they hold back in one slot. Leave "
            "one of them out, or take the limits in the handlers"
        )
    if shards > 1 and any(options.get(option) is not None for option in ("delivery", "venue", "on_unknown")):
        raise InvalidOption(
            f"queue {name!r} has shards={shards} and effects, which one slot alone knows. Leave one of them out"
        )
    if shards > 1 and ("{" in name or "}" in name):
        raise InvalidOption(
            f"queue {name!r} has shards={shards} and a hash tag in its name, which would put all of them into one "
            "slot: leave the braces out"
        )
    return shards


class QueueSpec(msgspec.Struct, frozen=True, eq=False):
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
        limits: of the exchange that its jobs call, or None.
        check: whether ``add`` refuses what its declared handlers do not take.
        shards: how many BullMQ queues it is spread over.
        arrangement: what it asks for of the jobs that wait, or None.
        retries: which exceptions are retried, or None for all.
        delivery: what happens to a job whose worker is lost before it began an effect.
        venue: the rules of the venue that its effects act on, or None.
        on_unknown: asks the venue what became of an effect, or None.
        breaker: halts it when too many of its jobs fail, or None.
        router: its handlers by job name.
        schedules: those that its workers make when they start.
        versions: of the payloads that its workers understand; empty for all.
        lineage: whether its jobs remember the jobs that added them.
        indexed: paths to the values of payloads that it has an index of.
    """

    name: str
    concurrency: int = 1
    defaults: JobOptions = msgspec.field(default_factory=JobOptions)
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
    limits: Limits | None = None
    delivery: Delivery = "at_least_once"
    venue: Venue | None = None
    on_unknown: UnknownHandler | None = None
    breaker: Breaker | None = None
    shards: int = 1
    versions: tuple[int, ...] = ()
    arrangement: Arrangement | None = None
    lineage: bool = False
    indexed: tuple[str, ...] = ()
    router: Router = msgspec.field(default_factory=Router)
    schedules: list[ScheduleDeclaration] = msgspec.field(default_factory=list)

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
        # An empty part marks keys that are no queue's: see ``_wire/own_keys.py``.
        if not checks.is_text(name) or "::" in f":{name}:" or any(c.isspace() for c in name):
            raise ConfigError(
                "a queue's name is text without spaces, lone surrogates, and ':' at its ends or beside another; "
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
            expires_in=options.get("expires_in"),
            # Keeping for ever is what every peer does unasked: it need not be said in each job.
            remove_on_complete=None if completed is False else completed,
            remove_on_fail=None if failed is False else failed,
        )
        limits = _limits_of(name, options.get("limits"))
        use: dict[str, Any] = {each: options[each] for each in ("cost", "scope", "lane") if each in options}
        if limits is not None and len(limits.limits) == 1:
            use = {"cost": 1, **use}
        if options.get("version") is not None:
            use["version"] = options["version"]
        if use:
            defaults = defaults.merged(**use)
        spec = cls(
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
            limits=limits,
            delivery=checks.one_of("delivery", options.get("delivery", "at_least_once"), get_args(Delivery)),
            venue=_venue_of(options.get("venue")),
            on_unknown=_reconciliation_of(options.get("on_unknown")),
            breaker=_breaker_of(name, options),
            shards=_shards(name, options),
            versions=_versions_of(name, options),
            arrangement=arrangement_of(name, options),
            lineage=checks.flag("lineage", options.get("lineage", False)),
            indexed=checked_paths(options.get("indexed")),
            router=Router(retries=rule),
        )
        if limits is None and defaults.use is not None:
            spec.check_use(defaults)
        return spec

    def check_use(self, options: JobOptions) -> None:
        """Refuse what a job's call cannot use of the queue's limits.

        Raises:
            InvalidOption: the queue declares no limits, a limit or a value is not known or missing, or the call
                costs more than a limit allows.
        """
        use = options.use
        if self.limits is not None:
            given = use or LimitUse()
            self.limits.plan(given.costs, dict(given.scope), given.lane, egress="default")
        elif use is not None:
            raise InvalidOption(f"queue {self.name!r} declares no limits, and cost, scope and lane are for these")

    @property
    def key_order(self) -> KeyOrder | None:
        """How the jobs of one key follow each other, or None where they are like any others."""
        return None if self.arrangement is None else self.arrangement.keys

    @property
    def uses_effects(self) -> bool:
        """Whether it declares anything of effects: its workers look after them then."""
        return self.delivery == "at_most_once" or self.venue is not None or self.on_unknown is not None

    @overload
    def handler(self, name: F, /) -> F: ...

    @overload
    def handler(self, name: str | None = None, **options: Unpack[HandlerOptions]) -> Callable[[F], F]: ...

    def handler(self, name: Any = None, **options: Unpack[HandlerOptions]) -> Any:
        """Register the decorated function for this queue's jobs of that name; see ``Router.handler``."""
        if options.get("batch") is not None and self.delivery == "at_most_once":
            raise InvalidOption(
                f"queue {self.name!r} has delivery='at_most_once' and a handler with batch=: such jobs act in "
                "effects, which a batch has none of. Leave batch= out"
            )
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
