"""What a producer may say of a job, checked once at the door."""

from __future__ import annotations

from typing import Any, Protocol, TypedDict, Unpack, get_args

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.backoff import Backoff
from stockyard.model.checks import refuse_unknown
from stockyard.model.deduplication import Deduplication
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.moment import Moment, moment_ms
from stockyard.model.parent import OnFailure, ParentRef
from stockyard.model.retention import KeepOption, checked_keep

MAX_PRIORITY = 2_097_151
"""The largest priority number, which runs last; 0 means none and runs first."""

LONGEST_ID = 200
"""Characters of a custom id."""

RESERVED_IDS = frozenset(
    "id wait prioritized active delayed waiting-children completed failed paused meta events marker pc "
    "stalled stalled-check limiter repeat de dn metrics priority delay".split()
)
"""Ids that would name one of the queue's own keys."""


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


class AddOptions(RunOptions, total=False):
    """The options of ``add``: those of ``RunOptions``, and what belongs to a single job.

    Keys:
        job_id: the caller's own id; adding it again while its record exists adds nothing. Empty or None is none.
        delay: wait before it may run.
        eta: when it may run, instead of ``delay``: a datetime with a zone. One that is past runs at once.
        deduplication: adds that share an id become one job; text is the id of ``Deduplication(id)``.
        parent: the job that is to wait for this one: a Job, or where one is.
        on_failure: what this job's failure means to its parent.
    """

    job_id: str | None
    delay: Duration
    eta: Moment | None
    deduplication: Deduplication | str | None
    parent: Placed | None
    on_failure: OnFailure | None


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

    def merged(self, **options: Unpack[AddOptions]) -> JobOptions:
        """Return these options with the given ones checked and laid over them.

        Raises:
            InvalidOption: one is not known or out of its range.
        """
        if not options:
            return self
        changes: dict[str, Any] = {}
        for name, value in options.items():
            if name not in _CHECKS:
                refuse_unknown(options, KNOWN_OPTIONS)
            field, check = _CHECKS[name]
            changes[field] = check(name, value)
        if options.get("eta") is not None and options.get("delay") is not None:
            raise InvalidOption("eta and delay exclude each other: a time, or a wait from now")
        return msgspec.structs.replace(self, **changes)

    def placed(self, now: int) -> JobOptions:
        """Return these options with the delay from ``now``, in ms since the epoch, to ``eta_ms``."""
        if self.eta_ms is None:
            return self
        return msgspec.structs.replace(self, delay_ms=max(self.eta_ms - now, 0), eta_ms=None)


_SUB_KEYS = frozenset("lock logs dependencies processed failed unsuccessful".split())


def checked_job_id(value: Any) -> str:
    """Return a custom id that every peer accepts.

    Raises:
        InvalidOption: it is empty or too long, looks like an integer, names one of the queue's keys, or has colons
            other than the two that BullMQ allows.
    """
    if len(checks.text("job_id", value)) > LONGEST_ID:
        raise InvalidOption(
            f"job_id must have at most {LONGEST_ID} characters; got {len(value)}: {checks.shown(value)}"
        )
    if value.lstrip("-").isdigit():
        raise InvalidOption(
            f"job_id must not look like an integer, because the queue numbers its own jobs so; got {value!r}: "
            f"write for example 'order-{value}'"
        )
    first, *parts = value.split(":")
    if (first in RESERVED_IDS) or (parts and (first in ("0", "") or parts[-1] in _SUB_KEYS)):
        raise InvalidOption(f"job_id {value!r} names one of the queue's own keys; choose another")
    if parts and len(parts) != 2:
        raise InvalidOption(
            "job_id must not contain ':', which separates the parts of a key, except in three parts, as BullMQ "
            f"allows it; got {value!r}"
        )
    return str(value)


def _job_id(_name: str, value: Any) -> str | None:
    # As on Node: no id.
    return None if value is None or value == "" else checked_job_id(value)


def _duration(name: str, value: Any) -> int:
    return milliseconds(value, option=name)


def _eta(name: str, value: Any) -> int | None:
    return None if value is None else moment_ms(value, option=name)


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


def _parent(name: str, value: Any) -> ParentRef | None:
    if value is None:
        return None
    queue, job_id = getattr(value, "queue", None), getattr(value, "id", None)
    prefix = getattr(value, "prefix", None)
    if checks.is_text(queue) and checks.is_text(job_id) and (prefix is None or checks.is_text(prefix)):
        return ParentRef(str(queue), str(job_id), prefix)
    raise InvalidOption(
        f"{name} must be a Job or ParentRef(queue, id), so that its place is known; got {checks.shown(value)}"
    )


def _on_failure(name: str, value: Any) -> OnFailure | None:
    policy: OnFailure | None = value
    return None if policy is None else checks.one_of(name, policy, get_args(OnFailure))


_CHECKS: dict[str, tuple[str, Any]] = {
    "job_id": ("job_id", _job_id),
    "delay": ("delay_ms", _duration),
    "eta": ("eta_ms", _eta),
    "priority": ("priority", _priority),
    "attempts": ("attempts", _attempts),
    "backoff": ("backoff", _backoff),
    "lifo": ("lifo", checks.flag),
    "timeout": ("timeout_ms", _timeout),
    "remove_on_complete": ("remove_on_complete", _keep),
    "remove_on_fail": ("remove_on_fail", _keep),
    "deduplication": ("deduplication", _deduplication),
    "parent": ("parent", _parent),
    "on_failure": ("on_failure", _on_failure),
    "keep_logs": ("keep_logs", _number(1)),
    "stack_trace_limit": ("stack_trace_limit", _number(0)),
    "size_limit": ("size_limit", _number(1)),
    "telemetry": ("telemetry", _text),
    "omit_context": ("omit_context", checks.flag),
}

KNOWN_OPTIONS = tuple(_CHECKS)
"""The names of ``AddOptions``."""
