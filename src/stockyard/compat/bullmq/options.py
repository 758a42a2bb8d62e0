"""The port's options, in camelCase and milliseconds, as the engine's, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from stockyard.model.backoff import Backoff
from stockyard.model.deduplication import Deduplication
from stockyard.model.options import AddOptions, JobOptions
from stockyard.model.parent import OnFailure, ParentRef
from stockyard.model.retention import Keep, KeepOption

_ON_FAILURE: dict[str, OnFailure] = {
    "removeDependencyOnFailure": "remove_dependency",
    "failParentOnFailure": "fail_parent",
    "continueParentOnFailure": "continue_parent",
    "ignoreDependencyOnFailure": "ignore_dependency",
}
_SAME = {
    "attempts": "attempts",
    "priority": "priority",
    "lifo": "lifo",
    "keepLogs": "keep_logs",
    "stackTraceLimit": "stack_trace_limit",
    "sizeLimit": "size_limit",
}
_KEEP = {"removeOnComplete": "remove_on_complete", "removeOnFail": "remove_on_fail"}
_NONE = JobOptions()
_OF_ONE_JOB = frozenset(("jobId", "timestamp", "deduplication", "parent"))
"""Options whose values are of one job; they are checked each time."""
_MOST_CHECKED = 256
_checked_before: dict[bytes, JobOptions] = {}
"""Options that were checked, by their encoded form."""


def milliseconds(value: float) -> timedelta:
    """Return a duration of the port, which are in milliseconds."""
    return timedelta(milliseconds=value)


def add_options(opts: Mapping[str, Any], prefix: str) -> AddOptions:
    """Return the engine's options of a job; options that it does not know are left out.

    Args:
        opts: the port's.
        prefix: of the keys, which begins the full name of a parent's queue.

    Raises:
        ValueError: two options of a failure's effect on the parent exclude each other.
    """
    chosen: dict[str, Any] = {
        own: opts[name] for name, own in _SAME.items() if opts.get(name) is not None and opts[name] is not False
    }
    for name, own in _KEEP.items():
        if opts.get(name) is not None:
            chosen[own] = keep_of(opts[name])
    if opts.get("timestamp"):
        chosen["timestamp"] = datetime.fromtimestamp(opts["timestamp"] / 1000, UTC)
    if opts.get("jobId"):
        chosen["job_id"] = str(opts["jobId"])
    if opts.get("delay"):
        chosen["delay"] = milliseconds(opts["delay"])
    if (backoff := _backoff_of(opts.get("backoff"))) is not None:
        chosen["backoff"] = backoff
    if opts.get("deduplication"):
        chosen["deduplication"] = _deduplication_of(opts["deduplication"])
    if opts.get("parent"):
        chosen["parent"] = parent_of(opts["parent"], prefix)
    policies = [name for name in _ON_FAILURE if opts.get(name)]
    if len(policies) > 1:
        raise ValueError(f"The following options cannot be used together: {', '.join(policies)}")
    if policies:
        chosen["on_failure"] = _ON_FAILURE[policies[0]]
    options: AddOptions = chosen  # type: ignore[assignment]  # its keys are those of the tables above
    return options


def job_options(opts: Mapping[str, Any], prefix: str) -> JobOptions:
    """Return the engine's options of a job, checked.

    An id that looks like an integer is taken, as the port does: it may be one that the queue gives, too.

    Raises:
        ValueError: an option is out of its range, or two exclude each other.
    """
    if not opts:
        return _NONE
    # Most jobs of a program have one of a few sets of options. To check them takes longer than the rest of an add.
    key = None if not _OF_ONE_JOB.isdisjoint(opts) else _key_of(opts)
    options = None if key is None else _checked_before.get(key)
    if options is None:
        options = _checked(opts, prefix)
        if key is not None:
            if len(_checked_before) >= _MOST_CHECKED:
                _checked_before.clear()
            _checked_before[key] = options
    return options


def _key_of(opts: Mapping[str, Any]) -> bytes | None:
    try:
        return msgspec.msgpack.encode(opts)
    except (TypeError, ValueError, OverflowError):
        return None


def _checked(opts: Mapping[str, Any], prefix: str) -> JobOptions:
    chosen = add_options(opts, prefix)
    job_id = chosen.get("job_id") or ""
    if not job_id.lstrip("-").isdigit():
        return _NONE.merged(**chosen)
    del chosen["job_id"]
    return msgspec.structs.replace(_NONE.merged(**chosen), job_id=job_id)


def keep_of(value: Any) -> KeepOption:
    """Return a retention: True, False, a count, or ``{"age": seconds, "count": n}``."""
    if isinstance(value, Mapping):
        return Keep(value.get("age"), value.get("count"), value.get("limit"))
    kept: KeepOption = value
    return kept


def parent_of(parent: Mapping[str, Any], prefix: str) -> ParentRef:
    """Return where a parent is; its queue is named with its prefix, as ``job.queueQualifiedName`` gives it."""
    place, job_id = str(parent["queue"]), str(parent["id"])
    if place.startswith(f"{prefix}:"):
        return ParentRef(place[len(prefix) + 1 :], job_id, prefix)
    other, colon, queue = place.partition(":")
    return ParentRef(queue, job_id, other) if colon else ParentRef(place, job_id)


def _backoff_of(value: Any) -> Backoff | None:
    if not value:
        return None
    if isinstance(value, Mapping):
        return Backoff(
            str(value.get("type", "fixed")), int(value.get("delay") or 0), float(value.get("jitter") or 0)
        )
    return Backoff("fixed", int(value))


def _deduplication_of(value: Mapping[str, Any]) -> Deduplication:
    ttl = value.get("ttl")
    return Deduplication(
        str(value["id"]),
        milliseconds(ttl) if ttl else None,
        extend=bool(value.get("extend")) and bool(ttl),
        replace=bool(value.get("replace")),
        keep_last=bool(value.get("keepLastIfActive")),
    )


def opts_of(options: JobOptions) -> dict[str, Any]:
    """Return the port's options of a job that was read."""
    opts: dict[str, Any] = {"attempts": options.attempts, "delay": options.delay_ms}
    if options.backoff is not None:
        opts["backoff"] = {"type": options.backoff.type, "delay": options.backoff.delay_ms}
        if options.backoff.jitter:
            opts["backoff"]["jitter"] = options.backoff.jitter
    rest = {
        "jobId": options.job_id,
        "timestamp": options.timestamp_ms,
        "repeat": options.run_number and {"count": options.run_number},
        "priority": options.priority or None,
        "lifo": options.lifo or None,
        "removeOnComplete": _keep_value(options.remove_on_complete),
        "removeOnFail": _keep_value(options.remove_on_fail),
        "keepLogs": options.keep_logs,
        "stackTraceLimit": options.stack_trace_limit,
        "sizeLimit": options.size_limit,
    }
    opts |= {name: value for name, value in rest.items() if value is not None}
    if options.deduplication is not None:
        opts["deduplication"] = _deduplication_value(options.deduplication)
    if options.parent is not None:
        opts["parent"] = {"id": options.parent.id, "queue": f"{options.parent.prefix}:{options.parent.queue}"}
    for policy, own in _ON_FAILURE.items():
        if options.on_failure == own:
            opts[policy] = True
    return opts


def _keep_value(keep: KeepOption | None) -> Any:
    if not isinstance(keep, Keep):
        return keep
    if keep.age is None and keep.limit is None:
        return keep.count
    parts = {"age": keep.age, "count": keep.count, "limit": keep.limit}
    return {name: value for name, value in parts.items() if value is not None}


def _deduplication_value(found: Deduplication) -> dict[str, Any]:
    value: dict[str, Any] = {"id": found.id}
    if found.ttl_ms is not None:
        value["ttl"] = found.ttl_ms
    flags = {"extend": found.extend, "replace": found.replace, "keepLastIfActive": found.keep_last}
    return value | {name: True for name, flag in flags.items() if flag}
