"""No script begins in a slot that is being moved: it would break off in the middle of its writes."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stockyard._store import alerts, breaking, halting
from stockyard._store import effects as store
from stockyard._store.caches import caching
from stockyard._store.caches.caching import NewEntry
from stockyard._store.channels import durable
from stockyard._store.jobs import (
    arranging,
    cancelling,
    children,
    coalescing,
    editing,
    families,
    keyed,
    leasing,
    managing,
    scheduling,
    versioning,
)
from stockyard._store.jobs.add_stream import AddStream
from stockyard._store.jobs.adding import add_call, new_job, relay
from stockyard._store.jobs.admitting import take_limits
from stockyard._store.jobs.arranging import ArrangedJob, arranged_job
from stockyard._store.jobs.blocking_taker import BlockingTaker
from stockyard._store.jobs.expiring import note_call
from stockyard._store.jobs.finishing import (
    LimitedTakeRequest,
    TakeRequest,
    VersionedLimitedTakeRequest,
    VersionedTakeRequest,
    finish_and_take,
)
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.limits import limiting
from stockyard._store.net import cluster_calls
from stockyard._store.net.connection import accepted
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.scripts import load, names
from stockyard._store.snapshots import Canary
from stockyard.errors import ServerRefused, ServerUnavailable, SlotMoving
from stockyard.model.breaker import Breaker
from stockyard.model.limit import Fixed
from stockyard.model.limit_use import LimitUse
from stockyard.model.limits import Limits
from stockyard.model.options import JobOptions
from tests.integration.sets.half_moved import COMPACT, NAMING, Stage
from tests.scripts import effects
from tests.scripts.conftest import NOW
from tests.scripts.consumers import publish, take
from tests.scripts.exchange import Admitted
from tests.scripts.halts import current, halt, record_of, text_of
from tests.scripts.keyed import PARKING
from tests.scripts.runs import DONE, finish
from tests.scripts.test_adding_flow import Sent
from tests.scripts.test_scheduling_upsert import HOUR, RUN, upsert
from tests.support.sets import ClusterSet

Act = Callable[[Stage], Awaitable[Any]]


def job(stage: Stage, job_id: str | None, **options: Any) -> RelatedJob:
    return related_job(stage.queue, "work", "{}", JobOptions().merged(job_id=job_id, **options), NOW)


def arranged(stage: Stage) -> ArrangedJob:
    return arranged_job(stage.arranging, "work", "{}", COALESCED, NOW)


def relayed(stage: Stage) -> RelatedJob:
    made = job(stage, "outbox-a")
    made.row = "a"
    return made


def tree(stage: Stage) -> Sent:
    sent = Sent(stage.queue)
    sent.put(stage.queue, "child", sent.put(stage.queue, "root"))
    return sent


async def call(stage: Stage, call: ScriptCall) -> Any:
    (reply,) = await stage.server.run_many([call])
    return accepted(reply)


def run(name: str, *arguments: Any) -> Act:
    """Run a script with these arguments, behind the queue's base if it begins with that."""

    def act(stage: Stage) -> Awaitable[Any]:
        script = load(name)
        given = (stage.queue.base, *arguments) if script.args[0] == "base" else arguments
        return stage.queue.run(script, *given)

    return act


def packed(stage: Stage, *names: str) -> bytes:
    return msgspec.msgpack.encode([stage.queue.base + name for name in names])


COALESCED = JobOptions().merged(coalesce="BTC")
COST = {"orders": 1, "open": 1}
PLAN = {"score": NOW, "every": HOUR, "offset": 0, "rule": "{}", "options": "{}", "priority": 0, "lifo": False}

ACTS: dict[str, Act] = {
    "admitting.take": lambda s: finish_and_take(s.queue, [], limited(s)),
    "adding.add": lambda s: call(s, add_call(s.queue, [new_job("work", "{}", JobOptions(), NOW)])),
    "adding.attach": lambda s: call(s, add_call(s.queue, [job(s, None, deduplication="BTC")])),
    "adding.flow": lambda s: tree(s).add(),
    "adding.relay": lambda s: relay(s.queue, [relayed(s)], memory_ms=HOUR, most=None),
    "arranging.regrade": lambda s: arranging.regrade(s.queue, 30_000),
    "arranging.add": lambda s: call(
        s, add_call(s.arranging, [arranged_job(s.arranging, "work", "{}", COALESCED, NOW)])
    ),
    "coalescing.settle": lambda s: call(s, coalescing.settle_call(s.queue, ["2"])),
    "expiring.note": lambda s: call(s, note_call(s.queue, [("3", "w:1")])),
    "alerts.lead": lambda s: alerts.lead(s.other_desk, "a", 60_000),
    "alerts.record": lambda s: alerts.record(s.desk, "a", {"y": b"2"}, [b"second"]),
    "breaking.admit": lambda s: breaking.take_trial(s.queue, limited(s)),
    "breaking.fail": lambda s: breaking.note_failure(s.queue, Breaker(failures=1), "3", 1, "gone"),
    "breaking.settle": lambda s: breaking.close(s.queue, "by hand"),
    "breaking.take": lambda s: breaking.take_trial(s.queue, TakeRequest(1, "w:2", 30_000)),
    "caching.claim": lambda s: s.claim("fresh"),
    "caching.delete": lambda s: caching.delete(s.cache, "prices", ["a"]),
    "caching.evict_to": lambda s: caching.evict_to(s.cache, 0),
    "caching.read": lambda s: caching.read(s.cache, "prices", ["a"]),
    "caching.release": lambda s: caching.release(s.cache, "prices", "locked", "w:1"),
    "caching.write": lambda s: caching.write(s.cache, "prices", [NewEntry("c", b"value", 60_000)], 10**6),
    "caching.write_in_place": lambda s: caching.write_in_place(
        s.cache, "prices", NewEntry("plain", b"other", 60_000), 10**6
    ),
    "children.detach": lambda s: children.detach(s.queue, "1"),
    "children.settle": lambda s: children.settle(s.queue, s.queue.keys.job("p")),
    "durable.leave": lambda s: durable.leave(s.channel, "g", "me", [], idle_ms=60_000, reported=0),
    "durable.publish": lambda s: publish(s.channel, b"w"),
    "durable.redeliver": lambda s: redeliver(s),
    "durable.release": lambda s: durable.release(
        s.channel, "g", "me", s.messages[1], attempts=1, reason="broken", idle_ms=60_000
    ),
    "durable.renew": lambda s: durable.renew(s.channel, "g", "me", s.messages[1:2], idle_ms=1, strays=True),
    "durable.take": lambda s: take(s.channel),
    "editing.cancel": lambda s: cancelling.cancel(s.queue, "1", "enough"),
    "editing.data": lambda s: editing.write_data(s.queue, "1", b"[]"),
    "editing.delay": lambda s: editing.change_delay(s.queue, "4", 9000),
    "editing.log": lambda s: editing.append_log(s.queue, "2", "another"),
    "editing.priority": lambda s: editing.change_priority(s.queue, "2", 5, lifo=False),
    "editing.progress": lambda s: editing.write_progress(s.queue, "3", b"50"),
    "editing.promote": lambda s: editing.promote(s.queue, "4"),
    "editing.remove": lambda s: families.remove(s.queue, "2"),
    "editing.remove_below": lambda s: run("editing.remove_below", packed(s, "4", "5"), "", 0)(s),
    "editing.remove_children": lambda s: families.remove_unprocessed_children(s.queue, "p"),
    "editing.remove_listed": run("editing.remove_listed", "wait", 0, 10, msgspec.msgpack.encode(["1", "2"]), ""),
    "editing.retry": lambda s: editing.retry(s.queue, "5"),
    "effects.begin": lambda s: effects.begin(s.queue, job_id="3"),
    "effects.forget": lambda s: store.forget_all(s.queue),
    "effects.lose": lambda s: store.lose_job(s.queue, "3", "its worker is gone", at_start=False),
    "effects.report": lambda s: effects.report(s.queue, "committed"),
    "effects.review": lambda s: store.review(s.queue, interval_ms=5000, keep_ms=0),
    "effects.settle": lambda s: effects.settle(s.queue, "committed", waits=False),
    "finishing.finish": lambda s: finish(s.queue, ("3", DONE), take=2),
    "halting.apply": lambda s: halting.apply(s.queue, current(halt())),
    "halting.change": lambda s: halting.change(record_of(s.queue), halt(), "halt"),
    "halting.release": run("halting.release", 10),
    "indexing.note": run("indexing.note", msgspec.msgpack.encode({"n": ["7\0000001\0001"]}), 0),
    "keyed.clear": lambda s: keyed.clear(s.queue),
    "keyed.feed": lambda s: keyed.feed(s.queue, PARKING, ["6"]),
    "keyed.repair": lambda s: keyed.repair(s.queue, PARKING, keyed.FIRST, interval_ms=5000),
    "keyed.replay": lambda s: keyed.replay(s.queue, "A"),
    "keyed.resume": lambda s: keyed.resume(s.queue, PARKING, "A"),
    "leasing.abandon": lambda s: leasing.abandon(s.queue, "w", max_stalled=1),
    "leasing.reclaim": lambda s: leasing.reclaim(s.queue, "w:1", lock_ms=60_000),
    "leasing.recover": lambda s: leasing.recover_stalled(s.queue, interval_ms=5000, max_stalled=1),
    "leasing.renew": lambda s: leasing.renew(s.queue, [("3", "w:1", 1)], 60_000),
    "limiting.freeze": lambda s: limiting.freeze(s.exchange.keyspace, "", 60_000),
    "limiting.observe": lambda s: s.exchange.observe(1, called(s), orders=5),
    "limiting.settle": lambda s: limiting.settle(
        s.exchange.keyspace, called(s).request, called(s).reply.tickets, {"orders": 1}, ends=True
    ),
    "limiting.take": lambda s: s.exchange.ask(1, COST),
    "managing.clean": lambda s: managing.clean(s.queue, "completed", NOW, 0),
    "managing.clear_rate_limit": lambda s: managing.clear_rate_limit(s.queue),
    "managing.configure": lambda s: managing.set_concurrency(s.queue, 3),
    "managing.obliterate": run("managing.obliterate", 100, "first", 1),
    "managing.pause": lambda s: managing.pause(s.queue),
    "managing.pause_for": lambda s: managing.pause_for(s.queue, 60_000),
    "managing.promote": run("managing.promote", 10),
    "managing.publish": lambda s: managing.publish_event(s.queue, "mine", {"a": "b"}),
    "managing.release_deduplication": lambda s: managing.release_deduplication(s.queue, "mine", "1"),
    "managing.resume": lambda s: managing.resume(s.queue),
    "managing.retry": run("managing.retry", "failed", NOW, 10, 0, "", NOW),
    "scheduling.advance": lambda s: scheduling.advance(s.queue, s.started),
    "scheduling.look": lambda s: scheduling.find_missing(s.queue, interval_ms=5000),
    "scheduling.remove": lambda s: scheduling.remove(s.queue, "s"),
    "scheduling.restore": run("scheduling.restore", "s", NOW, msgspec.msgpack.encode(PLAN)),
    "scheduling.upsert": lambda s: upsert(s.queue, id="t", every_ms=HOUR),
    "versioning.admit": lambda s: finish_and_take(s.queue, [], limited_by_version(s)),
    "versioning.divide": lambda s: versioning.set_canary(s.queue, Canary(2, 0.5)),
    "versioning.take": lambda s: finish_and_take(
        s.queue, [], VersionedTakeRequest(take=2, token="w:2", lock_ms=30_000, versions=[1])
    ),
}


def limited(stage: Stage) -> LimitedTakeRequest:
    limits = Limits("x", (Fixed("orders", 9, per="10s"),))
    use = JobOptions(use=LimitUse(cost=1))
    asked = take_limits(limits, use, NAMING, "q", egress="")
    return LimitedTakeRequest(take=2, token="w:2", lock_ms=30_000, limits=asked)


def limited_by_version(stage: Stage) -> VersionedLimitedTakeRequest:
    return VersionedLimitedTakeRequest(**msgspec.structs.asdict(limited(stage)), versions=[1], release=1)


def called(stage: Stage) -> Admitted:
    assert stage.called is not None
    return stage.called


async def make_the_call(stage: Stage) -> None:
    stage.called = await stage.exchange.take(0, COST)


async def begin_the_effect(stage: Stage) -> None:
    assert (await effects.begin(stage.queue, job_id="3")).code == 0


async def redeliver(stage: Stage) -> int:
    return await durable.redeliver(stage.channel, [stage.dead])


async def start_the_run(stage: Stage) -> None:
    stage.started = (await finish_and_take(stage.queue, [], TakeRequest(10, "w:2", 30_000))).records


async def lose_the_run(stage: Stage) -> None:
    stage.source.delete(stage.queue.base + RUN)
    stage.source.lrem(stage.queue.keys["wait"], 0, RUN)


async def miss_the_run(stage: Stage) -> None:
    await lose_the_run(stage)
    stage.keys.put({"repeat:s": {"missing": str(NOW)}})


async def find_dead(stage: Stage) -> None:
    (dead,) = await durable.read_dead_letters(stage.channel, "0-0", 1)
    stage.dead = dead.id


async def open_the_breaker(stage: Stage) -> None:
    stage.source.hset(stage.queue.keys["breaker"], mapping={"open": text_of(halt()), "until": 0})


BEFORE: dict[str, Act] = {
    "breaking.admit": open_the_breaker,
    "breaking.settle": open_the_breaker,
    "breaking.take": open_the_breaker,
    "durable.redeliver": find_dead,
    "effects.forget": begin_the_effect,
    "effects.report": begin_the_effect,
    "effects.settle": begin_the_effect,
    "halting.release": lambda s: halting.note_held(s.queue, "4"),
    "limiting.observe": make_the_call,
    "limiting.settle": make_the_call,
    "managing.release_deduplication": lambda s: s.queue.server.call("SET", s.queue.keys.owner("mine"), "1"),
    "managing.resume": lambda s: managing.pause(s.queue),
    "scheduling.advance": start_the_run,
    "scheduling.look": lose_the_run,
    "scheduling.restore": miss_the_run,
}


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterSet]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = ClusterSet(Path(data), replicas=0, options=COMPACT)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


@pytest.fixture
async def stage(servers: ClusterSet) -> AsyncIterator[Stage]:
    stage = Stage(servers)
    try:
        yield stage
    finally:
        await stage.aclose()


def parts_of(before: dict[bytes, Any], declared: set[bytes]) -> list[list[bytes]]:
    """Return which keys to move: those that a script finds on its way first, as it does not name them."""
    others = sorted(set(before) - declared)
    named = sorted(set(before) & declared)
    return [[], others[::2], others, [*others, *named[::2]], [*others, *named]]


def declared_by(stage: Stage, name: str) -> set[bytes]:
    return {key.encode() for key in stage.queue.script_keys(load(name))}


def test_every_script_that_writes_is_tried() -> None:
    writing = {name for name in names() if "+" not in name and not load(name).reads_only}
    # The first two have no key, and the third writes none.
    assert set(ACTS) == writing - {"broadcast.publish", "broadcast.publish_in_slot", "editing.list_below"}


@pytest.mark.parametrize("name", ACTS)
async def test_it_is_refused_before_its_first_write(stage: Stage, name: str) -> None:
    await stage.fill()
    if name in BEFORE:
        await BEFORE[name](stage)
    before = stage.snapshot()
    await ACTS[name](stage)
    assert stage.snapshot() != before, "it writes nothing where it may"
    for keys in parts_of(before, declared_by(stage, name)):
        stage.restore(before)
        with stage.moving(keys):
            with pytest.raises(SlotMoving):
                await ACTS[name](stage)
            assert stage.snapshot() == before


@pytest.mark.parametrize("name", ["adding.add", "managing.clean", "scheduling.remove"])
async def test_without_the_guard_it_breaks_off(stage: Stage, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_calls, "guarded", lambda call: call)
    await stage.fill()
    before = stage.snapshot()
    has_broken_off = False
    for keys in parts_of(before, declared_by(stage, name)):
        stage.restore(before)
        with stage.moving(keys), suppress(ServerUnavailable):
            try:
                await ACTS[name](stage)
            except ServerRefused:
                has_broken_off |= stage.snapshot() != before
    assert has_broken_off


async def test_batches_of_a_producer_are_refused(stage: Stage) -> None:
    await stage.fill()
    before = stage.snapshot()
    others = parts_of(before, declared_by(stage, "adding.add"))[2]
    stream = AddStream(stage.queue)
    await stream.open()
    stage.server.call_timeout = 1
    with stage.moving(others):
        stream.write([new_job("work", "{}", JobOptions(), NOW)])
        with pytest.raises(SlotMoving):
            await stream.read()
        assert stage.snapshot() == before


async def test_a_worker_that_waits_is_refused(stage: Stage) -> None:
    await stage.fill()
    # It would be taken away by the wait.
    stage.keys.delete("marker")
    before = stage.snapshot()
    others = parts_of(before, declared_by(stage, "finishing.finish"))[2]
    taker = BlockingTaker(stage.queue)
    await taker.open()
    try:
        with stage.moving(others):
            with pytest.raises(SlotMoving):
                await taker.wait_and_take(0.001, TakeRequest(2, "w:2", 30_000))
            assert stage.snapshot() == before
    finally:
        await taker.close()
