"""What a producer may say of a job, checked once at the door."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Protocol, TypedDict, Unpack, get_args

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.backoff import Backoff
from stockyard.model.checks import refuse_unknown
from stockyard.model.coalesce import Coalesce
from stockyard.model.deduplication import Deduplication
from stockyard.model.duration import LONGEST, Duration, milliseconds
from stockyard.model.job_ids import LONGEST_ID, checked_job_id
from stockyard.model.limit_use import LimitUse
from stockyard.model.moment import Moment, moment_ms
from stockyard.model.parent import OnFailure, ParentRef
from stockyard.model.retention import KeepOption, checked_keep

MAX_PRIORITY = 2_097_151
"""The largest priority number, which runs last; 0 means none and runs first."""

MAX_VERSION = 1_000_000


class Placed(Protocol):
    """Something with a known place: a ``Job``, or a ``ParentRef``."""

    @property
    def queue(self) -> str:
        """Name of its queue."""

    @property
    def id(self) -> str:
        """Its id there."""


class RunOptions(TypedDict, total=False):
    """The options that every run of a schedule can have as well; each left out takes the queue's default.

    Keys:
        priority: 1 runs before 2; up to 2,097,151. 0 is none, and runs before 1.
        attempts: how often it may be tried in all; 0 and 1 both mean once.
        backoff: wait between attempts.
        lifo: run it before what already waits.
        timeout: the handler is stopped after that long.
        remove_on_complete, remove_on_fail: retention of its record.
        keep_logs: so many of its newest log lines stay.
        stack_trace_limit: so many of its newest stack traces stay.
        size_limit: bytes that its payload may have as JSON.
        telemetry: context of a trace, passed on to the worker.
        omit_context: the worker does not continue that trace.
        cost: what the job's call uses of each of the queue's limits by its name, ``{"weight": 1}``; a number where
            there is one limit. It leaves the queue when its limits admit it.
        scope: values by the names in the limits' scopes, such as ``{"account": "A1"}``.
        lane: whose reserves of the limits it may use.
        version: of its payload: a worker that does not understand it leaves the job to others. Of queues that
            declare a version.
    """

    priority: int
    attempts: int
    backoff: Backoff | Duration | None
    lifo: bool
    timeout: Duration | None
    remove_on_complete: KeepOption | None
    remove_on_fail: KeepOption | None
    keep_logs: int | None
    stack_trace_limit: int | None
    size_limit: int | None
    telemetry: str | None
    omit_context: bool
    cost: Mapping[str, float] | float | None
    scope: Mapping[str, str] | None
    lane: str
    version: int


class AddOptions(RunOptions, total=False):
    """The options of ``add``: those of ``RunOptions``, and what belongs to a single job.

    Keys:
        job_id: the caller's own id; adding it again while its record exists adds nothing. None is none.
        key: what the job is about, as in ``"BTCUSDT"``: halts name it, and all jobs of a key are in one shard.
        delay: wait before it may run.
        timestamp: when it was made, instead of now: ``delay`` and ``expires_in`` count from it.
        eta: when it may run, instead of ``delay``: a datetime with a zone. One that is past runs at once.
        expires_in: it is dropped, and not run, when it could not start so long after it might have: after its
            add, or the end of its ``delay``. Its effects and its children have that deadline too.
        expires_at: the same as a moment: a datetime with a zone. One that is past expires at its start.
        coalesce: a key, or ``Coalesce(key, mode=…)``: while a job of this key waits, a newer one replaces its
            payload. Of queues that declare ``coalesce``.
        deduplication: adds that share an id become one job; text is the id of ``Deduplication(id)``.
        parent: the job that is to wait for this one: a Job, or where one is.
        on_failure: what this job's failure means to its parent.
        correlation_id: id that all jobs of one story share, as of an order from outside. Defaults to that of the
            job whose handler adds it, if that has a lineage or the queue declares it; None begins a new story.
        causation_id: what caused it. Defaults to ``queue/id`` of the job whose handler adds it, in the same cases.
    """

    job_id: str | None
    key: str | None
    delay: Duration
    timestamp: Moment | None
    eta: Moment | None
    expires_in: Duration | None
    expires_at: Moment | None
    coalesce: Coalesce | str | None
    deduplication: Deduplication | str | None
    parent: Placed | None
    on_failure: OnFailure | None
    correlation_id: str | None
    causation_id: str | None


class JobOptions(msgspec.Struct, frozen=True):
    """Checked options of one job, all times in milliseconds.

    Attributes:
        job_id: custom id, or None for the queue's counter.
        delay_ms: wait before it may run. Defaults to 0.
        priority: 0 (none) to 2,097,151. Defaults to 0.
        attempts: tries in all; 0 and 1 both mean one. Defaults to 1.
        backoff: wait between attempts. Defaults to none.
        lifo: at the front of what waits. Defaults to False.
        timeout_ms: limit of one run. Defaults to none.
        remove_on_complete, remove_on_fail: retention; None leaves it to the worker.
        deduplication: which adds are one job with it, or None.
        parent: the job that waits for it, or None.
        on_failure: what its failure means to the parent; None lets the parent wait.
        keep_logs: newest log lines that stay, or None for all.
        stack_trace_limit: newest stack traces that stay, or None for all.
        size_limit: bytes of the payload, or None.
        telemetry: context of a trace, or None.
        omit_context: the trace is not to be continued. Defaults to False.
        eta_ms: when it may run, ms since the epoch, until ``placed`` makes a delay of it; or None.
        use: what its call uses of the queue's limits, or None.
        key: what it is about, or None.
        version: of its payload, or None for the first.
        expires_in_ms: so long after it may first run it expires, or None.
        expires_at_ms: when it expires, ms since the epoch, or None.
        coalesce: with which jobs it shares a payload while it waits, or None.
        timestamp_ms: when it was made, ms since the epoch, or None for when it is added.
        run_number: of a schedule's run, from 1, or None.
        correlation_id: of the story that it belongs to, or None for one of its own.
        causation_id: what caused it, or None.
    """

    job_id: str | None = None
    delay_ms: int = 0
    priority: int = 0
    attempts: int = 1
    backoff: Backoff | None = None
    lifo: bool = False
    timeout_ms: int | None = None
    remove_on_complete: KeepOption | None = None
    remove_on_fail: KeepOption | None = None
    deduplication: Deduplication | None = None
    parent: ParentRef | None = None
    on_failure: OnFailure | None = None
    keep_logs: int | None = None
    stack_trace_limit: int | None = None
    size_limit: int | None = None
    telemetry: str | None = None
    omit_context: bool = False
    eta_ms: int | None = None
    use: LimitUse | None = None
    key: str | None = None
    version: int | None = None
    expires_in_ms: int | None = None
    expires_at_ms: int | None = None
    coalesce: Coalesce | None = None
    timestamp_ms: int | None = None
    run_number: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None

    def merged(self, **options: Unpack[AddOptions]) -> JobOptions:
        """Return these options with the given ones checked and laid over them.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        if not options:
            return self
        if len(options) == 1:
            ((name, value),) = options.items()
            if name in ("coalesce", "key") and type(value) is str:
                return _merged_once(self, name, value)
        return self._merged(options)

    def _merged(self, options: Mapping[str, Any]) -> JobOptions:
        changes: dict[str, Any] = {}
        for name, value in options.items():
            if name not in _CHECKS:
                refuse_unknown(options, KNOWN_OPTIONS)
            if name in _MERGED:
                continue
            field, check = _CHECKS[name]
            changes[field] = check(name, value)
        if not _USE.isdisjoint(options):
            changes["use"] = (self.use or LimitUse()).merged(options)
        if not _EXPIRY.isdisjoint(options):
            changes |= _expiry(options)
        if options.get("eta") is not None and options.get("delay") is not None:
            raise InvalidOption("eta and delay exclude each other: a time, or a wait from now")
        return msgspec.structs.replace(self, **changes)

    def expiry(self, timestamp: int) -> int | None:
        """Return when a job that was added at that time expires, in ms since the epoch, or None."""
        if self.expires_in_ms is None:
            return self.expires_at_ms
        renewed_on = None if self.coalesce is None else self.coalesce.renewed_on
        return (timestamp if renewed_on is None else renewed_on) + self.delay_ms + self.expires_in_ms

    def within(self, limit: int | None, now: int) -> JobOptions:
        """Return these options with another expiry where a job that is added now would expire after the limit."""
        own = None if limit is None else self.expiry(now)
        if limit is None or (own is not None and own <= limit):
            return self
        return msgspec.structs.replace(self, expires_in_ms=None, expires_at_ms=limit)

    def placed(self, now: int) -> JobOptions:
        """Return these options with the delay from when the job was made to ``eta_ms``; ``now`` in ms."""
        if self.eta_ms is None:
            return self
        delay_ms = max(self.eta_ms - self.made_at(now), 0)
        if delay_ms > LONGEST:
            raise InvalidOption(f"eta must not be more than 100 years ahead; got {self.eta_ms} ms since the epoch")
        return msgspec.structs.replace(self, delay_ms=delay_ms, eta_ms=None)

    def made_at(self, now: int) -> int:
        """Return when a job that is added now was made, in ms since the epoch."""
        return now if self.timestamp_ms is None else self.timestamp_ms


@lru_cache(4096)  # jobs of the same keys come again and again
def _merged_once(options: JobOptions, name: str, key: str) -> JobOptions:
    return options._merged({name: key})


def carrying(options: JobOptions, carrier: str | None) -> JobOptions:
    """Return the options of a job that carries the context of a span to its worker.

    Args:
        options: of the job; a context that they name already stays, and ``omit_context`` takes none.
        carrier: the context, or None for none.
    """
    if carrier is None or options.telemetry is not None or options.omit_context:
        return options
    return msgspec.structs.replace(options, telemetry=carrier)


def _job_id(_name: str, value: Any) -> str | None:
    # Node takes an empty id for none. An order that lacks its id would be added again each time that it is sent.
    return None if value is None else checked_job_id(value)


def _key(name: str, value: Any) -> str | None:
    if value is None or _is_short(value):
        return value  # type: ignore[no-any-return]  # it was looked at
    raise InvalidOption(f"{name} must be text of 1 to {LONGEST_ID} characters; got {checks.shown(value)}")


def _duration(name: str, value: Any) -> int:
    return milliseconds(value, option=name)


def _moment(name: str, value: Any) -> int | None:
    return None if value is None else moment_ms(value, option=name)


def _expiry(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked expiry; the one that is given takes the place of the other."""
    length, moment = options.get("expires_in"), options.get("expires_at")
    if length is not None and moment is not None:
        raise InvalidOption("expires_in and expires_at exclude each other: a time from now, or a moment")
    return {
        "expires_in_ms": None if length is None else checks.positive_ms("expires_in", length),
        "expires_at_ms": None if moment is None else moment_ms(moment, option="expires_at"),
    }


def _timeout(name: str, value: Any) -> int | None:
    return None if value is None else checks.positive_ms(name, value, hint="leave it out for no limit")


def _priority(name: str, value: Any) -> int:
    return checks.whole(name, value, most=MAX_PRIORITY)


def _attempts(name: str, value: Any) -> int:
    return checks.whole(name, value, most=1_000_000)


def _backoff(name: str, value: Any) -> Backoff | None:
    if value is None:
        return None
    chosen = Backoff.of(value)
    checks.text(f"the strategy of {name}", chosen.type)
    return chosen


def _keep(name: str, value: Any) -> KeepOption | None:
    return None if value is None else checked_keep(value, option=name)


def _number(low: int) -> Any:
    def check(name: str, value: Any) -> int | None:
        return None if value is None else checks.whole(name, value, least=low, most=2**31)

    return check


def _text(name: str, value: Any) -> str | None:
    return None if value is None else checks.text(name, value)


def _deduplication(name: str, value: Any) -> Deduplication | None:
    if value is None or (isinstance(value, Deduplication) and _is_short(value.id)):
        return value
    if _is_short(value):
        return Deduplication(value)
    raise InvalidOption(
        f"{name} must be an id of 1 to {LONGEST_ID} characters or Deduplication(id, ttl='5s', …); "
        f"got {checks.shown(value)}"
    )


def _is_short(value: Any) -> bool:
    return checks.is_text(value) and len(value) <= LONGEST_ID


def checked_version(name: str, value: Any) -> int:
    """Return the version of a payload; raises InvalidOption."""
    return checks.whole(name, value, least=1, most=MAX_VERSION)


def _parent(name: str, value: Any) -> ParentRef | None:
    if value is None:
        return None
    queue, job_id = getattr(value, "queue", None), getattr(value, "id", None)
    prefix = getattr(value, "prefix", None)
    if checks.is_text(queue) and checks.is_text(job_id) and (prefix is None or checks.is_text(prefix)):
        return ParentRef(str(queue), str(job_id), prefix, getattr(value, "expires_at", None))
    raise InvalidOption(
        f"{name} must be a Job or ParentRef(queue, id), so that its place is known; got {checks.shown(value)}"
    )


def _coalesce(_name: str, value: Any) -> Coalesce | None:
    return Coalesce.of(value)


def _on_failure(name: str, value: Any) -> OnFailure | None:
    policy: OnFailure | None = value
    return None if policy is None else checks.one_of(name, policy, get_args(OnFailure))


_CHECKS: dict[str, tuple[str, Any]] = {
    "job_id": ("job_id", _job_id),
    "delay": ("delay_ms", _duration),
    "timestamp": ("timestamp_ms", _moment),
    "eta": ("eta_ms", _moment),
    "priority": ("priority", _priority),
    "attempts": ("attempts", _attempts),
    "backoff": ("backoff", _backoff),
    "lifo": ("lifo", checks.flag),
    "timeout": ("timeout_ms", _timeout),
    "remove_on_complete": ("remove_on_complete", _keep),
    "remove_on_fail": ("remove_on_fail", _keep),
    "deduplication": ("deduplication", _deduplication),
    "key": ("key", _key),
    "correlation_id": ("correlation_id", _key),
    "causation_id": ("causation_id", _key),
    "parent": ("parent", _parent),
    "on_failure": ("on_failure", _on_failure),
    "keep_logs": ("keep_logs", _number(1)),
    "stack_trace_limit": ("stack_trace_limit", _number(0)),
    "size_limit": ("size_limit", _number(1)),
    "telemetry": ("telemetry", _text),
    "omit_context": ("omit_context", checks.flag),
    "expires_in": ("", None),
    "expires_at": ("", None),
    "coalesce": ("coalesce", _coalesce),
    "cost": ("use", None),
    "scope": ("use", None),
    "lane": ("use", None),
    "version": ("version", checked_version),
}
_USE = frozenset(("cost", "scope", "lane"))
_EXPIRY = frozenset(("expires_in", "expires_at"))
_MERGED = _USE | _EXPIRY

KNOWN_OPTIONS = tuple(_CHECKS)
"""The names of ``AddOptions``."""
