"""Changes one job: progress, log, retry, promotion, removal."""

from __future__ import annotations

from stockyard._store.link import QueueLink
from stockyard._store.scripts import load

_PROGRESS = load("editing.progress")
_LOG = load("editing.log")
_RETRY = load("editing.retry")
_PROMOTE = load("editing.promote")
_REMOVE = load("editing.remove")

MISSING = -1
WRONG_STATE = -3
SCHEDULED = -8


async def write_progress(link: QueueLink, job_id: str, value: bytes) -> int:
    """Store progress (JSON text) and announce it; return 0 or ``MISSING``."""
    return int(await link.run(_PROGRESS, link.keys.job(job_id), job_id, value))


async def append_log(link: QueueLink, job_id: str, line: str) -> int:
    """Append a log line; return how many there are, or ``MISSING``."""
    return int(await link.run(_LOG, link.keys.job(job_id), line))


async def read_logs(link: QueueLink, job_id: str, start: int, end: int) -> list[str]:
    """Return log lines ``start`` to ``end`` inclusive, oldest first."""
    lines = await link.server.call("LRANGE", link.keys.logs(job_id), start, end)
    return [line.decode(errors="replace") for line in lines]


async def retry(link: QueueLink, job_id: str) -> int:
    """Put a finished job back to wait; return 0, ``MISSING`` or ``WRONG_STATE``."""
    return int(await link.run(_RETRY, link.keys.job(job_id), job_id))


async def promote(link: QueueLink, job_id: str) -> int:
    """Let a delayed job run now; return 0, ``MISSING`` or ``WRONG_STATE``."""
    return int(await link.run(_PROMOTE, link.keys.job(job_id), job_id))


async def remove(link: QueueLink, job_id: str) -> int:
    """Remove a job; return 1, 0 when a worker holds it, ``MISSING`` or ``SCHEDULED``."""
    return int(await link.run(_REMOVE, link.base, job_id, link.clock()))
