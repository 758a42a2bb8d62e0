"""Wakes the job that waits to learn what became of its effect."""

from __future__ import annotations

import logging

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError
from stockyard.model.effect_record import EffectRecord

_log = logging.getLogger(__name__)


async def wake(keyspace: QueueKeyspace, settled: EffectRecord) -> None:
    """Let the job of a settled effect run now if it is delayed; any other stays as it is."""
    if not settled.job_id or settled.is_whole_job:
        # A whole job that is unknown has failed: it is tried again by hand.
        return
    try:
        await editing.promote(keyspace, settled.job_id)
    except ServerError as error:
        _log.warning("job %s of queue %s runs when its delay is over: %s", settled.job_id, keyspace.queue, error)
