"""Adds trees of jobs across queues, all or nothing, and reads them back."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

from stockyard import telemetry
from stockyard._aio.portal import Portal
from stockyard._logging import current_job
from stockyard._store.jobs.adding import ExistingJob
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.jobs.rows import stored_job
from stockyard._store.jobs.tree_reading import read_tree
from stockyard._store.jobs.trees import add_trees
from stockyard._store.keyspace import QueueKeyspace
from stockyard.blocking import BlockingFlows
from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.arrangement import refuse_misfit
from stockyard.model.fixed import Fixed
from stockyard.model.flow import Flow, FlowTree
from stockyard.model.job import Job, JobPort, set_fields
from stockyard.model.lineage import passed_on
from stockyard.model.options import JobOptions, carrying
from stockyard.model.parent import ParentRef
from stockyard.produce.checked_jobs import check_size, payload_text, refuse_both_ties
from stockyard.produce.queue import existing_job
from stockyard.topology import QueueSpec, Topology
from stockyard.topology.admission import check_job


class Flows(Fixed):
    """The flows of an app: trees of jobs, in which a parent runs after its children.

    Made by ``App.flows``.

    Args:
        topology: the queues that may be named.
        keyspace, port: give the keys and the jobs of a queue.
        portal: for callers without a loop.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        keyspace: Callable[[QueueSpec], QueueKeyspace],
        port: Callable[[QueueSpec], JobPort],
        portal: Portal,
    ) -> None:
        self._topology = topology
        self._keyspace = keyspace
        self._port = port
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> BlockingFlows:
        """These flows for code without a running loop: ``app.flows.sync.add(...)`` blocks until it is done."""
        view: BlockingFlows = self._portal.blocking(self, needs_loop=())
        return view

    async def add(self, flow: Flow, *, check: bool | None = None) -> FlowTree:
        """Add a tree of jobs, none of it when it is refused; no parent runs before all of its children are there.

        A tree of up to about 150 jobs is added in one step. A larger one takes several: its first jobs may run
        while others are still added. If that breaks off, the parents wait, and adding the same flow again, with a
        ``job_id`` for every job, does what is left.

        A job without a ``job_id`` gets a UUID. One whose id exists already is not added again, but counts for its
        parent from now on as it is, also if it has ended. Not added is also a child whose end its parent has
        recorded, and one that is missing below a parent that runs or has ended.

        Args:
            flow: the tree.
            check: refuse names and payloads that the declared handlers of their queues do not take, as
                ``Queue.add`` does. Defaults to what each queue declares.

        Returns:
            The jobs as a tree; ``was_added`` of each says whether it is new.

        Raises:
            UnknownQueue: the topology does not declare one of its queues.
            InvalidOption: an option is unknown or out of its range, or does not go with its place in the tree; or
                one of its queues has shards.
            HandlerError: a queue declares handlers, and none of a job's name.
            PayloadError: a payload is not JSON-able, larger than its ``size_limit``, or does not fit the handler's
                declared type.
            JobNotFound: the root was given a parent that does not exist.
            JobStateError: one of the jobs exists and belongs to another parent.
            ServerUnavailable: the server could not be reached within the call timeout.
            ReplyLost: it was sent and not answered; with a ``job_id`` for every job, adding it again is safe.
        """
        (tree,) = await self.add_many([flow], check=check)
        return tree

    async def add_many(self, flows: Iterable[Flow], *, check: bool | None = None) -> list[FlowTree]:
        """Add several trees as if they were one, in the order given; raises the errors of ``add``.

        Of trees that have not the same slot of a cluster, those of one slot are added before those of the next.
        """
        if check is not None:
            checks.flag("check", check)
        wanted = checks.several("flows", flows, of="Flow values", example="[Flow('month', 'reports')]")
        for spec in islice((each for each in self._topology if each.shards == 1), 1):
            await self._keyspace(spec).learn_time()
        if not wanted:
            return []
        root = wanted[0]
        where = {"queue": root.queue, "name": root.name} if isinstance(root, Flow) else {}
        with telemetry.span_of_adds(flows=len(wanted), **where) as span:
            plan = _Plan(self._topology, self._keyspace, check, span.carrier)
            roots = plan.include(wanted)
            answers = await add_trees(plan.keyspaces, [node.sent for node in plan.nodes])
        trees: dict[int, FlowTree] = {}
        for at in reversed(range(len(plan.nodes))):
            node, answer = plan.nodes[at], answers[at]
            job = _given(node, answer if isinstance(answer, str) else answer.job_id, self._port(node.spec))
            if isinstance(answer, ExistingJob):
                job = await existing_job(answer, job)
            trees[at] = FlowTree(job, tuple(trees.pop(child) for child in node.children))
        return [trees[at] for at in range(roots)]

    async def get(self, queue: str, job_id: str, depth: int = 10, children: int = 20) -> FlowTree | None:
        """Read a job with what is below it, level by level, or None when there is no such job.

        Children that were removed, or that are under another prefix, are left out.

        Args:
            queue: name of its queue; those of its children need not be declared.
            depth: levels, the job's own included. Defaults to 10.
            children: of each job at most so many. Defaults to 20.

        Raises:
            UnknownQueue: the topology does not declare the queue.
            InvalidOption: depth or children is less than 1, or children is more than 1000.
        """
        checks.whole("depth", depth, least=1)
        checks.whole("children", children, least=1, most=1000)
        keyspace = self._keyspace(self._topology.spec(queue))
        nodes = await read_tree(keyspace, checks.text("job_id", job_id), depth=depth, children=children)
        trees: dict[int, FlowTree] = {}
        for at in reversed(range(len(nodes))):
            node = nodes[at]
            spec = self._topology.spec(node.queue) if node.queue in self._topology else QueueSpec(node.queue)
            job = stored_job(node.record, node.queue, self._port(spec))
            trees[at] = FlowTree(job, tuple(trees.pop(child) for child in node.children))
        return trees.get(0)


class _Node(msgspec.Struct):
    """A job of a plan: where it goes, what is sent, and which of the plan's nodes are its children."""

    spec: QueueSpec
    flow: Flow
    options: JobOptions
    sent: RelatedJob
    children: list[int]


class _Plan:
    """The jobs of trees, checked, level by level: the order in which peers add them too."""

    def __init__(
        self,
        topology: Topology,
        keyspace: Callable[[QueueSpec], QueueKeyspace],
        check: bool | None,
        carrier: str | None,
    ) -> None:
        self._check = check
        self._carrier = carrier
        self.nodes: list[_Node] = []
        self.keyspaces: list[QueueKeyspace] = []
        self._topology = topology
        self._keyspace = keyspace
        self._numbers: dict[str, int] = {}
        self._own_ids: set[tuple[str, str]] = set()

    def include(self, flows: Iterable[Flow]) -> int:
        """Check trees and put their jobs in line, the roots first; return how many trees there are."""
        waiting: deque[tuple[Flow, int | None]] = deque((flow, None) for flow in flows)
        roots = len(waiting)
        while waiting:
            flow, above = waiting.popleft()
            if not isinstance(flow, Flow):
                raise InvalidOption(f"a flow must be a Flow value; got {checks.shown(flow)}")
            place = len(self.nodes)
            self.nodes.append(self._node(flow, None if above is None else self.nodes[above]))
            if above is not None:
                self.nodes[above].children.append(place)
            waiting.extend((child, place) for child in flow.children)
        return roots

    def _node(self, flow: Flow, above: _Node | None) -> _Node:
        spec = self._topology.spec(flow.queue)
        keyspace = self._keyspace(spec)
        now = keyspace.clock()
        chosen = spec.defaults.merged(**flow.options)
        now = chosen.made_at(now)
        chosen = chosen.placed(now)
        if above is not None and "correlation_id" not in flow.options:
            chosen = msgspec.structs.replace(chosen, correlation_id=above.options.correlation_id)
        if (cause := current_job.get()) is not None:
            chosen = passed_on(chosen, cause, flow.options, is_declared=spec.lineage)
        options = _checked(flow, carrying(chosen, self._carrier), above, now)
        if options.job_id is not None:
            if (spec.name, options.job_id) in self._own_ids:
                raise InvalidOption(f"job_id {options.job_id!r} is given twice in queue {spec.name!r}")
            self._own_ids.add((spec.name, options.job_id))
        refuse_misfit(spec.name, spec.arrangement, options, way="a flow")
        text = payload_text(flow.name, flow.data)
        check_job(spec, flow.name, flow.data, text, check=self._check)
        check_size(flow.name, text, options)
        spec.check_use(options)
        sent = related_job(
            keyspace, flow.name, text, options, options.made_at(keyspace.clock()), job_id=str(uuid.uuid4())
        )
        sent.is_parent = bool(flow.children)
        sent.queue = self._number(spec, keyspace)
        if sent.parent is not None:
            sent.parent.is_new = above is not None
        return _Node(spec, flow, options, sent, [])

    def _number(self, spec: QueueSpec, keyspace: QueueKeyspace) -> int:
        if spec.name not in self._numbers:
            self.keyspaces.append(keyspace)
            self._numbers[spec.name] = len(self.keyspaces)
        return self._numbers[spec.name]


def _checked(flow: Flow, options: JobOptions, above: _Node | None, now: int) -> JobOptions:
    if above is not None:
        if options.parent is not None:
            raise InvalidOption(f"the parent of {flow.name!r} is the flow around it; only a root may name one")
        expiry = above.options.expiry(above.sent.timestamp)
        options = msgspec.structs.replace(options, parent=ParentRef(above.spec.name, above.sent.id, None, expiry))
    if flow.children and options.deduplication is not None:
        raise InvalidOption(f"{flow.name!r} has children that would wait in vain, so it cannot be deduplicated")
    if options.job_id is not None and ":" in options.job_id and (flow.children or above is not None):
        raise InvalidOption(
            f"job_id {options.job_id!r} of {flow.name!r} has colons, which have no place in a flow"
        )
    refuse_both_ties(options)
    return options if options.parent is None else options.within(options.parent.expires_at, now)


def _given(node: _Node, job_id: str, port: JobPort) -> Job[Any]:
    sent, options = node.sent, node.options
    job = Job(
        job_id,
        sent.name,
        node.flow.data,
        options,
        node.spec.name,
        sent.timestamp,
        port,
        options.priority,
        options.delay_ms,
    )
    set_fields(job, parent_key=sent.parent_key)
    return job
