"""A queue: its states, its jobs, what it is bound by, and what may be done to many of them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from stockyard.dashboard.bulk import verbs_of
from stockyard.dashboard.latency import latency_of_jobs
from stockyard.dashboard.minutes import SHOWN, throughput_chart
from stockyard.dashboard.views.view import Facts, PageRequest, allowed
from stockyard.model import checks
from stockyard.model.job import JobState

STATES = ("active", "waiting", "prioritized", "delayed", "waiting-children", "failed", "completed")
SIZES = (25, 100, 250)
_LATEST = 200
_FILTER_SECONDS = 0.15


async def queue(request: PageRequest) -> Facts:
    """Look at one page of the jobs in a state, or at those that match a filter."""
    name, state = request.need("name"), request.text("state", "active")
    checks.one_of("state", state, STATES)
    page, size, find = (
        request.number("page"),
        request.number("size", SIZES[0], most=SIZES[-1]),
        request.text("find"),
    )
    found = request.app.queue(name)
    (health,), settings, counts = await asyncio.gather(
        request.app.health(name), found.settings(), allowed(found.counts)
    )
    facts: dict[str, Any] = {
        "name": name,
        "spec": found.spec,
        "state": state,
        "states": [(each, None if counts is None else counts[JobState(each)]) for each in STATES],
        "health": health,
        "settings": settings,
        "page": page,
        "size": size,
        "sizes": SIZES,
        "find": find,
        "verbs": verbs_of(state),
        "rate_limit_left": await found.rate_limit_left_ms() / 1000,
        **await _figures(request, name),
    }
    if find:
        step = await found.search(
            find, states=(state,), after=request.text("after") or None, seconds=_FILTER_SECONDS, count=size
        )
        return facts | {
            "jobs": [hit.job for hit in step.found],
            "looked_at": step.looked_at,
            "next_page": None,
            "after": step.after,
            "is_still": True,
        }
    jobs = await found.get_jobs(
        state, page=page, size=size, newest_first=state not in ("waiting", "prioritized", "delayed")
    )
    total = 0 if counts is None else counts[JobState(state)]
    following = page + 1 if page * size < total else None
    return facts | {"jobs": jobs, "after": None, "next_page": following}


async def _figures(request: PageRequest, name: str) -> Facts:
    found = request.app.queue(name)
    completed, failed, latest = await asyncio.gather(
        allowed(found.metrics, "completed", 0, SHOWN),
        allowed(found.metrics, "failed", 0, SHOWN),
        allowed(found.get_jobs, "completed", size=_LATEST),
    )
    if completed is None or failed is None:
        return {"throughput": None, "latency": None}
    return {
        "throughput": throughput_chart([completed], [failed], now=int(time.time() * 1000)),
        "latency": latency_of_jobs(latest or ()),
    }
