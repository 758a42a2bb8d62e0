"""Checks a job before it is sent: its name, its payload, and what its options ask for."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from stockyard.errors import InvalidOption, PayloadError
from stockyard.model import checks
from stockyard.model.options import JobOptions
from stockyard.model.payload import encode_payload
from stockyard.produce.large_payloads import LARGE_PAYLOAD, warn_of_large_payload
from stockyard.topology import QueueSpec
from stockyard.topology.admission import check_job


def checked_text(spec: QueueSpec, name: str, data: Any, options: JobOptions, *, check: bool | None = None) -> str:
    """Check a job as ``Queue.add`` does, with its errors; return the JSON of its payload."""
    text = job_text(spec, name, data, check)
    if options.use is not None or spec.limits is not None:
        spec.check_use(options)
    if options.version is not None and not spec.versions:
        raise InvalidOption(
            f"queue {spec.name!r} declares no version, so all workers would take the job, whatever its version "
            "is: declare the queue with version=1 first, and replace its workers"
        )
    if options.parent is not None or options.deduplication is not None or options.size_limit is not None:
        check_size(name, text, options)
        refuse_both_ties(options)
        if options.parent is not None and spec.shards > 1:
            raise InvalidOption(
                f"a job of queue {spec.name!r} cannot have a parent: the queue has shards, and parent and child "
                "must have the same slot"
            )
    return text


def job_text(spec: QueueSpec, name: str, data: Any, check: bool | None) -> str:
    """Check a job's name and payload alone; return the JSON of its payload."""
    try:
        text = payload_text(name, data)
    except PayloadError:
        # What plain JSON does not bring back, the type that the handler declares may.
        handler = spec.router.get(name)
        if handler is None:
            raise
        text = payload_text(name, data, handler.payload)
    if spec.router:
        check_job(spec, name, data, text, check=check)
    return text


def asks_for_nothing(spec: QueueSpec) -> bool:
    """Whether the options that a queue declares ask for nothing that has to be looked at for each job."""
    given = spec.defaults
    looked_at = (given.eta_ms, given.parent, given.coalesce, given.deduplication, given.use, given.version)
    return spec.limits is None and not any(
        each is not None for each in (*looked_at, given.size_limit, given.timestamp_ms)
    )


def payload_text(name: str, data: Any, declared: Any = Any) -> str:
    """Check a job's name; return the JSON of its payload, which a handler reads as the declared type.

    Raises:
        InvalidOption: the name is no text.
        PayloadError: the payload is not JSON-able.
    """
    # The usual name needs no closer look: adding is a hot path.
    if type(name) is not str or not name or not name.isascii():
        checks.text("a job's name", name)
    if data is UNSET:
        return "{}"
    text = encode_payload(data, what="the payload of", of=name, declared=declared).decode()
    if len(text) > LARGE_PAYLOAD:
        warn_of_large_payload(name, len(text))
    return text


def check_size(name: str, text: str, options: JobOptions) -> None:
    """Refuse a payload that is larger than the job's options allow; raises PayloadError."""
    if options.size_limit is not None and (size := len(text.encode())) > options.size_limit:
        raise PayloadError(f"the payload of {name!r} has {size} bytes; its size_limit is {options.size_limit}")


def refuse_both_ties(options: JobOptions) -> None:
    """Refuse a child that may be dropped, for its parent would wait in vain.

    Raises:
        InvalidOption: the options name a parent and a deduplication.
    """
    if options.parent is not None and options.job_id is not None and ":" in options.job_id:
        raise InvalidOption(
            f"job_id {options.job_id!r} has colons, so the job cannot be a child: parents could not find it"
        )
    if options.deduplication is not None and options.parent is not None:
        raise InvalidOption("deduplication and parent exclude each other: a parent cannot wait for a dropped job")
