"""Writes how runs ended and starts the next jobs, both in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import MOST_BYTES
from stockyard._store.packing import packable_id
from stockyard._store.records import ReplyCode, StartedRecord
from stockyard._store.scripts import Script, load
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried, WaitingChildren
from stockyard.model.retention import KeepOption

FINISH = load("finishing.finish")
_FINISH_AT_RATE = load("finishing.finish+rate")
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode

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
    return finish_reply_of(
        await keyspace.run(
            finish_script(request),
            *finish_arguments(keyspace, ended, request, now="" if keyspace.follows_server else keyspace.clock()),
        )
    )


async def is_held_by_children(keyspace: QueueKeyspace, job_id: str) -> bool:
    """Say whether the job could not complete now: a child has not ended, or has failed it."""
    keys = [keyspace.keys.of_job(job_id, what) for what in ("dependencies", "unsuccessful")]
    return bool(await keyspace.server.call("EXISTS", *keys))


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


def _packable(outcome: Failed | Retried | Requeued | Delayed | WaitingChildren) -> tuple[Any, KeepOption | None]:
    """Return what the script reads of an end, and which way to keep the record it names."""
    match outcome:
        # As text: the server's MessagePack knows no type for bytes.
        case Failed(reason, stacktrace, attempts, keep):
            return ("failed", reason, _json(stacktrace).decode(), attempts), keep
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
