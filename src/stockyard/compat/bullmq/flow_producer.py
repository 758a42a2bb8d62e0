"""Adds trees of jobs, in which a parent runs after its children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stockyard.compat.bullmq.custom_errors import as_port
from stockyard.compat.bullmq.event_emitter import EventEmitter
from stockyard.compat.bullmq.job import Job
from stockyard.compat.bullmq.json_values import plain
from stockyard.compat.bullmq.options import add_options
from stockyard.compat.bullmq.queue_object import QueueObject
from stockyard.compat.bullmq.share import Share
from stockyard.model.flow import Flow, FlowTree

_OPTIONS = frozenset(("prefix", "connection", "backend", "skipVersionCheck"))
Node = Mapping[str, Any]


class FlowProducer(EventEmitter):
    """Adds flows, each in one step.

    Args:
        redisOpts: the connection, or all options.
        opts: ``connection`` and ``prefix``.
    """

    def __init__(self, redisOpts: Any = None, opts: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if opts is None and isinstance(redisOpts, Mapping) and not _OPTIONS.isdisjoint(redisOpts):
            redisOpts, opts = None, redisOpts
        self.opts: dict[str, Any] = dict(opts or {})
        if redisOpts is not None:
            self.opts["connection"] = redisOpts
        self._share = Share(self.opts)
        self.prefix: str = self._share.prefix
        self.closing = False

    async def add(self, flow: Node, opts: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Add a tree of jobs, all of it or nothing.

        Args:
            flow: ``{"name": …, "queueName": …, "data": …, "opts": {…}, "children": [flows]}``.
            opts: ``queuesOptions``: for each queue by its name ``{"defaultJobOptions": {…}}``.

        Returns:
            The tree, ``{"job": Job, "children": [trees]}``, a leaf without ``children``; None once it is closed.

        Raises:
            TypeError: the parent of the root is missing, or a payload has no JSON form.
            ValueError: an option is out of its range, or a node has another prefix.
        """
        if self.closing:
            return None
        (tree,) = await self._add([flow], (opts or {}).get("queuesOptions") or {})
        return tree

    async def addBulk(self, flows: Iterable[Node]) -> list[dict[str, Any]] | None:
        """Add several trees as if they were one; returns and raises as ``add`` does."""
        return None if self.closing else await self._add(list(flows), {})

    async def _add(self, nodes: list[Node], defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
        flows = [self._flow(node, defaults) for node in nodes]
        parents = [_parent_key(node) for node in nodes]
        with as_port(None, "addJob", parent_key=next((key for key in parents if key), None)):
            trees = await self._share.app.flows.add_many(flows, check=False)
        return [self._tree(node, tree, defaults, None) for node, tree in zip(nodes, trees, strict=True)]

    def _flow(self, node: Node, defaults: Mapping[str, Any]) -> Flow:
        if node.get("prefix", self.prefix) != self.prefix:
            raise ValueError(
                f"{node.get('name')!r} is to be under the prefix {node['prefix']!r}: a flow is under that of its "
                f"producer, {self.prefix!r}"
            )
        children = [self._flow(child, defaults) for child in node.get("children") or ()]
        options = add_options(_opts(node, defaults), self.prefix)
        return Flow(str(node.get("name")), str(node["queueName"]), plain(node.get("data")), children, **options)

    def _tree(self, node: Node, tree: FlowTree, defaults: Mapping[str, Any], parent: Job | None) -> dict[str, Any]:
        queue = QueueObject(str(node["queueName"]), None, self._share)
        opts = _opts(node, defaults)
        if parent is not None:
            opts["parent"] = {"id": parent.id, "queue": parent.queueQualifiedName}
        job = Job(queue, str(node.get("name")), node.get("data"), opts, tree.job.id)
        job.id, job.timestamp = tree.job.id, tree.job.timestamp
        children = node.get("children") or ()
        if not children:
            return {"job": job}
        below = [
            self._tree(child, found, defaults, job) for child, found in zip(children, tree.children, strict=True)
        ]
        return {"job": job, "children": below}

    async def close(self) -> None:
        """Close the connection, unless other objects use it; closing twice is fine."""
        self.closing = True
        await self._share.close()

    async def disconnect(self) -> None:
        """Do the same as ``close``."""
        await self.close()


def _opts(node: Node, defaults: Mapping[str, Any]) -> dict[str, Any]:
    of_queue = (defaults.get(str(node["queueName"])) or {}).get("defaultJobOptions") or {}
    return {**of_queue, **(node.get("opts") or {})}


def _parent_key(node: Node) -> str | None:
    parent = (node.get("opts") or {}).get("parent")
    return f"{parent.get('queue')}:{parent.get('id')}" if parent else None
