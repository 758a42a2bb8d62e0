"""Restores the locks of ended runs that were evicted, so that their ends can be written."""

from __future__ import annotations

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.run.ending import Ending


async def locked_again(
    keyspace: QueueKeyspace, finisher: Finisher, ended: list[Ending], unlocked: list[Ending], lock_ms: int
) -> list[Ending]:
    """Restore locks; return the ended runs without those that are not ours any more.

    Args:
        keyspace: the queue.
        finisher: notes the runs that are lost.
        ended: runs that are to be written.
        unlocked: those of them whose locks are gone.
        lock_ms: length of the leases.

    Raises:
        ServerError: the server did not do it.
    """
    leases = [(run.job_id, run.token, run.starts) for run in unlocked]
    lost = set(await leasing.renew(keyspace, leases, lock_ms))
    finisher.lose([run for run in unlocked if run.job_id in lost], keyspace.clock())
    return [run for run in ended if run.job_id not in lost or run not in unlocked]
