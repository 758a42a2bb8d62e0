"""Adds jobs of queues that arrange what waits, by a script that has what the queue's declaration asks for."""

from __future__ import annotations

from typing import Any

import msgspec

from stockyard._store.jobs.keyed import rule_of
from stockyard._store.jobs.options_text import options_text
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import Script, load
from stockyard.errors import PayloadError, QueueFull, StockyardError
from stockyard.model.arrangement import Arrangement
from stockyard.model.options import JobOptions

MOST_REGRADED = 1000
"""Jobs that one call gives a score of aging: some milliseconds of the server."""

_REGRADE = load("arranging.regrade")
_pack = msgspec.msgpack.Encoder().encode


class CoalesceFields(msgspec.Struct, omit_defaults=True, gc=False):
    """A coalescing key as the script reads it; the names are those of ``Coalesce``."""

    key: str
    mode: str = "latest"
    field: str = ""
    keeps_expiry: bool = False


class ArrangedJob(msgspec.Struct, omit_defaults=True, gc=False):
    """A checked job on its way to a queue that arranges what waits, under the names that the script reads.

    Attributes:
        id: custom id, or ``QueueKeyspace.numbered`` for the queue's counter.
        name: chooses the handler.
        data: JSON text.
        options: BullMQ's JSON of the options.
        timestamp: creation in ms.
        delay, priority, lifo: where it is placed.
        coalesce: with which jobs it shares a payload, or None.
        key: with which jobs it is in order, or None.
    """

    id: str
    name: str
    data: str
    options: str
    timestamp: int
    delay: int
    priority: int
    lifo: bool = False
    coalesce: CoalesceFields | None = None
    key: str | None = None


_MOST_KNOWN = 4096
_known: dict[int, tuple[JobOptions, Arrangement, str, CoalesceFields | None]] = {}


def arranged_job(keyspace: QueueKeyspace, name: str, data: str, options: JobOptions, now: int) -> ArrangedJob:
    """Put a job into the form that is sent; the payload is JSON text, ``now`` its creation in ms."""
    text, coalesce = _arranged_options(arrangement_at(keyspace), options)
    return ArrangedJob(
        options.job_id or keyspace.numbered,
        name,
        data,
        text,
        now,
        options.delay_ms,
        options.priority,
        options.lifo,
        coalesce,
        options.key,
    )


def arranging_script(arrangement: Arrangement) -> Script:
    """Return the script that has what the declaration asks for, and no more."""
    return load("+".join(("arranging.add", *arrangement.parts)))


def arranging_arguments(keyspace: QueueKeyspace, jobs: Any) -> tuple[str | bytes, ...]:
    """Return the arguments of that script."""
    arrangement = arrangement_at(keyspace)
    request: dict[str, Any] = {
        "max_length": arrangement.max_length,
        "on_full": arrangement.on_full,
        "aging": arrangement.aging_ms,
    }
    if arrangement.keys is not None:
        request["keys"] = rule_of(arrangement.keys)
    return keyspace.base, _pack(request), _pack(jobs)


async def regrade(keyspace: QueueKeyspace, aging_ms: int) -> int:
    """Let jobs age that came to wait by BullMQ's own score; return how many, at most ``MOST_REGRADED``."""
    await keyspace.learn_time()
    number: int = await keyspace.run(_REGRADE, keyspace.base, aging_ms, keyspace.clock(), MOST_REGRADED)
    return number


def arranging_refusal(keyspace: QueueKeyspace, code: int, job: ArrangedJob) -> StockyardError:
    """Return the error that the script's code means."""
    if code == ReplyCode.QUEUE_FULL:
        most = arrangement_at(keyspace).max_length
        return QueueFull(
            keyspace.queue,
            f"queue {keyspace.queue!r} is full: {most} jobs wait, which is its max_length; the job was not added: "
            "add it again later, run more workers, or declare on_full='block' or 'drop_oldest'",
        )
    assert job.coalesce is not None
    where = f"job {job.name!r} of queue {keyspace.queue!r} was not added"
    if code == ReplyCode.OTHER_NAME:
        return PayloadError(f"{where}: a job of another name waits under the coalescing key {job.coalesce.key!r}")
    needs = "a JSON object"
    if job.coalesce.mode == "max":
        needs += f" with a number in {job.coalesce.field!r}"
    return PayloadError(
        f"{where}: its payload and the one that waits under the coalescing key {job.coalesce.key!r} must each be "
        f"{needs}; that one stays as it is"
    )


def arrangement_at(keyspace: QueueKeyspace) -> Arrangement:
    """Return what a queue asks for that asks for something."""
    assert keyspace.arrangement is not None
    return keyspace.arrangement


def _arranged_options(arrangement: Arrangement, options: JobOptions) -> tuple[str, CoalesceFields | None]:
    """Return the stored text of options, and what they say of coalescing."""
    # Jobs of one key share their options: the same object, so that nothing is compared.
    known = _known.get(id(options))
    if known is not None and known[0] is options and known[1] is arrangement:
        return known[2], known[3]
    resolved = arrangement.resolved(options)
    text, coalesce = options_text(resolved), _coalesce_fields(resolved)
    if options.job_id is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[id(options)] = (options, arrangement, text, coalesce)
    return text, coalesce


def _coalesce_fields(options: JobOptions) -> CoalesceFields | None:
    coalesce = options.coalesce
    if coalesce is None:
        return None
    return CoalesceFields(coalesce.key, coalesce.mode or "latest", coalesce.field, not coalesce.refresh_expiry)
