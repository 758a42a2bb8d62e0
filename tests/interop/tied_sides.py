"""Node and us under the same methods, for jobs with ties: both take BullMQ's words for options and trees."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from stockyard import App, Deduplication, Flow, JobError, ParentRef
from tests.interop.conftest import Work
from tests.support.node import NodeError, NodeObject, NodePeer

POLICIES = {
    "failParentOnFailure": "fail_parent",
    "continueParentOnFailure": "continue_parent",
    "ignoreDependencyOnFailure": "ignore_dependency",
    "removeDependencyOnFailure": "remove_dependency",
}
_WORDS = {
    "jobId": "job_id",
    "removeOnComplete": "remove_on_complete",
    "removeOnFail": "remove_on_fail",
    "keepLogs": "keep_logs",
    "stackTraceLimit": "stack_trace_limit",
    "sizeLimit": "size_limit",
}
_MODES = {"extend": "extend", "replace": "replace", "reschedule": "reschedule", "keepLastIfActive": "keep_last"}


class Side(Protocol):
    """One of the two: adds and works; ``queues`` are Node's, to look."""

    queues: dict[str, NodeObject]
    prefix: str

    async def add(self, name: str, data: Any = None, queue: str = "q", **options: Any) -> str | None: ...
    async def add_flow(self, tree: dict[str, Any]) -> str: ...
    async def add_flows(self, trees: list[dict[str, Any]]) -> None: ...
    def work(self, queue: str = "q") -> AbstractAsyncContextManager[Any]: ...


class NodeSide:
    """Node's side."""

    def __init__(self, node: NodePeer, queues: dict[str, NodeObject]) -> None:
        self.queues = queues
        self.prefix = node.prefix
        self._node = node

    async def add(self, name: str, data: Any = None, queue: str = "q", **options: Any) -> str | None:
        try:
            return str((await self.queues[queue].add(name, {} if data is None else data, options))["id"])
        except NodeError:
            return None

    async def add_flow(self, tree: dict[str, Any]) -> str:
        return str((await (await self._node.flows()).add(tree))["job"]["id"])

    async def add_flows(self, trees: list[dict[str, Any]]) -> None:
        await (await self._node.flows()).addBulk(trees)

    def work(self, queue: str = "q") -> AbstractAsyncContextManager[Any]:
        return _NodeWork(self._node, queue)


class _NodeWork:
    def __init__(self, node: NodePeer, queue: str) -> None:
        self._node = node
        self._queue = queue

    async def __aenter__(self) -> NodeObject:
        self._worker = await self._node.worker(self._queue)
        return self._worker

    async def __aexit__(self, *_: object) -> None:
        await self._worker.close()


class OurSide:
    """Our side."""

    def __init__(self, app: App, queues: dict[str, NodeObject], work: Work) -> None:
        self.queues = queues
        self.prefix = app.settings.prefix
        self._app = app
        self._work = work

    async def add(self, name: str, data: Any = None, queue: str = "q", **options: Any) -> str | None:
        try:
            return (
                await self._app.queue(queue).add(
                    name, {} if data is None else data, **in_our_words(options, self.prefix)
                )
            ).id
        except JobError:
            return None

    async def add_flow(self, tree: dict[str, Any]) -> str:
        return (await self._app.flows.add(our_flow(tree, self.prefix))).job.id

    async def add_flows(self, trees: list[dict[str, Any]]) -> None:
        await self._app.flows.add_many(our_flow(tree, self.prefix) for tree in trees)

    def work(self, queue: str = "q") -> AbstractAsyncContextManager[Any]:
        return self._work(app=self._app, queue=queue, metrics_minutes=None)


def our_flow(tree: dict[str, Any], prefix: str) -> Flow:
    """A tree of Node's as ours."""
    children = [our_flow(child, prefix) for child in tree.get("children", ())]
    options = in_our_words(tree.get("opts", {}), prefix)
    return Flow(tree["name"], tree["queueName"], tree.get("data"), children, **options)


def in_our_words(options: dict[str, Any], prefix: str) -> Any:
    """Options of Node's as ours."""
    ours: dict[str, Any] = {}
    for name, value in options.items():
        if name in POLICIES:
            ours["on_failure"] = POLICIES[name]
        elif name == "deduplication":
            ttl = value.get("ttl")
            modes = {_MODES[each]: flag for each, flag in value.items() if each in _MODES}
            ours[name] = Deduplication(value["id"], ttl and ttl / 1000, **modes)
        elif name == "parent":
            ours[name] = ParentRef(value["queue"].removeprefix(f"{prefix}:"), value["id"])
        elif name == "telemetry":
            ours |= {"telemetry": value["metadata"], "omit_context": value.get("omitContext", False)}
        else:
            ours[_WORDS.get(name, name)] = value / 1000 if name in ("delay", "backoff") else value
    return ours
