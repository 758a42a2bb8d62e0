"""Payload versions of jobs: which of them wait for a worker that understands them."""

from __future__ import annotations

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.numbers import whole
from stockyard._store.scripts import load
from stockyard._store.snapshots import PayloadVersion

_LOOK = load("versioning.look")


async def read_versions(keyspace: QueueKeyspace) -> list[PayloadVersion]:
    """Return the versions that were seen in a queue, in order."""
    rows = await keyspace.run(_LOOK, keyspace.base)
    found = [
        PayloadVersion(whole(version.decode()) or 0, waiting, whole(moment.decode()) or 0)
        for version, waiting, moment in rows
    ]
    return sorted(found, key=lambda each: each.version)
