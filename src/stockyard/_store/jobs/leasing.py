"""Leases of running jobs: renewed, recovered from dead workers, found again after a lost reply."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stockyard._store.composed_script import ComposedScript
from stockyard._store.ids import shown_id
from stockyard._store.jobs import renewing
from stockyard._store.jobs.coalescing import coalesces
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import MOST_BYTES
from stockyard._store.records import StartedRecord
from stockyard._store.scripts import load

_RENEW = load("leasing.renew")
_RECOVER, _RECOVER_COALESCED = load("leasing.recover"), load("leasing.recover+yielding")
_RECLAIM = load("leasing.reclaim")
_ABANDON, _ABANDON_COALESCED = load("leasing.abandon"), load("leasing.abandon+yielding")
_pack = msgspec.msgpack.Encoder().encode


async def renew(keyspace: QueueKeyspace, leases: Sequence[tuple[str, str, int]], lock_ms: int) -> list[str]:
    """Renew leases; see ``renewing.renew``."""
    return await renewing.renew(keyspace.server, keyspace.keys, _RENEW, leases, lock_ms)


def renewing_script() -> ComposedScript:
    """Return the script that ``Renewals`` calls."""
    return _RENEW.composed()


async def recover_stalled(
    keyspace: QueueKeyspace, *, interval_ms: int, max_stalled: int, at_most_once: bool = False
) -> list[str]:
    """Hand back jobs whose lease ran out; at most once per interval over all workers. Return their ids.

    One look is as many short calls as it needs; a look that breaks off is taken up by the next one.
    A job that a newer one of its coalescing key has overtaken goes in the same call.

    Args:
        keyspace: the queue.
        interval_ms: between two looks.
        max_stalled: how often a job may lose its worker before it is failed.
        at_most_once: fail a job that has begun no effect instead of running it again. Defaults to False.
    """
    recovered: list[str] = []
    stage, passed, look = b"first", 0, b""
    while stage:
        ids, stage, passed, look = await keyspace.run(
            _RECOVER_COALESCED if coalesces(keyspace) else _RECOVER,
            keyspace.base,
            keyspace.clock(),
            interval_ms,
            max_stalled,
            stage,
            passed,
            look,
            int(at_most_once),
            stays=True,
        )
        recovered += [shown_id(each) for each in ids]
    return recovered


async def forget_look(keyspace: QueueKeyspace) -> None:
    """Let the next look for stalled jobs be due now, as if the interval had passed: for a clock moved by hand."""
    await keyspace.server.ask([("DEL", keyspace.keys["stalled_check"]), ("HDEL", keyspace.keys["meta"], "swept")])


async def abandon(
    keyspace: QueueKeyspace, holder: str, *, max_stalled: int, at_most_once: bool = False
) -> list[str]:
    """Hand back the jobs that a dead process holds, those whose token begins with ``holder``. Return their ids.

    Args:
        keyspace: the queue.
        holder: what the tokens of the process begin with.
        max_stalled, at_most_once: as for ``recover_stalled``.
    """
    returned: list[str] = []
    passed, has_more = 0, 1
    while has_more:
        ids, passed, has_more = await keyspace.run(
            _ABANDON_COALESCED if coalesces(keyspace) else _ABANDON,
            keyspace.base,
            holder,
            passed,
            max_stalled,
            int(at_most_once),
        )
        returned += [shown_id(each) for each in ids]
    return returned


async def reclaim(
    keyspace: QueueKeyspace,
    token: str,
    *,
    known: Sequence[str] = (),
    lock_ms: int = 0,
    most_bytes: int = MOST_BYTES,
) -> list[StartedRecord]:
    """Return records of the jobs that run under a token: those of a ``finish`` whose reply was lost.

    Args:
        keyspace: the queue.
        token: of the call.
        known: ids of those that are known already.
        lock_ms: renews the leases of all jobs of the token, the known ones too. Defaults to 0, which does not.
        most_bytes: records are returned until they are so large together.
    """
    rows = await keyspace.run(_RECLAIM, keyspace.base, token, _pack(known), lock_ms, most_bytes)
    return list(map(StartedRecord._make, rows))


async def hold(keyspace: QueueKeyspace, token: str, lock_ms: int) -> None:
    """Renew the leases of all jobs of a token, whose records are still on their way."""
    await reclaim(keyspace, token, lock_ms=lock_ms, most_bytes=0)


async def still_held(
    keyspace: QueueKeyspace, records: Sequence[StartedRecord], token: str, lock_ms: int
) -> list[StartedRecord]:
    """Renew started jobs that are taken up late; return those that have not passed to others meanwhile."""
    leases = [(record.id, token, record.start_number) for record in records]
    lost = set(await renew(keyspace, leases, lock_ms))
    return [record for record in records if record.id not in lost]
