"""A queue on a real server against a model of it, driven by random operations on a clock moved by hand."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from stockyard._store.jobs import editing, leasing, reading
from stockyard._store.jobs import families as removal
from stockyard._store.jobs.adding import new_job
from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.records import ReplyCode
from stockyard.config import Settings
from stockyard.model.clock import SteppedClock
from stockyard.model.naming import Naming
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Failed, Requeued, Retried, WaitingChildren
from tests.support.adding import add_jobs

LOCK_MS = 3_600_000
START = 1_800_000_000_000
ASIDE = ("back", "limited", "delayed", "parked", "alone")
ENDS = ["completed", "removed", "failed", "retried", "later", "front", *ASIDE]
GONE = {-1, -2, -6}


@dataclass
class Known:
    """A job as the model sees it."""

    job_id: str
    priority: int = 0
    lifo: bool = False
    made: int = 0
    starts: int = 0
    token: str = ""


@dataclass
class Model:
    """Where every job is: lists in the order in which they would run."""

    wait: list[str] = field(default_factory=list)
    prioritized: list[tuple[int, int, str]] = field(default_factory=list)
    delayed: list[tuple[int, int, str]] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    is_limited: bool = False
    jobs: dict[str, Known] = field(default_factory=dict)
    turn: int = 0

    def ready(self, job_id: str, *, front: bool = False, handed_back: bool = False) -> None:
        priority = self.jobs[job_id].priority
        if priority:
            self.turn += 1
            self.prioritized.append((priority, 0 if handed_back else self.turn, job_id))
        elif front or handed_back:
            self.wait.insert(0, job_id)
        else:
            self.wait.append(job_id)

    def delay(self, job_id: str, due: int) -> None:
        self.turn += 1
        self.delayed.append((due, self.turn, job_id))

    def promote_due(self, now: int) -> None:
        for entry in sorted(self.delayed):
            if entry[0] <= now:
                self.delayed.remove(entry)
                self.ready(entry[2])

    def take(self, room: int) -> list[str]:
        if self.is_limited:
            return []
        taken = self.wait[:room]
        del self.wait[:room]
        for entry in sorted(self.prioritized)[: room - len(taken)]:
            self.prioritized.remove(entry)
            taken.append(entry[2])
        self.active.update(taken)
        return taken

    def forget(self, job_id: str) -> None:
        self.wait = [each for each in self.wait if each != job_id]
        self.prioritized = [each for each in self.prioritized if each[2] != job_id]
        self.delayed = [each for each in self.delayed if each[2] != job_id]
        self.completed.discard(job_id)
        self.failed.discard(job_id)
        self.parked.discard(job_id)
        del self.jobs[job_id]


class QueueMachine(RuleBasedStateMachine):
    """Each rule does the same to the server and to the model; after each, both hold the same."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = SteppedClock(START)
        self.server = Server(Settings.load(self.url, environ={}, dotenv=None).address)
        self.keyspace = QueueKeyspace(self.server, Naming(f"t:{secrets.token_hex(4)}"), "q", clock=self.clock)
        self.kids = QueueKeyspace(self.server, self.keyspace.keys.naming, "kids", clock=self.clock)
        self.raw: Any = redis.Redis.from_url(self.url, decode_responses=True)
        self.model = Model()
        self.calls = 0
        self.added = 0

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        self.run(self.server.aclose())
        self.loop.close()
        if keys := list(self.raw.scan_iter(match=f"{self.keyspace.keys.naming}:*", count=1000)):
            self.raw.unlink(*keys)
        self.raw.close()

    @rule(
        jobs=st.lists(
            st.tuples(
                st.sampled_from([0, 0, 1, 2, 2_097_151]),
                st.sampled_from([0, 0, 0, 50, 1000]),
                st.booleans(),
                st.sampled_from([None, None, "a", "b", "c"]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def add(self, jobs: list[tuple[int, int, bool, str | None]]) -> None:
        new = [
            new_job("x", "{}", JobOptions(job_id, delay, priority, lifo=lifo), self.clock())
            for priority, delay, lifo, job_id in jobs
        ]
        ids = self.run(add_jobs(self.keyspace, new))
        for job_id, (priority, delay, lifo, own) in zip(ids, jobs, strict=True):
            self.added += 1
            assert job_id == (own or str(self.added))
            if job_id in self.model.jobs:
                continue
            self.model.jobs[job_id] = Known(job_id, priority, lifo)
            if delay:
                self.model.delay(job_id, self.clock() + delay)
            else:
                self.model.ready(job_id, front=lifo)

    @rule(milliseconds=st.sampled_from([1, 49, 50, 1000]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.step(milliseconds)

    @rule(
        data=st.data(),
        room=st.integers(0, 4),
        ends=st.lists(st.sampled_from(ENDS), max_size=3),
        is_sent_twice=st.booleans(),
    )
    def exchange(self, data: st.DataObject, room: int, ends: list[str], is_sent_twice: bool) -> None:
        active = sorted(self.model.active)
        chosen = data.draw(st.permutations(active))[: len(ends)] if active else []
        settled = [
            EndedRun(job_id, self.model.jobs[job_id].token, _outcome(end))
            for job_id, end in zip(chosen, ends, strict=False)
        ]
        for run, end in zip(settled, ends, strict=False):
            if end == "parked":
                self.raw.sadd(f"{self.keyspace.base}{run.job_id}:dependencies", f"{self.kids.base}{run.job_id}")
        self.calls += 1
        token = f"w:{self.calls}"
        done = self.run(finish_and_take(self.keyspace, settled, TakeRequest(room, token, LOCK_MS)))
        assert done.codes == [0] * len(settled)
        for run, end in zip(settled, ends, strict=False):
            self._end(run.job_id, end)
        if room:
            self.model.promote_due(self.clock())
        expected = self.model.take(room)
        assert [row.raw_id.decode() for row in done.records] == expected
        for job_id in expected:
            self.model.jobs[job_id].starts += 1
            self.model.jobs[job_id].token = token
        if settled and is_sent_twice:
            again = self.run(finish_and_take(self.keyspace, settled, TakeRequest(0, "", LOCK_MS)))
            assert set(again.codes) <= GONE

    def _end(self, job_id: str, end: str) -> None:
        model = self.model
        model.active.discard(job_id)
        if end not in ASIDE:
            model.jobs[job_id].made += 1
        match end:
            case "completed":
                model.completed.add(job_id)
            case "failed":
                model.failed.add(job_id)
            case "removed":
                model.forget(job_id)
            case "later" | "delayed":
                model.delay(job_id, self.clock() + 50)
            case "back" | "alone":
                model.ready(job_id, handed_back=True)
            case "limited":
                model.ready(job_id, handed_back=True)
                model.is_limited = True
            case "parked":
                model.parked.add(job_id)
            case _:
                # What is due was there before a job that is tried again now.
                model.promote_due(self.clock())
                model.ready(job_id, front=end == "front")

    @precondition(lambda self: self.model.is_limited)
    @rule()
    def the_limit_ends(self) -> None:
        self.raw.delete(self.keyspace.keys["limiter"])
        self.model.is_limited = False

    @precondition(lambda self: self.model.parked)
    @rule(data=st.data())
    def the_child_ends(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(sorted(self.model.parked)))
        keyspace = json.dumps({"id": parent, "queueKey": self.keyspace.base[:-1]})
        link = {"parentKey": self.keyspace.base + parent, "parent": keyspace}
        self.raw.hset(self.kids.base + parent, mapping={"name": "kid", "data": "1", "opts": "{}", **link})
        self.raw.lpush(self.kids.keys["active"], parent)
        self.raw.set(self.kids.keys.of_job(parent, "lock"), "kid")
        run = EndedRun(parent, "kid", Completed("1", True))
        assert self.run(finish_and_take(self.kids, [run], TakeRequest(0, "", LOCK_MS))).codes == [0]
        self.model.parked.discard(parent)
        self.model.ready(parent, front=True)

    @precondition(lambda self: self.model.active)
    @rule(data=st.data())
    def an_end_under_another_token_is_refused(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.active)))
        run = EndedRun(job_id, "somebody else", _outcome("completed"))
        assert self.run(finish_and_take(self.keyspace, [run], TakeRequest(0, "", LOCK_MS))).codes == [-6]

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.jobs)))
        state = "completed" if job_id in self.model.completed else "failed"
        is_finished = job_id in self.model.completed | self.model.failed
        code = self.run(editing.retry(self.keyspace, job_id, state=state))
        assert code == 0 if is_finished else isinstance(code, str)
        if is_finished:
            self.model.completed.discard(job_id)
            self.model.failed.discard(job_id)
            self.model.ready(job_id, front=self.model.jobs[job_id].lifo)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def promote(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.jobs)))
        entry = next((each for each in self.model.delayed if each[2] == job_id), None)
        assert self.run(editing.promote(self.keyspace, job_id)) == (ReplyCode.WRONG_STATE if entry is None else 0)
        if entry is not None:
            self.model.delayed.remove(entry)
            self.model.ready(job_id)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.model.jobs)))
        is_active = job_id in self.model.active
        assert self.run(removal.remove(self.keyspace, job_id)) == (0 if is_active else 1)
        if not is_active:
            self.model.forget(job_id)
            assert self.raw.keys(f"{self.keyspace.base}{job_id}") == []

    @precondition(lambda self: self.model.active)
    @rule()
    def a_lost_take_is_found(self) -> None:
        token = self.model.jobs[min(self.model.active)].token
        rows = self.run(leasing.reclaim(self.keyspace, token))
        held = {each for each in self.model.active if self.model.jobs[each].token == token}
        assert {row.raw_id.decode() for row in rows} == held

    @invariant()
    def both_hold_the_same(self) -> None:
        keys, model = self.keyspace.keys, self.model
        with self.raw.pipeline(transaction=False) as pipe:
            for name in ("wait", "active"):
                pipe.lrange(keys[name], 0, -1)
            for name in ("prioritized", "delayed", "completed", "failed", "waiting_children"):
                pipe.zrange(keys[name], 0, -1)
            pipe.exists(keys["limiter"]).zcard(keys["marker"])
            wait, active, prioritized, delayed, completed, failed, parked, is_limited, markers = pipe.execute()
        assert wait[::-1] == model.wait
        assert prioritized == [each[2] for each in sorted(model.prioritized)]
        assert delayed == [each[2] for each in sorted(model.delayed)]
        assert set(active) == model.active
        assert set(completed) == model.completed
        assert set(failed) == model.failed
        assert set(parked) == model.parked
        assert is_limited == model.is_limited
        if model.wait or model.prioritized or model.delayed:
            assert markers > 0, "no marker wakes a worker for the jobs that wait"

    @invariant()
    def leases_and_counts_are_right(self) -> None:
        base, jobs = self.keyspace.base, self.model.jobs
        with self.raw.pipeline(transaction=False) as pipe:
            for job_id in jobs:
                pipe.hmget(base + job_id, "atm", "ats").get(f"{base}{job_id}:lock")
            replies = iter(pipe.execute())
        for (job_id, known), (made, starts), lock in zip(jobs.items(), replies, replies, strict=True):
            assert (int(made or 0), int(starts or 0)) == (known.made, known.starts)
            assert lock == (known.token if job_id in self.model.active else None)
        facts = self.run(reading.read_facts([self.keyspace]))[0]
        assert facts.wait + facts.prioritized == len(self.model.wait) + len(self.model.prioritized)
        assert (facts.active, facts.delayed) == (len(self.model.active), len(self.model.delayed))


def _outcome(end: str) -> Any:
    match end:
        case "completed":
            return Completed("1", None)
        case "removed":
            return Completed("1", True)
        case "failed":
            return Failed("no", ("trace",), 1, None)
        case "back":
            return Requeued()
        case "limited":
            return Requeued(LOCK_MS)
        case "delayed":
            return Delayed(50)
        case "parked" | "alone":
            return WaitingChildren()
        case _:
            return Retried("no", ("trace",), 50 if end == "later" else 0, end == "front")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_queue_does_what_its_model_does(redis_url: str) -> None:
    QueueMachine.url = redis_url
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=100,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
