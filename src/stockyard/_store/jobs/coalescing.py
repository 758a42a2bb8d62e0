"""Lets one job of each coalescing key wait, where a job that ran has come to wait again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.packing import packable_id
from stockyard._store.scripts import load

_SETTLE = load("coalescing.settle")
_pack = msgspec.msgpack.Encoder().encode


def coalesces(keyspace: QueueKeyspace) -> bool:
    """Say whether jobs of a queue may have coalescing keys."""
    return keyspace.arrangement is not None and keyspace.arrangement.coalesce is not None


def settle_call(keyspace: QueueKeyspace, job_ids: Sequence[str], *, by_hand: bool = False) -> ScriptCall:
    """Return the call that looks at the keys of jobs that may wait again: the older of two yields to the newer.

    Args:
        keyspace: the queue.
        job_ids: the jobs.
        by_hand: they had ended, and are retried by hand. Defaults to False.
    """
    ids = _pack([packable_id(job_id) for job_id in job_ids])
    return ScriptCall(_SETTLE, keyspace.script_keys(_SETTLE), (keyspace.base, _now(keyspace), ids, int(by_hand)))


def still_runs(reply: Any) -> bool:
    """Say whether one of the jobs ran when that call looked; an error says nothing."""
    return isinstance(reply, list) and reply[2] > 0


async def settle(keyspace: QueueKeyspace, job_ids: Sequence[str], *, by_hand: bool = False) -> None:
    """Call that, see ``settle_call``; nothing is done for a queue that does not coalesce."""
    if job_ids and coalesces(keyspace):
        await keyspace.server.run_many([settle_call(keyspace, job_ids, by_hand=by_hand)])


async def settle_due(keyspace: QueueKeyspace) -> int:
    """Look at the keys that are due, as of jobs that a Node worker put back; return how many jobs yielded."""
    yielded, has_more = 0, 1
    while has_more:
        number, has_more, _ = await keyspace.run(_SETTLE, keyspace.base, _now(keyspace), "", 0)
        yielded += number
    return yielded


def _now(keyspace: QueueKeyspace) -> int | str:
    return "" if keyspace.follows_server else keyspace.clock()
