"""Writes how runs ended and starts the next jobs, both in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from stockyard._store.jobs.coalescing import coalesces, settle, settle_call, still_runs
from stockyard._store.jobs.expiring import note_call
from stockyard._store.jobs.keyed import feed_call, order_at
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import MOST_BYTES
from stockyard._store.net.connection import accepted
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.packing import packable_id
from stockyard._store.records import ReplyCode, StartedRecord
from stockyard._store.scripts import Script, load
from stockyard.errors import ServerError, ServerUnavailable
from stockyard.model.outcome import (
    Completed,
    Delayed,
    Expired,
    Failed,
    Outcome,
    Requeued,
    Retried,
    WaitingChildren,
)
from stockyard.model.retention import KeepOption

FINISH = load("finishing.finish")
_FINISH_AT_RATE = load("finishing.finish+rate")
_TAKE_LIMITED = load("admitting.take")
_TAKE_LIMITED_AT_RATE = load("admitting.take+rate")
_TAKE_VERSIONED = load("versioning.take")
_TAKE_VERSIONED_AT_RATE = load("versioning.take+rate")
_ADMIT_VERSIONED = load("versioning.admit")
_ADMIT_VERSIONED_AT_RATE = load("versioning.admit+rate")
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode

_AGAIN = (Retried, Delayed, Requeued)
"""Outcomes after which a job waits again."""

_NEVER = 2**31

WHY_NOT_WRITTEN: dict[int, str] = {
    ReplyCode.JOB_MISSING: "its record does not exist any more",
    ReplyCode.LOCK_MISSING: "its lease ran out",
    ReplyCode.WRONG_STATE: "it is not active any more",
    ReplyCode.CHILDREN_PENDING: "it has children that are not finished",
    ReplyCode.LOCK_MISMATCH: "its lease passed to another worker",
    ReplyCode.CHILDREN_FAILED: "one of its children failed",
}
"""Meaning of the codes that ``finish`` answers."""


class RunEnd(Protocol):
    """The end of a run as a worker holds it; see ``EndedRun``."""

    @property
    def job_id(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...


class EndedRun(NamedTuple):
    """A run to be written.

    Attributes:
        job_id: the job's id.
        token: of its lease.
        outcome: how it ended.
        starts: number of the job's start.
    """

    job_id: str
    token: str
    outcome: Outcome
    starts: int = 0


class TakeRequest(msgspec.Struct):
    """What a worker asks for.

    Attributes:
        take: how many jobs at most.
        token: of their leases; unique for every call.
        lock_ms: length of the leases.
        limit_max, limit_window: the worker's window limit, or None.
        worker: name written into the jobs, or empty.
        metrics: minutes of which it is kept how many jobs ended in each; 0 counts nothing.
        most_bytes: jobs are started until their records are so large together; at least one is.
        clock_offset: for a call that runs later than it is sent: this machine's clock less the server's, in ms.
    """

    take: int
    token: str
    lock_ms: int
    limit_max: int | None = None
    limit_window: int | None = None
    worker: str = ""
    metrics: int = 0
    clock_offset: int = 0
    most_bytes: int = MOST_BYTES

    def of(self, take: int, token: str, most_bytes: int = MOST_BYTES) -> TakeRequest:
        """Return it for another call."""
        return msgspec.structs.replace(self, take=take, token=token, most_bytes=most_bytes)


class LimitedTakeRequest(TakeRequest):
    """What a worker asks for whose jobs call an exchange.

    Attributes:
        limits: those of the calls; see ``admitting.take_limits``.
    """

    limits: dict[str, Any] = msgspec.field(default_factory=dict)


class VersionedTakeRequest(TakeRequest):
    """What a worker asks for that understands some payload versions alone.

    Attributes:
        versions: those.
        release: the version of the payloads that its program adds; says whether the worker is of the canary.
    """

    versions: list[int] = msgspec.field(default_factory=list)
    release: int = 0


class VersionedLimitedTakeRequest(LimitedTakeRequest):
    """What a worker asks for that understands some payload versions alone, and whose jobs call an exchange.

    Attributes:
        versions, release: as in ``VersionedTakeRequest``.
    """

    versions: list[int] = msgspec.field(default_factory=list)
    release: int = 0


class FinishReply(NamedTuple):
    """What one call did.

    Attributes:
        codes: for each ended run 0, a ``ReplyCode`` (see ``WHY_NOT_WRITTEN``) or the server's error text.
        records: the started jobs.
        limited_ms: how long a rate limit lasts, or 0.
        next_due: when the next delayed job is due, ms since the epoch, or 0.
        moment: when it was done, by the caller's clock; the leases run from then.
        is_much: whether to confirm by ``leasing.still_held`` that the records arrived, before their jobs run.
        has_more: whether more would have been started but for their size.
    """

    codes: list[int | str]
    records: list[StartedRecord]
    limited_ms: int
    next_due: int
    moment: int = 0
    is_much: int = 0
    has_more: int = 0


async def finish_and_take(keyspace: QueueKeyspace, ended: Sequence[RunEnd], request: TakeRequest) -> FinishReply:
    """Write the ended runs, each guarded by its own lease, then start up to ``request.take`` jobs.

    Raises:
        ServerUnavailable: nothing happened.
        ReplyLost: it may have happened: writing the same runs again is safe, the jobs it started are found
            by ``leasing.reclaim``.
    """
    now = "" if keyspace.follows_server else keyspace.clock()
    # A job that yields to a newer one of its coalescing key must not be taken first.
    may_yield = request.take and coalesces(keyspace) and any(type(run.outcome) in _AGAIN for run in ended)
    if may_yield or isinstance(request, LimitedTakeRequest | VersionedTakeRequest):
        return await _finish_then_take(keyspace, ended, request, now)
    return await _finish(keyspace, ended, finish_script(request), request, now)


async def _finish(
    keyspace: QueueKeyspace, ended: Sequence[RunEnd], script: Script, request: TakeRequest, now: int | str
) -> FinishReply:
    """Call the script; count jobs that have expired before, and do behind it what the queue declares."""
    arguments = finish_arguments(keyspace, ended, request, now=now)
    if expired := [(run.job_id, run.token) for run in ended if type(run.outcome) is Expired]:
        # Before their records go: a script that the server does not know yet would run behind the others.
        await keyspace.server.run_many([note_call(keyspace, expired)])
    again = [run.job_id for run in ended if type(run.outcome) in _AGAIN] if coalesces(keyspace) else []
    behind = [settle_call(keyspace, again)] if again else []
    if ended and (order := order_at(keyspace)) is not None:
        behind.append(feed_call(keyspace, order, [run.job_id for run in ended]))
    if not behind:
        return finish_reply_of(await keyspace.run(script, *arguments))
    call = ScriptCall(script, keyspace.script_keys(script), arguments)
    # Where what is behind fails, a repair does it.
    reply, *others = await keyspace.server.run_many([call, *behind])
    ended_reply = finish_reply_of(accepted(reply))
    if again and still_runs(others[0]):
        # They were started again, or the server did not know the first script, and ran it behind the second.
        with contextlib.suppress(ServerError):
            await settle(keyspace, again)
    return ended_reply


async def _finish_then_take(
    keyspace: QueueKeyspace, ended: Sequence[RunEnd], request: TakeRequest, now: int | str
) -> FinishReply:
    """Do the same in two calls: what ended is written by the script of all queues."""
    written = FinishReply([], [], 0, 0)
    if ended:
        written = await _finish(keyspace, ended, FINISH, request.of(0, request.token), now)
    if not request.take:
        return written
    try:
        script, arguments = take_call(keyspace, request, now=now)
        taken = finish_reply_of(await keyspace.run(script, *arguments))
    except ServerUnavailable:
        # What ended is written: it must not be written again as if it were not.
        if not ended:
            raise
        return written
    return taken._replace(codes=written.codes)


async def is_held_by_children(keyspace: QueueKeyspace, job_id: str) -> bool:
    """Say whether the job could not complete now: a child has not ended, or has failed it."""
    keys = [keyspace.keys.of_job(job_id, what) for what in ("dependencies", "unsuccessful")]
    return bool(await keyspace.server.call("EXISTS", *keys))


def take_call(
    keyspace: QueueKeyspace, request: TakeRequest, *, now: int | str
) -> tuple[Script, tuple[str | bytes | int, ...]]:
    """Return the script that takes jobs and ends no run, and its arguments; ``now`` is that of its arguments."""
    has_rate = request.limit_max is not None
    if isinstance(request, VersionedLimitedTakeRequest):
        script = _ADMIT_VERSIONED_AT_RATE if has_rate else _ADMIT_VERSIONED
    elif isinstance(request, VersionedTakeRequest):
        script = _TAKE_VERSIONED_AT_RATE if has_rate else _TAKE_VERSIONED
    elif isinstance(request, LimitedTakeRequest):
        script = _TAKE_LIMITED_AT_RATE if has_rate else _TAKE_LIMITED
    else:
        return finish_script(request), finish_arguments(keyspace, [], request, now=now)
    return script, (keyspace.base, now, _pack(request))


def finish_script(request: TakeRequest) -> Script:
    """Return the script that has the gates which the queue's declaration asks for, and no other optional one."""
    return FINISH if request.limit_max is None else _FINISH_AT_RATE


def finish_arguments(
    keyspace: QueueKeyspace, ended: Sequence[RunEnd], request: TakeRequest, *, now: int | str
) -> tuple[str | bytes | int, ...]:
    """Return the script's arguments; an empty ``now`` reads the server's clock and the request's offset."""
    keeps: list[KeepOption] = []
    settled: list[Any] = [keeps]
    token = ""
    keep: KeepOption | None = None
    way = 0
    for run in ended:
        outcome = run.outcome
        how: Any
        if isinstance(outcome, Completed):
            how, its_keep = outcome.value, outcome.keep
        else:
            how, its_keep = _packable(outcome)
        if its_keep is not keep:
            keep, way = its_keep, _way_to_keep(its_keep, keeps)
        settled += (
            run.job_id if run.job_id.isascii() else packable_id(run.job_id),
            "" if run.token == token else run.token,
            how,
            way,
        )
        token = run.token
    return keyspace.base, now, _pack(settled) if ended else "", _pack(request)


def finish_reply_of(reply: Any) -> FinishReply:
    """Read the script's reply."""
    codes, rows, ids, limited, due, moment, is_much, has_more = reply
    for row, raw_id in zip(rows, ids, strict=True):
        row.append(raw_id)
    if isinstance(codes, int):
        read: list[int | str] = [0] * codes
    else:
        read = [code if isinstance(code, int) else code.decode() for code in codes]
    records = list(map(StartedRecord._make, rows))
    return FinishReply(read, records, limited, due, int(moment), is_much, has_more)


def _packable(
    outcome: Failed | Expired | Retried | Requeued | Delayed | WaitingChildren,
) -> tuple[Any, KeepOption | None]:
    """Return what the script reads of an end, and which way to keep the record it names."""
    match outcome:
        # As text: the server's MessagePack knows no type for bytes.
        case Failed(reason, stacktrace, attempts, keep):
            return ("failed", reason, _json(stacktrace).decode(), attempts), keep
        case Expired(reason):
            # Its attempts are not used up: so many are never made. The record goes.
            return ("failed", reason, "[]", _NEVER), True
        case Retried(reason, stacktrace, delay_ms, lifo):
            return ("retried", reason, _json(stacktrace).decode(), delay_ms, lifo), None
        case _:
            return outcome, None


def _way_to_keep(keep: KeepOption | None, keeps: list[KeepOption]) -> int:
    """Return the number, from 1, of a way to keep records among these, to which it is added; 0 keeps all."""
    if keep is None:
        return 0
    for number, known in enumerate(keeps, 1):
        # True and 1 are equal, and mean different things.
        if known == keep and type(known) is type(keep):
            return number
    keeps.append(keep)
    return len(keeps)
