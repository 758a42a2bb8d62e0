"""Changes one job: payload, progress, log, delay, priority, retry, promotion, removal."""

from __future__ import annotations

from stockyard._store import children
from stockyard._store.link import QueueLink
from stockyard._store.scripts import load

_PROGRESS = load("editing.progress")
_LOG = load("editing.log")
_DATA = load("editing.data")
_DELAY = load("editing.delay")
_PRIORITY = load("editing.priority")
_RETRY = load("editing.retry")
_PROMOTE = load("editing.promote")

_UNSETTLED = 1
_LINES = 1000
"""Lines of a log that one call reads."""


async def write_progress(link: QueueLink, job_id: str, value: bytes) -> int:
    """Store progress (JSON text) and announce it; return 0 or ``JOB_MISSING``."""
    return int(await link.run(_PROGRESS, link.keys.job(job_id), job_id, value))


async def write_data(link: QueueLink, job_id: str, data: bytes) -> int:
    """Replace the payload (JSON text); return 0 or ``JOB_MISSING``."""
    return int(await link.run(_DATA, link.keys.job(job_id), data))


async def append_log(link: QueueLink, job_id: str, line: str) -> int:
    """Append a log line; return how many there are, or ``JOB_MISSING``."""
    return int(await link.run(_LOG, link.keys.job(job_id), line))


async def read_logs(link: QueueLink, job_id: str, start: int, end: int) -> list[str]:
    """Return log lines ``start`` to ``end`` inclusive, oldest first; of a long log in several calls."""
    key = link.keys.of_job(job_id, "logs")
    if start < 0 or end < -1:
        # The log's end may move from one call to the next.
        length = await link.server.call("LLEN", key)
        start = max(start + length, 0) if start < 0 else start
        end = end + length if end < 0 else end
        if end < 0:
            return []
    lines: list[bytes] = []
    while end == -1 or start <= end:
        last = start + _LINES - 1
        part = await link.server.call("LRANGE", key, start, last if end == -1 else min(last, end))
        lines += part
        if len(part) < _LINES:
            break
        start += _LINES
    return [line.decode(errors="replace") for line in lines]


async def clear_logs(link: QueueLink, job_id: str, keep: int) -> None:
    """Drop the log lines but the last ``keep``."""
    key = link.keys.of_job(job_id, "logs")
    await (link.server.call("LTRIM", key, -keep, -1) if keep else link.server.call("DEL", key))


async def change_delay(link: QueueLink, job_id: str, delay_ms: int) -> int:
    """Let a delayed job run so long after now; return 0, ``JOB_MISSING`` or ``WRONG_STATE``."""
    await link.learn_time()
    return int(await link.run(_DELAY, link.keys.job(job_id), job_id, delay_ms, link.clock()))


async def change_priority(link: QueueLink, job_id: str, priority: int, *, lifo: bool) -> int:
    """Give a job another priority, and a place in line by it if it waits; return 0 or ``JOB_MISSING``."""
    return int(await link.run(_PRIORITY, link.keys.job(job_id), job_id, priority, int(lifo)))


async def retry(link: QueueLink, job_id: str, *, state: str = "failed", reset_attempts: bool = False) -> int | str:
    """Put a job that ended in a state back to wait, for its children if some are pending.

    Returns 0, ``JOB_MISSING``, or the state that it is in instead.
    """
    job, settled = link.keys.job(job_id), 0
    while True:
        reply = await link.run(_RETRY, job, job_id, state, int(reset_attempts), settled, link.clock())
        if reply != _UNSETTLED:
            return reply if isinstance(reply, int) else str(reply.decode())
        await children.settle(link, job)
        settled = 1


async def promote(link: QueueLink, job_id: str) -> int:
    """Let a delayed job run now; return 0, ``JOB_MISSING`` or ``WRONG_STATE``."""
    return int(await link.run(_PROMOTE, link.keys.job(job_id), job_id))
