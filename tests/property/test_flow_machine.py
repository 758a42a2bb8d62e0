"""A flow under random adds, ends, failures, retries, removals: no parent runs early, none waits for ever."""

import asyncio
import secrets
from collections.abc import Collection
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from stockyard import JobOptions, ParentRef
from stockyard._store.jobs import editing, families
from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.jobs.trees import add_trees
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.clock import SteppedClock
from stockyard.model.naming import Naming
from stockyard.model.outcome import Completed, Failed

POLICIES = [None, "fail_parent", "continue_parent", "ignore_dependency", "remove_dependency"]
# The root has a child with children of its own, and leaves.
ABOVE = {"root": None, "middle": "root", "a": "root", "b": "root", "x": "middle", "y": "middle"}
PARENTS = {"root", "middle"}
STATES = ("wait", "active", "completed", "failed", "waiting_children", "delayed")


class FlowMachine(RuleBasedStateMachine):
    """One flow in two queues, with a worker in each that starts and ends jobs as it is told."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.server = Server(Settings.load(self.url, environ={}, dotenv=None).address)
        naming, clock = Naming(f"t:{secrets.token_hex(4)}"), SteppedClock(1_800_000_000_000)
        self.keyspaces = {name: QueueKeyspace(self.server, naming, name, clock=clock) for name in ("p", "c")}
        self.raw: Any = redis.Redis.from_url(self.url, decode_responses=True)
        self.policies: dict[str, Any] = {}
        self.keeps: dict[str, bool] = {}
        self.running: dict[str, str] = {}
        self.calls = 0

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def keyspace(self, job_id: str) -> QueueKeyspace:
        return self.keyspaces["p" if job_id in PARENTS else "c"]

    def key(self, job_id: str) -> str:
        return self.keyspace(job_id).keys.job(job_id)

    def place(self, job_id: str) -> str:
        return self.places([job_id])[job_id]

    def places(self, job_ids: Collection[str]) -> dict[str, str]:
        with self.raw.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                keys = self.keyspace(job_id).keys
                pipe.lpos(keys["wait"], job_id).lpos(keys["active"], job_id)
                for name in STATES[2:]:
                    pipe.zscore(keys[name], job_id)
            found = pipe.execute()
        return {
            job_id: next((name for name, at in zip(STATES, found[first:], strict=False) if at is not None), "")
            for job_id, first in zip(job_ids, range(0, len(found), len(STATES)), strict=True)
        }

    def teardown(self) -> None:
        self.run(self.server.aclose())
        self.loop.close()
        prefix = self.keyspaces["p"].keys.naming
        if keys := list(self.raw.scan_iter(match=f"{prefix}:*", count=1000)):
            self.raw.unlink(*keys)
        self.raw.close()

    @rule(
        policies=st.lists(st.sampled_from(POLICIES), min_size=5, max_size=5),
        keeps=st.lists(st.booleans(), min_size=5, max_size=5),
    )
    def add(self, policies: list[Any], keeps: list[bool]) -> None:
        if not self.policies:
            names = [name for name in ABOVE if name != "root"]
            self.policies = dict(zip(names, policies, strict=True))
            self.keeps = dict(zip(names, keeps, strict=True))
        keyspaces = list(self.keyspaces.values())
        jobs: list[RelatedJob] = []
        for name, above in ABOVE.items():
            options = JobOptions().merged(job_id=name, on_failure=self.policies.get(name))
            keyspace = self.keyspace(name)
            if above:
                options = options.merged(parent=ParentRef(self.keyspace(above).queue, above))
            job = related_job(keyspace, name, "{}", options, keyspace.clock())
            job.queue, job.is_parent = keyspaces.index(keyspace) + 1, name in PARENTS
            if job.parent:
                job.parent.is_new = True
            jobs.append(job)
        before = self.places(ABOVE)
        self.run(add_trees(keyspaces, jobs))
        after = self.places(ABOVE)
        for name, place in before.items():
            if place in ("active", "completed", "failed"):
                assert after[name] == place

    @rule(queue=st.sampled_from(["p", "c"]))
    def start(self, queue: str) -> None:
        self.calls += 1
        done = self.run(finish_and_take(self.keyspaces[queue], [], TakeRequest(1, f"w:{self.calls}", 3_600_000)))
        for row in done.records:
            job_id, failure = row.raw_id.decode(), row.deferred_failure
            self.running[job_id] = f"w:{self.calls}"
            if failure:
                self._end(job_id, Failed(failure.decode(), (), 1, None))
            elif not self._went_early(job_id):
                assert not self.raw.exists(f"{self.key(job_id)}:dependencies"), "a parent runs beside its children"

    def _went_early(self, job_id: str) -> bool:
        return any(
            above == job_id and self.policies.get(name) == "continue_parent" for name, above in ABOVE.items()
        )

    @rule(data=st.data(), succeeds=st.booleans())
    def end(self, data: st.DataObject, succeeds: bool) -> None:
        if not self.running:
            return
        job_id = data.draw(st.sampled_from(sorted(self.running)))
        keep = None if self.keeps.get(job_id, True) else True
        self._end(job_id, Completed("1", keep) if succeeds else Failed("no", (), 1, keep))

    def _end(self, job_id: str, outcome: Any) -> None:
        token = self.running.pop(job_id)
        run = EndedRun(job_id, token, outcome)
        (code,) = self.run(finish_and_take(self.keyspace(job_id), [run], TakeRequest(0, "", 3_600_000))).codes
        if code != 0:
            # Its children, of which one failed or was given back while it ran, do not let it complete.
            assert code in (-4, -9)
            assert code == -9 or self._went_early(job_id) or job_id in self.given_back
            again = EndedRun(job_id, token, Failed("held", (), 1, None))
            assert self.run(
                finish_and_take(self.keyspace(job_id), [again], TakeRequest(0, "", 3_600_000))
            ).codes == [0]
        self.given_back.discard(job_id)

    @property
    def given_back(self) -> set[str]:
        if not hasattr(self, "_given_back"):
            self._given_back: set[str] = set()
        return self._given_back

    @rule(name=st.sampled_from(sorted(ABOVE)), state=st.sampled_from(["failed", "completed"]))
    def retry(self, name: str, state: str) -> None:
        above = ABOVE[name]
        if self.place(name) == state and above in self.running:
            self.given_back.add(above)
        self.run(editing.retry(self.keyspace(name), name, state=state))

    @rule(name=st.sampled_from(sorted(ABOVE)), children=st.booleans())
    def remove(self, name: str, children: bool) -> None:
        self.run(families.remove(self.keyspace(name), name, children=children))

    @invariant()
    def every_record_has_a_place_and_every_parent_a_child_to_wait_for(self) -> None:
        places = self.places(ABOVE)
        with self.raw.pipeline(transaction=False) as pipe:
            for name in ABOVE:
                pipe.exists(self.key(name))
            for name in PARENTS:
                pipe.smembers(f"{self.key(name)}:dependencies")
            *exist, first, second = pipe.execute()
        for name, exists in zip(ABOVE, exist, strict=True):
            assert bool(exists) == (places[name] != ""), f"{name} has no record, or is nowhere"
        names = {self.key(name): name for name, exists in zip(ABOVE, exist, strict=True) if exists}
        for name, pending in zip(PARENTS, (first, second), strict=True):
            if places[name] != "waiting_children":
                continue
            assert pending, f"{name} waits for nothing"
            for child in pending:
                assert child in names, f"{name} waits for {child}, which is gone"
                place = places[names[child]]
                assert place != "completed"
                # Of those that failed, only these are waited for: they may be retried.
                assert place != "failed" or self.policies.get(names[child]) in (None, "fail_parent")


@pytest.mark.timeout(900)
def test_a_flow_goes_on_whatever_happens_to_its_jobs(redis_url: str) -> None:
    FlowMachine.url = redis_url
    run_state_machine_as_test(
        FlowMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
