"""Reads trees of jobs, level by level."""

from __future__ import annotations

from typing import NamedTuple

from stockyard._store.jobs import children as stored
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StoredRecord


class TreeNode(NamedTuple):
    """A job of a tree.

    Attributes:
        queue: name of its queue.
        record: of the job.
        children: places of its children in the list of nodes; each is behind its parent.
    """

    queue: str
    record: StoredRecord
    children: list[int]


async def read_tree(keyspace: QueueKeyspace, job_id: str, *, depth: int, children: int) -> list[TreeNode]:
    """Return a job with what is below it, the root first; nothing when there is no such job.

    Args:
        keyspace: the queue of the root.
        job_id: the root.
        depth: levels, the root included.
        children: of each job at most so many. Those under another prefix are left out.
    """
    root = keyspace.keys.job(job_id)
    records: dict[str, tuple[StoredRecord, list[str]]] = {}
    level = [root]
    for _ in range(depth):
        replies = await stored.look(keyspace, level, children)
        records |= {key: reply for key, reply in zip(level, replies, strict=True) if reply}
        below = [child for reply in replies if reply for child in reply[1]]
        level = [key for key in dict.fromkeys(below) if key not in records]
        if not level:
            break
    return _nodes(root, keyspace, records) if root in records else []


def _nodes(
    root: str, keyspace: QueueKeyspace, records: dict[str, tuple[StoredRecord, list[str]]]
) -> list[TreeNode]:
    naming = keyspace.keys.naming
    # Taken out, so that a job that is its own descendant cannot lead in a circle.
    order = [(root, *records.pop(root))]
    nodes: list[TreeNode] = []
    for key, record, keys in order:
        places = []
        for child in keys:
            if child in records and naming.queue_of(child.rpartition(":")[0]) is not None:
                places.append(len(order))
                order.append((child, *records.pop(child)))
        # Only a root's id may hold colons; the script takes what stands behind the last one for the id.
        place = naming.place(keyspace.keys.queue) if key == root else key.rpartition(":")[0]
        raw_id = key.removeprefix(f"{place}:").encode()
        nodes.append(TreeNode(naming.queue_of(place) or keyspace.queue, record._replace(raw_id=raw_id), places))
    return nodes
