"""The ``opts`` field of a job: what is written, and a tolerant reading of what any peer wrote."""

from __future__ import annotations

from typing import Any

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model.backoff import Backoff
from stockyard.model.coalesce import Coalesce
from stockyard.model.deduplication import Deduplication
from stockyard.model.duration import LONGEST
from stockyard.model.limit_use import LimitUse
from stockyard.model.naming import Naming
from stockyard.model.options import JobOptions
from stockyard.model.parent import OnFailure, ParentRef
from stockyard.model.retention import Keep, KeepOption

_POLICIES: tuple[tuple[OnFailure, str], ...] = (
    ("fail_parent", "fpof"),
    ("continue_parent", "cpof"),
    ("ignore_dependency", "idof"),
    ("remove_dependency", "rdof"),
)
_MODES = (
    ("extend", "extend"),
    ("replace", "replace"),
    ("reschedule", "reschedule"),
    ("keep_last", "keepLastIfActive"),
)
_FLAGS: dict[OnFailure | None, str] = dict(_POLICIES)
_NO_PARENT = Naming("")


def encode_options(options: JobOptions, *, naming: Naming = _NO_PARENT) -> str:
    """Return BullMQ's JSON of these options; what is not set is left out, never null.

    Args:
        options: checked options.
        naming: spells the queue of a parent that names no prefix. Needed for one alone.
    """
    fields: dict[str, Any] = {"attempts": options.attempts}
    if options.job_id is not None:
        fields["jobId"] = options.job_id
    if options.delay_ms:
        fields["delay"] = options.delay_ms
    if options.priority:
        fields["priority"] = options.priority
    if options.backoff is not None:
        fields["backoff"] = _backoff_fields(options.backoff)
    if options.lifo:
        fields["lifo"] = True
    if options.timeout_ms is not None:
        fields["timeout"] = options.timeout_ms
    for name, keep in (
        ("removeOnComplete", options.remove_on_complete),
        ("removeOnFail", options.remove_on_fail),
    ):
        if keep is not None:
            fields[name] = _keep_fields(keep)
    if options.deduplication is not None:
        fields["de"] = _deduplication_fields(options.deduplication)
    if options.parent is not None:
        fields["parent"] = {"id": options.parent.id, "queue": _queue_of(options.parent, naming)}
    if options.on_failure is not None:
        fields[_FLAGS[options.on_failure]] = True
    rest = {
        "kl": options.keep_logs,
        "stackTraceLimit": options.stack_trace_limit,
        "sizeLimit": options.size_limit,
        "tm": options.telemetry,
        "omc": options.omit_context or None,
        "version": options.version,
        "timestamp": options.timestamp_ms,
    }
    fields |= {name: value for name, value in rest.items() if value is not None}
    if options.use is not None:
        fields["limits"] = limit_fields(options.use)
    if options.key is not None:
        fields["key"] = options.key
    if options.correlation_id is not None:
        fields["correlationId"] = options.correlation_id
    if options.causation_id is not None:
        fields["causationId"] = options.causation_id
    if options.expires_in_ms is not None:
        fields["expiresIn"] = options.expires_in_ms
    if options.expires_at_ms is not None:
        fields["expiresAt"] = options.expires_at_ms
    if options.coalesce is not None:
        # The last: scripts that replace a payload count it at the end of this text.
        fields["coalesce"] = _coalesce_fields(options.coalesce)
    return msgspec.json.encode(fields).decode()


def limit_fields(use: LimitUse) -> dict[str, Any]:
    """Return what a job's call uses of limits, as it is written beside BullMQ's own options."""
    fields = {"cost": use.costs, "scope": dict(use.scope), "lane": use.lane}
    return {name: value for name, value in fields.items() if value}


def encode_parent_link(parent: ParentRef, on_failure: OnFailure | None, *, naming: Naming) -> str:
    """Return the field ``parent`` of a child's record: it, not the options, says what a failure does."""
    fields: dict[str, Any] = {"id": parent.id, "queueKey": _queue_of(parent, naming)}
    if on_failure is not None:
        fields[_FLAGS[on_failure]] = True
    return msgspec.json.encode(fields).decode()


def parent_key(parent: ParentRef, naming: Naming) -> str:
    """Return the key of a parent's hash."""
    return f"{_queue_of(parent, naming)}:{parent.id}"


def decode_options(text: bytes | str | None) -> JobOptions:
    """Read options that any peer wrote; keys that are not ours are passed over.

    Raises:
        ValueError: it is not a JSON object, or one of our keys has a value of a wrong type.
    """
    if not text:
        return JobOptions()
    try:
        found = _DECODER.decode(text)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    return JobOptions(
        job_id=found.jobId,
        delay_ms=int(found.delay or 0),
        priority=int(found.priority or 0),
        attempts=int(found.attempts or 0),
        backoff=_backoff_of(found.backoff),
        lifo=bool(found.lifo),
        timeout_ms=int(found.timeout) if found.timeout else None,
        remove_on_complete=_keep_of(found.removeOnComplete),
        remove_on_fail=_keep_of(found.removeOnFail),
        deduplication=_deduplication_of(found.de),
        parent=_parent_of(found.parent),
        on_failure=next((policy for policy, flag in _POLICIES if getattr(found, flag) is True), None),
        keep_logs=_count_of(found.kl),
        stack_trace_limit=_count_of(found.stackTraceLimit),
        size_limit=_count_of(found.sizeLimit),
        telemetry=found.tm if isinstance(found.tm, str) else None,
        omit_context=found.omc is True,
        use=_use_of(found.limits),
        version=_count_of(found.version) or None,
        expires_in_ms=_count_of(found.expiresIn),
        expires_at_ms=_count_of(found.expiresAt),
        coalesce=None if found.coalesce is None else _coalesce_of(found.coalesce),
        key=found.key if isinstance(found.key, str) else None,
        timestamp_ms=_count_of(found.timestamp) or None,
        run_number=_count_of(found.repeat.get("count")) if isinstance(found.repeat, dict) else None,
        correlation_id=found.correlationId if isinstance(found.correlationId, str) else None,
        causation_id=found.causationId if isinstance(found.causationId, str) else None,
    )


class _BackoffFields(msgspec.Struct):
    type: str = "fixed"
    delay: float | None = None
    jitter: float | None = None
    # Our own: BullMQ's exponential waits grow without end.
    maxDelay: float | None = None  # noqa: N815


class _KeepFields(msgspec.Struct):
    age: float | None = None
    count: float | None = None
    limit: float | None = None


class _OptionFields(msgspec.Struct):
    jobId: str | None = None  # noqa: N815
    delay: float | None = None
    priority: float | None = None
    attempts: float | None = None
    backoff: float | _BackoffFields | None = None
    lifo: bool | None = None
    timeout: float | None = None
    removeOnComplete: bool | float | _KeepFields | None = None  # noqa: N815
    removeOnFail: bool | float | _KeepFields | None = None  # noqa: N815
    # What follows is not needed to run the job: a value of an odd type counts as unset.
    de: Any = None
    parent: Any = None
    fpof: Any = None
    cpof: Any = None
    idof: Any = None
    rdof: Any = None
    kl: Any = None
    stackTraceLimit: Any = None  # noqa: N815
    sizeLimit: Any = None  # noqa: N815
    tm: Any = None
    omc: Any = None
    limits: Any = None
    version: Any = None
    expiresIn: Any = None  # noqa: N815
    expiresAt: Any = None  # noqa: N815
    coalesce: Any = None
    key: Any = None
    timestamp: Any = None
    repeat: Any = None
    correlationId: Any = None  # noqa: N815
    causationId: Any = None  # noqa: N815


# In JavaScript a text that is a number counts as one, as of a variable of the environment.
_DECODER = msgspec.json.Decoder(_OptionFields, strict=False)


def _backoff_fields(backoff: Backoff) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": backoff.type, "delay": backoff.delay_ms}
    if backoff.jitter:
        fields["jitter"] = backoff.jitter
    if backoff.maximum_ms is not None:
        fields["maxDelay"] = backoff.maximum_ms
    return fields


def _backoff_of(found: float | _BackoffFields | None) -> Backoff | None:
    if found is None:
        return None
    if isinstance(found, _BackoffFields):
        maximum = None if found.maxDelay is None else int(found.maxDelay)
        return Backoff(found.type, int(found.delay or 0), min(max(found.jitter or 0.0, 0.0), 1.0), maximum)
    return Backoff("fixed", int(found)) if found > 0 else None


def _keep_fields(keep: KeepOption) -> Any:
    if isinstance(keep, Keep):
        if keep.age is None and keep.limit is None and keep.count is not None:
            return keep.count
        pairs = {"age": keep.age, "count": keep.count, "limit": keep.limit}
        return {name: value for name, value in pairs.items() if value is not None}
    return keep


def _keep_of(found: bool | float | _KeepFields | None) -> KeepOption | None:
    match found:
        case None | bool():
            return found
        case _KeepFields():
            whole = [None if each is None else int(each) for each in (found.age, found.count, found.limit)]
            return Keep(*whole)
        case _:
            return False if found < 0 else Keep(count=int(found))


def _queue_of(parent: ParentRef, naming: Naming) -> str:
    return naming.place(parent.queue) if parent.prefix is None else f"{parent.prefix}:{parent.queue}"


def _parent_of(found: Any) -> ParentRef | None:
    match found:
        case {"id": str(job_id), "queue": str(place)} if ":" in place:
            # Any cut gives the same keys; a prefix seldom holds a colon, names of queues may.
            opened, closed, rest = place.partition("}:")
            prefix, _, queue = (f"{opened}}}", "", rest) if closed else place.partition(":")
            return ParentRef(queue, job_id, prefix)
    return None


def _deduplication_fields(deduplication: Deduplication) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": deduplication.id}
    if deduplication.ttl_ms is not None:
        fields["ttl"] = deduplication.ttl_ms
    for name, flag in _MODES:
        if getattr(deduplication, name):
            fields[flag] = True
    return fields


def _deduplication_of(found: Any) -> Deduplication | None:
    match found:
        case {"id": str(dedup_id)} if dedup_id:
            modes = {name: bool(found.get(flag)) for name, flag in _MODES}
            ttl = _count_of(found.get("ttl"))
            # Combinations that are refused from producers are read as the reference takes them.
            modes["extend"] = modes["extend"] and bool(ttl)
            modes["reschedule"] = modes["reschedule"] and not modes["replace"]
            return Deduplication(dedup_id, min(ttl, LONGEST) / 1000 if ttl else None, **modes)
    return None


def _use_of(found: Any) -> LimitUse | None:
    if not isinstance(found, dict):
        return None
    given = {name: value for name, value in found.items() if name in ("cost", "scope", "lane")}
    try:
        return LimitUse().merged(given)
    except InvalidOption:
        return None


def _coalesce_fields(coalesce: Coalesce) -> dict[str, Any]:
    fields: dict[str, Any] = {"key": coalesce.key}
    if coalesce.mode not in (None, "latest"):
        fields["mode"] = coalesce.mode
    if coalesce.field:
        fields["field"] = coalesce.field
    return {**fields, "replaced": 0}


def _coalesce_of(found: Any) -> Coalesce | None:
    match found:
        case {"key": str(key)} if key:
            try:
                return Coalesce(
                    key,
                    found.get("mode", "latest"),
                    found.get("field", ""),
                    replaced=_count_of(found.get("replaced")) or 0,
                    renewed_on=_count_of(found.get("renewed")),
                )
            except InvalidOption:
                return None
    return None


def _count_of(found: Any) -> int | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or found < 0:
        return None
    return int(min(found, 2**53))
