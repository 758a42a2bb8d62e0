"""Runs of a worker ``w``, as keys, and their ends."""

from typing import Any

from stockyard._store.jobs.finishing import EndedRun, FinishReply, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.outcome import Completed, Outcome
from tests.scripts.conftest import NOW, record

STARTED = {"ats": 1, "processedOn": NOW - 10}
DONE = Completed('{"ok":true}', None)


def running(job_id: str = "1", **fields: Any) -> dict[str, Any]:
    """Keys of a job that worker ``w`` runs."""
    return {job_id: record(**STARTED, **fields), f"{job_id}:lock": "w:1", "active": [job_id], "stalled": {job_id}}


async def finish(keyspace: QueueKeyspace, *ended: tuple[str, Outcome], take: int = 0) -> FinishReply:
    """Write these ends, and take so many jobs under the token ``w:2``."""
    order = TakeRequest(take, "w:2", 30_000)
    return await finish_and_take(keyspace, [EndedRun(job_id, "w:1", outcome) for job_id, outcome in ended], order)
