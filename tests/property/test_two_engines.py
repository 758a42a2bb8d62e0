"""Random operations on Node's engine and on ours, each on keys of its own: what any reader sees stays the same."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from stockyard import App, Deduplication, Flow, StockyardError, Topology
from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.naming import Naming
from stockyard.model.outcome import Completed, Failed, Outcome, Requeued, Retried
from tests.interop.keyspace import dump
from tests.support.node import NodePeer
from tests.support.peer import PeerError
from tests.support.waiting import wait_until

HOUR = 3_600_000
TOKEN = "tok"
MODES: dict[str, dict[str, Any]] = {
    "simple": {},
    "replace": {"replace": True},
    "reschedule": {"reschedule": True},
    "throttle": {"ttl": HOUR},
    "debounce": {"ttl": HOUR, "extend": True, "replace": True},
    "keep last": {"keepLastIfActive": True},
}

POLICIES = {
    "fail_parent": "failParentOnFailure",
    "continue_parent": "continueParentOnFailure",
    "ignore_dependency": "ignoreDependencyOnFailure",
    "remove_dependency": "removeDependencyOnFailure",
}

pytestmark = pytest.mark.interop

topology = Topology("two engines")
topology.queue("q", remove_on_complete=False, remove_on_fail=False)


class TwoEngines(RuleBasedStateMachine):
    """Each rule does the same by Node and by us; after each, both keyspaces hold the same."""

    url = ""
    node: NodePeer
    dump: Callable[..., dict[str, Any]] = staticmethod(dump)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.raw: Any = redis.Redis.from_url(self.url, decode_responses=True)
        self.base = f"t:{secrets.token_hex(4)}"
        self.node.prefix = f"{self.base}:node"
        self.theirs = self.run(self.node.queue("q"))
        self.producer = self.run(self.node.flows())
        self.trees = 0
        self.taker = self.run(self.node.worker("q", autorun=False, lockDuration=HOUR, skipStalledCheck=True))
        self.app = App(topology, redis=self.url, prefix=f"{self.base}:ours")
        self.ours = self.app.queue("q")
        self.server = Server(Settings.load(self.url, environ={}, dotenv=None).address)
        self.keyspace = QueueKeyspace(self.server, Naming(f"{self.base}:ours"), "q")
        # Node's Queue writes it soon after it is made, ours with the first job.
        wait_until(lambda: self.raw.hexists(f"{self.base}:node:q:meta", "opts.maxLenEvents"))
        self.raw.hset(f"{self.base}:ours:q:meta", "opts.maxLenEvents", 10_000)
        self.ids: list[str] = []
        self.active: list[str] = []

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        self.run(self.node.close_objects())
        self.run(self.app.aclose())
        self.run(self.server.aclose())
        self.loop.close()
        if keys := list(self.raw.scan_iter(match=f"{self.base}*", count=1000)):
            self.raw.unlink(*keys)
        self.raw.close()

    def pick(self, at: int) -> str:
        return self.ids[at % len(self.ids)]

    def edit(self, job_id: str, theirs: str, ours: str, *args: Any, **options: Any) -> None:
        """Do the same to one job; what one engine refuses, the other must refuse, too."""

        async def by_node() -> bool:
            try:
                await self.theirs.job(job_id, theirs, *args)
            except PeerError:
                return False
            return True

        async def by_us() -> bool:
            job = await self.ours.get_job(job_id)
            if job is None:
                return False
            try:
                await getattr(job, ours)(**options)
            except StockyardError:
                return False
            return True

        assert self.run(by_node()) == self.run(by_us())

    @rule(
        priority=st.sampled_from([0, 0, 1, 2]),
        delay=st.sampled_from([0, 0, 0, HOUR]),
        lifo=st.booleans(),
        custom=st.sampled_from(["", "", "a", "b"]),
        attempts=st.sampled_from([1, 3]),
        mode=st.sampled_from(["", "", "", *MODES]),
    )
    def add(self, priority: int, delay: int, lifo: bool, custom: str, attempts: int, mode: str) -> None:
        options: dict[str, Any] = {
            "priority": priority, "delay": delay, "lifo": lifo, "jobId": custom, "attempts": attempts,
        }  # fmt: skip
        given: dict[str, Any] = {name: value for name, value in options.items() if value}
        ours: dict[str, Any] = {
            {"jobId": "job_id"}.get(name, name): value / 1000 if name == "delay" else value
            for name, value in given.items()
        }
        if mode:
            asked = {"id": f"d-{mode}", **MODES[mode]}
            given["deduplication"] = asked
            ours["deduplication"] = Deduplication(
                asked["id"],
                ttl=asked.get("ttl", 0) / 1000 or None,
                extend=asked.get("extend", False),
                replace=asked.get("replace", False),
                reschedule=asked.get("reschedule", False),
                keep_last=asked.get("keepLastIfActive", False),
            )
        there = self.run(self.theirs.add("work", {"n": 1}, given))
        here = self.run(self.ours.add("work", {"n": 1}, **ours))
        assert here.id == there["id"]
        if here.id not in self.ids:
            self.ids.append(here.id)

    @rule(
        policy=st.sampled_from([None, *POLICIES]),
        priority=st.sampled_from([0, 0, 2]),
        delay=st.sampled_from([0, 0, HOUR]),
        deep=st.booleans(),
    )
    def grow(self, policy: str | None, priority: int, delay: int, deep: bool) -> None:
        """A tree of a parent, two children and perhaps a grandchild."""
        self.trees += 1
        names = [f"{kind}{self.trees}" for kind in ("parent", "first", "second", "grandchild")]
        parent, first, second, grandchild = names if deep else [*names[:3], ""]
        flag = {POLICIES[policy]: True} if policy else {}
        below = [self.their_node(grandchild, [], **flag)] if deep else []
        children = [self.their_node(first, below, **flag), self.their_node(second, [], **flag)]
        theirs = self.their_node(parent, children, priority=priority, delay=delay)
        ours: dict[str, Any] = {"on_failure": policy} if policy else {}
        own_below = [Flow("work", "q", {}, job_id=grandchild, **ours)] if deep else []
        own_children = [
            Flow("work", "q", {}, children=own_below, job_id=first, **ours),
            Flow("work", "q", {}, job_id=second, **ours),
        ]
        own = Flow("work", "q", {}, children=own_children, job_id=parent, priority=priority, delay=delay / 1000)
        self.run(self.producer.add(theirs))
        self.run(self.app.flows.add(own))
        self.ids += names if deep else names[:3]

    @staticmethod
    def their_node(job_id: str, children: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        chosen = {name: value for name, value in options.items() if value}
        node = {"name": "work", "queueName": "q", "data": {}, "opts": {"jobId": job_id, **chosen}}
        return {**node, "children": children} if children else node

    @rule()
    def take(self) -> None:
        there = self.run(self.taker.getNextJob(TOKEN, {"block": False}))
        here = self.run(finish_and_take(self.keyspace, [], TakeRequest(1, TOKEN, HOUR))).records
        assert (there or {}).get("id") == (here[0].raw_id.decode() if here else None)
        if there:
            self.active.append(there["id"])

    @precondition(lambda self: self.active)
    @rule(at=st.integers(0, 9), end=st.sampled_from(["completed", "failed", "retried", "back"]))
    def end(self, at: int, end: str) -> None:
        job_id = self.active[at % len(self.active)]
        attempts, lifo, trace = self.asked(job_id)
        outcomes: dict[str, Outcome] = {
            "completed": Completed('"done"', None),
            "failed": Failed("no", trace, attempts, None),
            "retried": Retried("no", trace, 0, lifo),
            "back": Requeued(),
        }
        order = TakeRequest(0, TOKEN, HOUR)
        (code,) = self.run(finish_and_take(self.keyspace, [EndedRun(job_id, TOKEN, outcomes[end])], order)).codes
        assert self.run(self.theirs.run(NODE_ENDS[end], job_id, TOKEN)) == (code == 0)
        # A parent that was let go early, or one of whose children failed, cannot complete: it goes on.
        if code == 0:
            self.active.remove(job_id)

    def asked(self, job_id: str) -> tuple[int, bool, tuple[str, ...]]:
        """What a worker of ours would say at the job's end: attempts allowed, front or back, the errors so far."""
        options, errors = self.raw.hmget(f"{self.base}:ours:q:{job_id}", "opts", "stacktrace")
        asked = json.loads(options or "{}")
        return asked.get("attempts", 1), asked.get("lifo", False), (*json.loads(errors or "[]"), "trace")

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50))
    def remove(self, at: int) -> None:
        self.edit(self.pick(at), "remove", "remove")

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50))
    def promote(self, at: int) -> None:
        self.edit(self.pick(at), "promote", "promote")

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50), state=st.sampled_from(["failed", "completed"]))
    def retry(self, at: int, state: str) -> None:
        job_id = self.pick(at)
        # Node must be told the state, and looks nowhere else.
        if self.raw.zscore(f"{self.base}:ours:q:{state}", job_id) is not None:
            self.edit(job_id, "retry", "retry", state)

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50), priority=st.sampled_from([0, 1, 5]), lifo=st.booleans())
    def change_priority(self, at: int, priority: int, lifo: bool) -> None:
        self.edit(
            self.pick(at),
            "changePriority",
            "change_priority",
            {"priority": priority, "lifo": lifo},
            priority=priority,
            lifo=lifo,
        )

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50))
    def change_delay(self, at: int) -> None:
        self.edit(self.pick(at), "changeDelay", "change_delay", 2 * HOUR, delay=7200)

    @precondition(lambda self: self.ids)
    @rule(at=st.integers(0, 50))
    def update_data(self, at: int) -> None:
        self.edit(self.pick(at), "updateData", "update_data", {"n": 2}, data={"n": 2})

    @rule()
    def pause(self) -> None:
        self.run(self.theirs.pause())
        self.run(self.ours.pause())

    @rule()
    def resume(self) -> None:
        self.run(self.theirs.resume())
        self.run(self.ours.resume())

    @rule(delayed=st.booleans())
    def drain(self, delayed: bool) -> None:
        self.run(self.theirs.drain(delayed))
        events = f"{self.base}:ours:q:events"
        before = {entry for entry, _ in self.raw.xrange(events)}
        self.run(self.ours.drain(delayed=delayed))
        for entry, _ in self.raw.xrange(events):
            if entry not in before:
                # Our drain announces that it removed jobs, for those who wait for their results; Node's does not.
                self.raw.xdel(events, entry)

    @rule(state=st.sampled_from(["completed", "failed", "delayed", "wait", "prioritized"]))
    def clean(self, state: str) -> None:
        removed = self.run(self.theirs.clean(0, 0, state))
        ours = self.run(self.ours.clean("waiting" if state == "wait" else state))
        assert sorted(ours) == sorted(removed)

    @rule(limit=st.sampled_from([None, 1, 2]))
    def limit_concurrency(self, limit: int | None) -> None:
        self.run(
            self.theirs.removeGlobalConcurrency() if limit is None else self.theirs.setGlobalConcurrency(limit)
        )
        self.run(self.ours.set_concurrency(limit))

    @invariant()
    def both_hold_the_same(self) -> None:
        theirs, ours = (self.dump(self.raw, f"{self.base}:{name}") for name in ("node", "ours"))
        for found in (theirs, ours):
            # Our scripts number what they drop in other places: what was numbered is what counts.
            with contextlib.suppress(KeyError):
                del found["q:pc"]
        assert ours == theirs


NODE_ENDS = {
    "completed": """async (queue, id, token) => {
        const job = await bullmq.Job.fromId(queue, id);
        return job.moveToCompleted("done", token, false).then(() => true, () => false);
    }""",
    "failed": """async (queue, id, token) => {
        const job = await bullmq.Job.fromId(queue, id);
        await job.moveToFailed(new bullmq.UnrecoverableError("no"), token, false);
        return true;
    }""",
    "retried": """async (queue, id, token) => {
        const job = await bullmq.Job.fromId(queue, id);
        job.opts.attempts = 1000;
        await job.moveToFailed(new Error("no"), token, false);
        return true;
    }""",
    "back": """async (queue, id, token) => {
        const job = await bullmq.Job.fromId(queue, id);
        await job.moveToWait(token);
        return true;
    }""",
}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_engines_agree(redis_url: str, node_process: NodePeer) -> None:
    TwoEngines.url, TwoEngines.node = redis_url, node_process
    run_state_machine_as_test(
        TwoEngines,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
