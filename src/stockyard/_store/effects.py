"""The effects of a queue's jobs: what was begun, what became of it, and who settled that."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import astuple

from stockyard._store.halting import halt_of
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import accepted
from stockyard._store.records import ReplyCode
from stockyard._store.scripts import load
from stockyard._store.text_fields import text_fields
from stockyard._wire.fields import BEGUN_EFFECT
from stockyard._wire.keys import PREFIXES
from stockyard.model.effect_port import EffectReport
from stockyard.model.effect_record import EffectRecord
from stockyard.model.halt import Halt

_BEGIN = load("effects.begin")
_REPORT = load("effects.report")
_SETTLE = load("effects.settle")
_REVIEW = load("effects.review")
_LOSE = load("effects.lose")
_FORGET = load("effects.forget")
_FILED = {"open": "effects_open", "unknown": "effects_unknown"}
_SETTLED = ("committed", "failed")
_BEGUN = ("starts", "attempt", "first", "started", "deadline", "payload")
"""What the field of that name says, in its order."""
_NUMBERS = frozenset("starts attempt fence first started deadline ended asked asks".split())
_pack = msgspec.msgpack.Encoder().encode


class Intent(msgspec.Struct, gc=False):
    """What a run is about to do, in the order that the script reads; numbers that it only writes are text already.

    Attributes:
        job_id, starts: the job, and the number of its start.
        key: of the effect.
        nonce: names this attempt at the effect, so that it may be asked for again after a lost reply.
        attempt: number of the job's attempt.
        payload: digest of what the effect is about.
        most, least: how long it may take, and the least that it needs, in ms.
        fence, outcome: of the record that is to be there; "0" and "" for none.
        expires: when its job expires, ms since the epoch; 0 for never.
        halt_keys: what a halt may name of it.
    """

    job_id: str
    starts: str
    key: str
    nonce: str
    attempt: str
    payload: str
    most: int
    least: int
    fence: str = "0"
    outcome: str = ""
    expires: int = 0
    halt_keys: tuple[str, ...] = ()


class Begun(msgspec.Struct, gc=False):
    """What came of an intent.

    Attributes:
        code: 0 if it is begun, else a ``ReplyCode``.
        now: the server's time in ms.
        left_ms: what the effect has, or would have.
        started_on, deadline, fence: of the effect, if it is begun.
        record: the one that stands in its way, if it is not.
        halt: the halt that does, if one does.
    """

    code: int
    now: int
    left_ms: int
    started_on: int = 0
    deadline: int = 0
    fence: int = 0
    record: EffectRecord | None = None
    halt: Halt | None = None


class Settlement(msgspec.Struct, kw_only=True):
    """What a source says of an effect.

    Attributes:
        outcome: ``committed``, ``failed``, or ``unknown`` of one that nobody knows of.
        by: who says so.
        value: JSON text of the result, or empty.
        note: why.
        reason: why it is unknown.
        fence: of the attempt that it is about; empty for whichever is the last.
        waits: refuse while the run that began the effect may still be at it.
        asked_at: when the venue was asked for it, ms since the epoch; 0 for one that was not.
    """

    outcome: str
    by: str
    value: str = ""
    note: str = ""
    reason: str = ""
    fence: str = ""
    waits: bool = True
    asked_at: int = 0


async def begin(keyspace: QueueKeyspace, intents: Sequence[Intent], *, marks: bool = True) -> list[Begun]:
    """Write what jobs are about to do, each if its lease holds and the record that stands is the one expected.

    Args:
        keyspace: the queue.
        intents: what they are about to do.
        marks: have the jobs say so, for ``lose_job``; those that may expire always do. Defaults to True.
    """
    now, *replies = await keyspace.run(
        _BEGIN, keyspace.base, _now(keyspace), "1" if marks else "0", _packed(intents)
    )
    moment = int(now)
    return [
        # Nearly all: begun now, for the first time.
        Begun(0, moment, reply, moment, moment + reply, 1)
        if type(reply) is int
        else _begun(moment, reply, keyspace.queue)
        for reply in replies
    ]


async def report(keyspace: QueueKeyspace, reports: Sequence[EffectReport]) -> list[str]:
    """Write how effects ended, as their runs know; return what stands, unknown where there is no effect."""
    stands = await keyspace.run(_REPORT, keyspace.base, _now(keyspace), _packed(reports))
    if isinstance(stands, int):
        return ["committed"] * stands
    return [outcome.decode() if isinstance(outcome, bytes) else "unknown" for outcome in stands]


async def settle(keyspace: QueueKeyspace, key: str, settlement: Settlement) -> tuple[int, EffectRecord | None]:
    """Settle an effect; return 0 or why not, and the record that stands."""
    code, fields = await keyspace.run(_SETTLE, keyspace.base, key, _now(keyspace), _pack(settlement))
    return code, record_of(keyspace.queue, fields)


async def review(keyspace: QueueKeyspace, *, interval_ms: int, keep_ms: int) -> tuple[int, list[EffectRecord]]:
    """Look after the effects, once an interval over all workers; return the time and the unknown effects."""
    now, keys = await keyspace.run(_REVIEW, keyspace.base, _now(keyspace), interval_ms, keep_ms)
    return int(now), await _records(keyspace, keys)


async def lose_job(keyspace: QueueKeyspace, job_id: str, reason: str, *, at_start: bool) -> bool:
    """Make a job unknown that began no effect; say whether it must not run again."""
    return bool(await keyspace.run(_LOSE, keyspace.base, job_id, reason, int(at_start)))


async def has_begun(keyspace: QueueKeyspace, job_id: str) -> bool:
    """Say whether a job has begun an effect, of jobs that say so: those that may expire, or run at most once."""
    return bool(await keyspace.server.call("HEXISTS", keyspace.keys.job(job_id), BEGUN_EFFECT))


async def forget_all(keyspace: QueueKeyspace) -> None:
    """Remove all effects of a queue."""
    while await keyspace.run(_FORGET, keyspace.base):
        continue


async def read(keyspace: QueueKeyspace, key: str) -> EffectRecord | None:
    """Return an effect, or None."""
    (record,) = await _stored(keyspace, [key.encode()])
    return record


async def read_page(keyspace: QueueKeyspace, outcome: str, count: int) -> list[EffectRecord]:
    """Return effects of an outcome: unknown ones the longest unknown first, settled ones the latest first."""
    name = _FILED.get(outcome)
    if name is not None:
        return await _records(keyspace, await keyspace.server.call("ZRANGE", keyspace.keys[name], 0, count - 1))
    found: list[EffectRecord] = []
    first = 0
    while len(found) < count:
        keys = await keyspace.server.call("ZREVRANGE", keyspace.keys["effects_settled"], first, first + count - 1)
        found += [record for record in await _records(keyspace, keys) if record.outcome == outcome]
        if len(keys) < count:
            break
        first += count
    return found[:count]


async def read_audit(keyspace: QueueKeyspace, count: int) -> list[dict[str, str]]:
    """Return who settled what, the latest first."""
    entries = await keyspace.server.call("XREVRANGE", keyspace.keys["effects_audit"], "+", "-", "COUNT", count)
    return [{"id": entry.decode(), **text_fields(fields)} for entry, fields in entries]


def _begun(now: int, reply: Sequence[Any], queue: str) -> Begun:
    if reply[0] == 0:
        _, left, started, deadline, fence = reply
        return Begun(0, now, left, int(started), int(deadline), int(fence))
    code, left, fields, *halts = reply
    halt = halt_of(halts[0].decode()) if halts else None
    return Begun(code, now, left, record=record_of(queue, fields), halt=halt)


def record_of(queue: str, fields: Sequence[bytes]) -> EffectRecord | None:
    """Read a record as the server sends it; None for none."""
    read = text_fields(fields)
    if "fence" not in read:
        return None
    if begun := read.get("begun"):
        read.update(zip(_BEGUN, begun.split(" "), strict=True))
    number = {name: int(read.get(name) or 0) for name in _NUMBERS}
    return EffectRecord(
        key=read.get("key", ""),
        queue=queue,
        job_id=read.get("job", ""),
        outcome=read.get("outcome", ""),
        may_have_applied=read.get("applied") == "1",
        fence=number["fence"],
        starts=number["starts"],
        attempt=number["attempt"],
        worker=read.get("worker") or None,
        payload=read.get("payload", ""),
        first_started_on=number["first"],
        started_on=number["started"],
        deadline=number["deadline"],
        ended_on=number["ended"] or None,
        value=_value(read.get("value")),
        reason=read.get("reason") or None,
        resolved_by=(read.get("by") or None) if read.get("outcome") in _SETTLED else None,
        note=read.get("note") or None,
        evidence=_value(read.get("evidence")),
        asked_on=number["asked"] or None,
        times_asked=number["asks"],
        is_whole_job=read.get("whole") == "1",
    )


async def _records(keyspace: QueueKeyspace, keys: Sequence[bytes]) -> list[EffectRecord]:
    return [record for record in await _stored(keyspace, keys) if record is not None]


async def _stored(keyspace: QueueKeyspace, keys: Sequence[bytes]) -> list[EffectRecord | None]:
    """Return the effects of these keys, None for one that there is not."""
    if not keys:
        return []
    prefix = f"{keyspace.base}{PREFIXES['effect']}".encode()
    # In this order: one that leaves the hash of the usual ones meanwhile has one of its own by then.
    compact, *own = await keyspace.server.ask(
        [("HMGET", keyspace.keys["effects_compact"], *keys), *(("HGETALL", prefix + key) for key in keys)]
    )
    return [
        record_of(keyspace.queue, accepted(fields) if text is None else _pairs_of(key, text))
        for key, text, fields in zip(keys, accepted(compact), own, strict=True)
    ]


def _pairs_of(key: bytes, text: bytes) -> list[bytes]:
    """Read a usual effect, as ``lib/effects/compact_effects.lua`` writes it: as the pairs of a hash of its own."""
    opened, ended = text, []
    if text.startswith(b"c "):
        _, moment, size, rest = text.split(b" ", 3)
        opened, value = rest[: int(size)], rest[int(size) :]
        ended = [b"ended", moment, b"by", b"worker", b"value", value]
    _, nonce, starts, attempt, started, deadline, payload, size, names = opened.split(b" ", 8)
    job, worker = names[: int(size)], names[int(size) :]
    begun = b" ".join((starts, attempt, started, started, deadline, payload))
    outcome = b"committed" if ended else b"open"
    fields = [b"key", key, b"job", job, b"worker", worker, b"nonce", nonce, b"fence", b"1", b"begun", begun]
    return [*fields, b"outcome", outcome, *ended]


def _packed(values: Sequence[Intent] | Sequence[EffectReport]) -> bytes:
    # One behind the other: a table for each would cost the server more.
    return _pack(list(chain.from_iterable(map(astuple, values))))


def _value(text: str | None) -> Any:
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _now(keyspace: QueueKeyspace) -> int | str:
    return "" if keyspace.follows_server else keyspace.clock()


REFUSALS = {
    ReplyCode.LOCK_MISSING: "the job's lease has run out",
    ReplyCode.LOCK_MISMATCH: "the job's lease passed to another worker",
    ReplyCode.LEASE_TOO_SHORT: "the job's lease ends too soon",
}
"""Why an effect is not begun, by code."""
