"""The ``opts`` field of a job: what is written, and a tolerant reading of what any peer wrote."""

from __future__ import annotations

from typing import Any

import msgspec

from stockyard.model.backoff import Backoff
from stockyard.model.options import JobOptions
from stockyard.model.retention import Keep, KeepOption


def encode_options(options: JobOptions) -> str:
    """Return BullMQ's JSON of these options; what is not set is left out, never null."""
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
    return msgspec.json.encode(fields).decode()


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
    )


class _BackoffFields(msgspec.Struct):
    type: str = "fixed"
    delay: float | None = None
    jitter: float | None = None


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


_DECODER = msgspec.json.Decoder(_OptionFields)


def _backoff_fields(backoff: Backoff) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": backoff.type, "delay": backoff.delay_ms}
    return {**fields, "jitter": backoff.jitter} if backoff.jitter else fields


def _backoff_of(found: float | _BackoffFields | None) -> Backoff | None:
    if found is None:
        return None
    if isinstance(found, _BackoffFields):
        return Backoff(found.type, int(found.delay or 0), min(max(found.jitter or 0.0, 0.0), 1.0))
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
