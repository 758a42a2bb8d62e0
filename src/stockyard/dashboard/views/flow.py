"""A flow as a graph: a job, the jobs below it, and where each of them is."""

from __future__ import annotations

import asyncio

from stockyard.dashboard.views.view import Facts, PageRequest
from stockyard.errors import JobNotFound
from stockyard.model.flow import FlowTree
from stockyard.model.lineage import JobName
from stockyard.observe.lineage import parent_of

_DEPTH, _CHILDREN = 8, 20
_MOST_ABOVE = 10


async def flow(request: PageRequest) -> Facts:
    """Look at the tree that a job belongs to, from its root; raises JobNotFound."""
    app, name, job_id = request.app, request.need("queue"), request.need("id")
    root = JobName(name, job_id)
    for _ in range(_MOST_ABOVE):
        job = await app.queue(root[0]).get_job(root[1])
        above = None if job is None else parent_of(app, job.parent_key)
        if above is None or await app.queue(above[0]).get_job(above[1]) is None:
            break
        root = above
    tree = await app.flows.get(*root, depth=_DEPTH, children=_CHILDREN)
    if tree is None:
        raise JobNotFound(job_id, f"queue {name!r} has no job {job_id!r} (any more)")
    jobs = list(tree)
    states = await asyncio.gather(*(job.state() for job in jobs))
    return {
        "tree": tree,
        "states": {(job.queue, job.id): state.value for job, state in zip(jobs, states, strict=True)},
        "current": job_id,
        "name": name,
        "most": _CHILDREN,
        "unseen": await _unseen(tree),
    }


async def _unseen(tree: FlowTree) -> int:
    """Return how many children of the root are not drawn."""
    counts = await tree.job.children_counts()
    return max(sum(counts.values()) - len(tree.children), 0)
