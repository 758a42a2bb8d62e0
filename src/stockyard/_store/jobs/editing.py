"""Changes one job: payload, progress, log, delay, priority, retry, promotion, removal."""

from __future__ import annotations

from stockyard._store.jobs import children
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from stockyard.model.job import ResetAttempts

_PROGRESS = load("editing.progress")
_LOG = load("editing.log")
_DATA = load("editing.data")
_DELAY = load("editing.delay")
_PRIORITY = load("editing.priority")
_RETRY = load("editing.retry")
_PROMOTE = load("editing.promote")

_UNSETTLED = 1
_RESET_FIELDS: dict[ResetAttempts, str] = {False: "", True: "atm ats stc", "made": "atm", "started": "ats"}
_LINES = 1000
"""Lines of a log that one call reads."""


async def write_progress(keyspace: QueueKeyspace, job_id: str, value: bytes) -> int:
    """Store progress (JSON text) and announce it; return 0 or ``JOB_MISSING``."""
    return int(await keyspace.run(_PROGRESS, keyspace.keys.job(job_id), job_id, value))


async def write_data(keyspace: QueueKeyspace, job_id: str, data: bytes) -> int:
    """Replace the payload (JSON text); return 0 or ``JOB_MISSING``."""
    return int(await keyspace.run(_DATA, keyspace.keys.job(job_id), data))


async def append_log(keyspace: QueueKeyspace, job_id: str, line: str) -> int:
    """Append a log line; return how many there are, or ``JOB_MISSING``."""
    return int(await keyspace.run(_LOG, keyspace.keys.job(job_id), line))


async def read_logs(keyspace: QueueKeyspace, job_id: str, start: int, end: int) -> list[str]:
    """Return log lines ``start`` to ``end`` inclusive, oldest first; of a long log in several calls."""
    key = keyspace.keys.of_job(job_id, "logs")
    if start < 0 or end < -1:
        # The log's end may move from one call to the next.
        length = await keyspace.server.call("LLEN", key)
        start = max(start + length, 0) if start < 0 else start
        end = end + length if end < 0 else end
        if end < 0:
            return []
    lines: list[bytes] = []
    while end == -1 or start <= end:
        last = start + _LINES - 1
        part = await keyspace.server.call("LRANGE", key, start, last if end == -1 else min(last, end))
        lines += part
        if len(part) < _LINES:
            break
        start += _LINES
    return [line.decode(errors="replace") for line in lines]


async def count_logs(keyspace: QueueKeyspace, job_id: str) -> int:
    """Return how many lines the log of a job has."""
    return int(await keyspace.server.call("LLEN", keyspace.keys.of_job(job_id, "logs")))


async def clear_logs(keyspace: QueueKeyspace, job_id: str, keep: int) -> None:
    """Drop the log lines but the last ``keep``."""
    key = keyspace.keys.of_job(job_id, "logs")
    await (keyspace.server.call("LTRIM", key, -keep, -1) if keep else keyspace.server.call("DEL", key))


async def change_delay(keyspace: QueueKeyspace, job_id: str, delay_ms: int) -> int:
    """Let a delayed job run so long after now; return 0, ``JOB_MISSING`` or ``WRONG_STATE``."""
    await keyspace.learn_time()
    job = keyspace.keys.job(job_id)
    return int(await keyspace.run(_DELAY, keyspace.base, job, job_id, delay_ms, keyspace.clock()))


async def change_priority(keyspace: QueueKeyspace, job_id: str, priority: int, *, lifo: bool) -> int:
    """Give a job another priority, and a place in line by it if it waits; return 0 or ``JOB_MISSING``."""
    return int(await keyspace.run(_PRIORITY, keyspace.keys.job(job_id), job_id, priority, int(lifo)))


async def retry(
    keyspace: QueueKeyspace, job_id: str, *, state: str = "failed", reset_attempts: ResetAttempts = False
) -> int | str:
    """Put a job that ended in a state back to wait, for its children if some are pending.

    Returns 0, ``JOB_MISSING``, ``JOB_EXPIRED`` where a worker would drop it, or the state that it is in instead.
    """
    await keyspace.learn_time()
    job, settled = keyspace.keys.job(job_id), 0
    fields = _RESET_FIELDS[reset_attempts]
    while True:
        reply = await keyspace.run(_RETRY, job, job_id, state, fields, settled, keyspace.clock())
        if reply != _UNSETTLED:
            return reply if isinstance(reply, int) else str(reply.decode())
        await children.settle(keyspace, job)
        settled = 1


async def promote(keyspace: QueueKeyspace, job_id: str) -> int:
    """Let a delayed job run now; return 0, ``JOB_MISSING`` or ``WRONG_STATE``."""
    return int(await keyspace.run(_PROMOTE, keyspace.keys.job(job_id), job_id))
