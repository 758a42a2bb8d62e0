"""Coalescing on a real server under random adds, takes, ends, stalls, retries by hand and removals.

After each step of Stockyard's own, no key has two jobs that wait, its last payload waits, runs, or was run, and
nothing older runs after it. What Node's workers put back is repaired by the next add of the key, or by the look
that is due.
"""

import asyncio
import json
import secrets
from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from stockyard._store.jobs import coalescing, editing, families, leasing
from stockyard._store.jobs.adding import ExistingJob
from stockyard._store.jobs.arranging import arranged_job
from stockyard._store.jobs.finishing import EndedRun, TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.arrangement import Arrangement
from stockyard.model.clock import SteppedClock
from stockyard.model.coalesce import Coalesce
from stockyard.model.naming import Naming
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried
from tests.support.adding import send_jobs

LOCK_MS = 3_600_000
START = 1_800_000_000_000
KEYS = "ABC"
ENDS: dict[str, Outcome] = {
    "done": Completed("1", None),
    "gone": Completed("1", True),
    "failed": Failed("no", (), 1, None),
    "again": Retried("no", (), 0, False),
    "first": Retried("no", (), 0, True),
    "later": Retried("no", (), 50, False),
    "delayed": Delayed(50),
    "back": Requeued(),
}


class CoalescingMachine(RuleBasedStateMachine):
    """One queue, with Stockyard's workers and Node's."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = SteppedClock(START)
        self.server = Server(Settings.load(self.url, environ={}, dotenv=None).address)
        naming = Naming(f"t:{secrets.token_hex(4)}")
        arrangement = Arrangement(coalesce=Coalesce(mode="latest"))
        self.queue = QueueKeyspace(self.server, naming, "q", clock=self.clock, arrangement=arrangement)
        # What Node's workers do: the same, and nothing about keys.
        self.node = QueueKeyspace(self.server, naming, "q", clock=self.clock)
        self.raw: Any = redis.Redis.from_url(self.url, decode_responses=True)
        self.number = 0
        self.calls = 0
        self.last: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.active: dict[str, str] = {}
        self.put_back_by_node: set[str] = set()
        self.ran: dict[str, int] = {}
        self.out_of_order: set[str] = set()

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        self.run(self.server.aclose())
        self.loop.close()
        if keys := list(self.raw.scan_iter(match=f"{self.queue.keys.naming}:*", count=1000)):
            self.raw.unlink(*keys)
        self.raw.close()

    def key_of(self, job_id: str) -> str:
        return str(json.loads(self.raw.hget(self.queue.base + job_id, "opts"))["coalesce"]["key"])

    def waiting(self) -> dict[str, list[str]]:
        """The jobs that wait, by key."""
        keys = self.queue.keys
        found: dict[str, list[str]] = {}
        ids = self.raw.lrange(keys["wait"], 0, -1)
        ids += self.raw.zrange(keys["prioritized"], 0, -1) + self.raw.zrange(keys["delayed"], 0, -1)
        for job_id in ids:
            found.setdefault(self.key_of(job_id), []).append(job_id)
        return found

    def value(self, job_id: str) -> int:
        return int(self.raw.hget(self.queue.base + job_id, "data"))

    def settle_payload(self, job_id: str) -> None:
        """Note that a payload was run, or taken out by hand."""
        key = self.key_of(job_id)
        self.settled[key] = max(self.settled.get(key, 0), self.value(job_id))

    @rule(key=st.sampled_from(KEYS), priority=st.sampled_from([0, 0, 2]), delay=st.sampled_from([0, 0, 50]))
    def add(self, key: str, priority: int, delay: int) -> None:
        self.number += 1
        before = self.waiting().get(key, [])
        options = JobOptions(delay_ms=delay, priority=priority, coalesce=Coalesce(key))
        sent = arranged_job(self.queue, "tick", str(self.number), options, self.clock())
        (answer,) = self.run(send_jobs(self.queue, [sent]))
        self.last[key] = self.number
        self.put_back_by_node.discard(key)
        if before:
            assert isinstance(answer, ExistingJob)
            assert answer.job_id in before
        else:
            assert isinstance(answer, str)
        assert self.value(answer.job_id if isinstance(answer, ExistingJob) else answer) == self.number

    @rule(milliseconds=st.sampled_from([1, 50, 1000]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.step(milliseconds)

    @rule(room=st.integers(1, 3))
    def take(self, room: int) -> None:
        self.calls += 1
        token = f"w:{self.calls}"
        reply = self.run(finish_and_take(self.queue, [], TakeRequest(room, token, LOCK_MS)))
        for record in reply.records:
            self.active[record.id] = token
            self.settle_payload(record.id)
            key, value = self.key_of(record.id), self.value(record.id)
            if key not in self.out_of_order:
                assert value >= self.ran.get(key, 0), "the past came back"
            self.ran[key] = max(self.ran.get(key, 0), value)

    @precondition(lambda self: self.active)
    @rule(data=st.data(), end=st.sampled_from(sorted(ENDS)), by_node=st.booleans())
    def end(self, data: st.DataObject, end: str, by_node: bool) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.active)))
        key = self.key_of(job_id)
        ended = EndedRun(job_id, self.active.pop(job_id), ENDS[end])
        keyspace = self.node if by_node else self.queue
        assert self.run(finish_and_take(keyspace, [ended], TakeRequest(0, "", LOCK_MS))).codes == [0]
        if by_node and end not in ("done", "gone", "failed"):
            self.put_back_by_node.add(key)
            self.out_of_order.add(key)
        if end == "gone":
            # Without a record, nobody knows that it was run.
            self.out_of_order.add(key)

    @precondition(lambda self: self.active)
    @rule(data=st.data(), by_node=st.booleans())
    def lose_its_worker(self, data: st.DataObject, by_node: bool) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.active)))
        key = self.key_of(job_id)
        del self.active[job_id]
        self.raw.delete(self.queue.keys.of_job(job_id, "lock"), self.queue.keys["stalled_check"])
        self.raw.hdel(self.queue.keys["meta"], "swept")
        self.raw.sadd(self.queue.keys["stalled"], job_id)
        keyspace = self.node if by_node else self.queue
        assert self.run(leasing.recover_stalled(keyspace, interval_ms=1, max_stalled=99)) == [job_id]
        if by_node:
            self.put_back_by_node.add(key)
            self.out_of_order.add(key)

    @rule(data=st.data(), state=st.sampled_from(["failed", "completed"]))
    def retry_by_hand(self, data: st.DataObject, state: str) -> None:
        ended = self.raw.zrange(self.queue.keys[state], 0, -1)
        if ended:
            job_id = data.draw(st.sampled_from(ended))
            self.out_of_order.add(self.key_of(job_id))
            assert self.run(editing.retry(self.queue, job_id, state=state)) == 0
            self.run(coalescing.settle(self.queue, [job_id], by_hand=True))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        waiting = sorted(job_id for ids in self.waiting().values() for job_id in ids)
        if waiting:
            job_id = data.draw(st.sampled_from(waiting))
            self.settle_payload(job_id)
            assert self.run(families.remove(self.queue, job_id)) == 1

    @rule()
    def look_at_what_is_due(self) -> None:
        self.clock.step(60_000)
        self.run(coalescing.settle_due(self.queue))
        self.put_back_by_node.clear()

    @invariant()
    def no_key_waits_twice(self) -> None:
        waiting = self.waiting()
        assert {
            key: ids for key, ids in waiting.items() if len(ids) > 1 and key not in self.put_back_by_node
        } == {}

    @invariant()
    def the_last_payload_of_each_key_is_not_lost(self) -> None:
        waiting = self.waiting()
        for key, last in self.last.items():
            held = [self.value(job_id) for job_id in waiting.get(key, [])]
            assert last == self.settled.get(key) or last in held, f"payload {last} of {key} is lost"

    @invariant()
    def what_waits_is_known_to_its_key(self) -> None:
        for key, ids in self.waiting().items():
            listed = self.raw.zrange(f"{self.queue.base}:coalesced:key:{key}", 0, -1)
            assert set(ids) <= set(listed)
            assert self.raw.zscore(f"{self.queue.base}:coalesced:due", key) is not None


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_job_of_a_key_waits_and_its_last_payload_is_run(redis_url: str) -> None:
    CoalescingMachine.url = redis_url
    run_state_machine_as_test(
        CoalescingMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
