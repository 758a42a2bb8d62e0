"""The circuit breaker of a queue: counts failures, opens, is tried, closes; the same for all of its workers."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from stockyard._store.jobs.finishing import FinishReply, LimitedTakeRequest, TakeRequest, finish_reply_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import load
from stockyard.model.breaker import Breaker
from stockyard.model.halt import Halt

_FAIL = load("breaking.fail")
_SETTLE = load("breaking.settle")
_TAKE = {False: load("breaking.take"), True: load("breaking.take+rate")}
_ADMIT = {False: load("breaking.admit"), True: load("breaking.admit+rate")}
_CHUNK = 100
_LOOK_MS = 1000
_pack = msgspec.msgpack.Encoder().encode


class BreakerReply(IntEnum):
    """What follows a failure.

    Attributes:
        CLOSED: jobs go on.
        OPEN: the breaker is open already.
        OPENED: this failure has opened it.
        TRIAL_FAILED: it was the trial: the breaker stays open.
    """

    CLOSED = 0
    OPEN = 1
    OPENED = 2
    TRIAL_FAILED = 3


async def note_failure(
    keyspace: QueueKeyspace, breaker: Breaker, job_id: str, starts: int, reason: str
) -> BreakerReply:
    """Count the failure of a run, by the number of its start; say what follows."""
    now = keyspace.clock()
    why = f"{breaker.failures} failures within {breaker.within_ms / 1000:g} s, the last: {reason}"
    halt = Halt(queues=keyspace.queue, reason=why, by="circuit breaker", since=now, source="breaker")
    failure: dict[str, Any] = {
        "failures": breaker.failures,
        "within": breaker.within_ms,
        "reset": breaker.reset_after_ms,
        "reason": reason,
        "queue": keyspace.queue,
        "halt": msgspec.json.encode(halt).decode(),
    }
    return BreakerReply(await keyspace.run(_FAIL, job_id, starts, now, _pack(failure)))


async def settle_trial(keyspace: QueueKeyspace, job_id: str, *, closes: bool) -> None:
    """End a trial: close the breaker, or let another job be tried."""
    await _settle(keyspace, job_id, closes=closes, reason=f"job {job_id} completed")


async def close(keyspace: QueueKeyspace, reason: str) -> None:
    """Close the breaker if it is open."""
    await _settle(keyspace, "", closes=True, reason=reason)


async def _settle(keyspace: QueueKeyspace, job_id: str, *, closes: bool, reason: str) -> None:
    while await keyspace.run(_SETTLE, job_id, int(closes), keyspace.queue, reason, _CHUNK):
        continue


async def take_trial(keyspace: QueueKeyspace, request: TakeRequest) -> tuple[int, FinishReply]:
    """Take one job if the breaker is open and it is time to try one.

    Returns:
        In how many ms to ask again, and the job that was started, if any.
    """
    now = "" if keyspace.follows_server else keyspace.clock()
    scripts = _ADMIT if isinstance(request, LimitedTakeRequest) else _TAKE
    script = scripts[request.limit_max is not None]
    wait, reply = await keyspace.run(script, keyspace.base, now, _pack(request))
    return _LOOK_MS if wait == ReplyCode.BREAKER_CLOSED else wait, finish_reply_of(reply)
