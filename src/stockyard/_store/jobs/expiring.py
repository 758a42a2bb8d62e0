"""Counts and announces jobs that have expired, in the write that ends them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.packing import packable_id
from stockyard._store.scripts import load

_NOTE = load("expiring.note")
_pack = msgspec.msgpack.Encoder().encode


def note_call(keyspace: QueueKeyspace, leases: Sequence[tuple[str, str]]) -> ScriptCall:
    """Return the call that counts and announces expired jobs, each once.

    It comes before the one that ends them, as their records go then.

    Args:
        keyspace: the queue.
        leases: the jobs, each with the token of its lease: one that another worker has is passed over.
    """
    values = [value for job_id, token in leases for value in (packable_id(job_id), token)]
    return ScriptCall(_NOTE, keyspace.script_keys(_NOTE), (keyspace.base, _pack(values)))
