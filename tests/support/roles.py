"""What the users of `deploy/users.acl` do: the operations of each role, by the public API and on a real server."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast, get_args

import msgspec
import pytest
from msgspec.structs import replace as replaced

from stockyard import App, Deduplication, Flow, JobOptions, JobState, ParentRef
from stockyard._store.jobs import leasing
from stockyard._store.jobs.finishing import TakeRequest, finish_and_take
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server_at import server_at
from stockyard.errors import NotDurable, QueueFull
from stockyard.model.family import ChildKind
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.produce.relayed_adds import Relayed, RelayedAdds, StoredAdd
from stockyard.pubsub import Channel, Delivery, OpenChannel
from tests.support.limit_roles import call_within_limits, look_at_limits
from tests.support.stage import Stage
from tests.support.waiting import eventually

_SILENCE = 1.2
"""Seconds after which a subscription asks whether the server is there, and some more."""

Operation = Callable[[Stage], Coroutine[Any, Any, None]]


async def add(stage: Stage) -> None:
    await stage.at_the_server("SCRIPT", "FLUSH")
    await stage.prepared.set_concurrency(1)
    await stage.queue.add("a")
    await stage.queue.add("b", lifo=True, job_id="b")
    await stage.queue.add("b", job_id="b")
    await stage.queue.add("c", priority=3)
    await stage.queue.add("d", delay="1h")
    await stage.queue.add_many([("e", number) for number in range(100)])


async def add_durably(stage: Stage) -> None:
    await stage.queue.add("x", durability="aof")
    # Nobody follows the server: how long the wait for a replica is, the timeout of calls decides.
    hasty = App(stage.topology, settings=msgspec.structs.replace(stage.app.settings, call_timeout=2.0))
    with suppress(NotDurable):
        await hasty.queue(stage.name).add("x", durability="replica")
    await hasty.aclose()


async def deduplicate(stage: Stage) -> None:
    for options in ({}, {"ttl": "1h"}, {"ttl": "1h", "extend": True}, {"replace": True}, {"reschedule": True}):
        same = Deduplication(f"{options}", **options)
        await stage.queue.add("x", delay="1h", deduplication=same)
        await stage.queue.add("y", delay="1h", deduplication=same)
    # One that became a child after it was added, and makes place for another: its parent waits for it no more.
    again = Deduplication("again", replace=True)
    await stage.queue.add("x", job_id="child", delay="1h", deduplication=again)
    await stage.app.flows.add(Flow("parent", stage.name, children=[Flow("x", stage.name, job_id="child")]))
    await stage.queue.add("y", delay="1h", deduplication=again)
    last = Deduplication("last", ttl="1h", keep_last=True)
    slow = await stage.queue.add("slow", deduplication=last)
    async with stage.works(app=stage.admin, concurrency=5):
        await stage.ends(slow, "active")
        await stage.queue.add("slow", deduplication=last)


async def add_flows(stage: Stage) -> None:
    children = [Flow("child", stage.name, job_id="first"), Flow("child", stage.name, delay="1h")]
    tree = await stage.app.flows.add(Flow("parent", stage.name, children=children))
    await stage.queue.add("late", parent=tree.job)
    await stage.queue.add("late", parent=tree.job, job_id="named")
    done = await stage.queue.add("done", job_id="done")
    async with stage.admin_works():
        await stage.ends(done)
    # A child that has ended already lets its parent go at once.
    await stage.app.flows.add(Flow("parent", stage.name, children=[Flow("done", stage.name, job_id=done.id)]))


async def follow(stage: Stage) -> None:
    job = await stage.queue.add("x")
    waiting = asyncio.create_task(job.wait_for_result(60))
    # Where entries may be missing, the stream is looked at as a whole.
    await stage.at_the_server("DEL", f"{stage.naming.place(stage.name)}:events")
    async with stage.admin_works():
        await waiting
    await job.refresh()
    await job.state()


async def schedule(stage: Stage) -> None:
    schedules = stage.app.schedules(stage.name)
    await schedules.upsert("every", every="1h")
    await schedules.upsert("every", every="2h")
    await schedules.upsert("cron", cron="0 5 * * *", tz="UTC")
    await schedules.list()
    await schedules.count()
    await schedules.remove("every")


async def relay(stage: Stage) -> None:
    """What the relay of an outbox does."""
    await stage.prepared.add("parent", job_id="parent")
    of_job = JobOptions().merged(parent=ParentRef(stage.name, "parent"))
    jobs = [StoredAdd(f"{number}", "x", "{}", replaced(of_job, job_id=f"o-{number}")) for number in range(3)]
    adds = RelayedAdds(stage.queue, memory_ms=60_000, most=100)
    assert await adds.add_first(jobs) == await adds.add_first(jobs) == Relayed(3, None, False)


async def arrange(stage: Stage) -> None:
    ticks = stage.app.queue(f"{stage.name}-ticks")
    for _ in range(2):
        await ticks.add("x", coalesce="BTC")
    await ticks.add("x", coalesce="ETH", delay="1h")
    with pytest.raises(QueueFull):
        await ticks.add("x")


PRODUCER = (add, add_durably, deduplicate, add_flows, follow, schedule, relay, arrange)


async def work(stage: Stage) -> None:
    await stage.prepared.set_concurrency(3)
    await stage.prepared.add_many([("fine", None), ("fine", None, {"priority": 3}), ("fine", None, {"delay": 5})])
    for job in [await stage.prepared.add("fine", deduplication="one"), await stage.prepared.add("bad")]:
        async with stage.works():
            await stage.ends(job, "failed" if job.name == "bad" else "completed")


async def retry(stage: Stage) -> None:
    plain = await stage.prepared.add("flaky", attempts=2)
    urgent = await stage.prepared.add("flaky", attempts=2, priority=1)
    later = await stage.prepared.add("flaky", attempts=2, backoff="10ms")
    async with stage.works():
        for job in (plain, urgent, later):
            await stage.ends(job)


async def use_the_job(stage: Stage) -> None:
    job = await stage.prepared.add("busy", keep_logs=2)
    async with stage.works():
        await stage.ends(job)


async def keep_long(stage: Stage) -> None:
    job = await stage.prepared.add("slow")
    async with stage.works():
        await stage.ends(job)


async def move(stage: Stage) -> None:
    jobs = [await stage.prepared.add(name) for name in ("delayed", "again", "limited")]
    async with stage.works():
        for job in jobs:
            await stage.ends(job)


async def have_children(stage: Stage) -> None:
    parent = await stage.prepared.add("parent")
    async with stage.works(concurrency=3):
        await stage.ends(parent)


async def end_flows(stage: Stage) -> None:
    for policy in ("fail_parent", "continue_parent", "ignore_dependency", "remove_dependency"):
        child = Flow("bad", stage.name, on_failure=policy)
        tree = await stage.admin.flows.add(Flow("fine", stage.name, children=[child]))
        async with stage.works():
            await stage.ends(tree.job, "failed" if policy == "fail_parent" else "completed")


async def run_schedules(stage: Stage) -> None:
    await stage.admin.schedules(stage.name).upsert("s", every="50ms", name="fine")
    async with stage.works():
        await eventually(lambda: stage.ran >= 2)


async def keep_to_limits(stage: Stage) -> None:
    limited = stage.admin.queue(f"{stage.name}-limited")
    await limited.add_many([("fine", None)] * 3)
    async with stage.works(queue=limited.name):
        await eventually(lambda: stage.ran >= 1)
        await eventually(lambda: _is_limited(limited))


async def _is_limited(queue: Any) -> bool:
    return bool(await queue.rate_limit_left_ms(1))


async def recover(stage: Stage) -> None:
    keyspace = QueueKeyspace(server_at(stage.app.settings.address), stage.naming, stage.name)
    await stage.prepared.add("x")
    order = TakeRequest(take=1, token="mine", lock_ms=100)
    try:
        taken = await finish_and_take(keyspace, [], order)
        await leasing.reclaim(keyspace, "mine")
        (job,) = [row.raw_id.decode() for row in taken.records]
        await stage.at_the_server("DEL", keyspace.keys.of_job(job, "lock"))
        await leasing.renew(keyspace, [(job, "mine", 1)], 20)
        await leasing.recover_stalled(keyspace, interval_ms=1, max_stalled=1)
        await stage.at_the_server("DEL", keyspace.keys.of_job(job, "lock"), keyspace.keys["stalled_check"])
        await stage.at_the_server("HDEL", keyspace.keys["meta"], "swept")
        await leasing.recover_stalled(keyspace, interval_ms=1, max_stalled=0)
    finally:
        await keyspace.server.aclose()


async def watch(stage: Stage) -> None:
    alert_monitor = stage.app.alert_monitor(AlertSettings.load({"STOCKYARD_ALERT_NO_WORKER": "0s"}, dotenv=None))
    await stage.prepared.add("x")
    alerts = f"{stage.naming.part('alerts', stage.topology.name)}:"
    await stage.at_the_server("DEL", f"{alerts}leader", f"{alerts}incidents")
    await alert_monitor.start()
    await eventually(stage.admin.alerts.incidents, within=60)
    await alert_monitor.stop()


async def keep_up(stage: Stage) -> None:
    """Drop what is old, and what comes too late."""
    news = stage.app.queue(f"{stage.name}-news")
    await news.add_many([("x", number, {"priority": number}) for number in range(4)])
    async with stage.works(news.name):
        await eventually(lambda: _is_empty(stage, news.name))
    ticks = f"{stage.name}-ticks"
    await stage.app.queue(ticks).add("flaky", coalesce="SOL", attempts=2, backoff="1h")
    async with stage.works(ticks):
        await eventually(lambda: _is_delayed(stage, ticks))


async def _is_empty(stage: Stage, queue: str) -> bool:
    return (await stage.admin.queue(queue).count()) == 0


async def _is_delayed(stage: Stage, queue: str) -> bool:
    return (await stage.admin.queue(queue).counts())[JobState.DELAYED] > 0


WORKER = (
    keep_up,
    *PRODUCER,
    work,
    retry,
    use_the_job,
    keep_long,
    move,
    have_children,
    end_flows,
    run_schedules,
    keep_to_limits,
    recover,
    watch,
    call_within_limits,
)


async def look(stage: Stage) -> None:
    await stage.at_the_server("SCRIPT", "FLUSH")
    jobs = await stage.prepared.add_many([("x", None), ("y", None, {"priority": 3}), ("z", None, {"delay": "1h"})])
    await stage.app.health()
    await stage.app.check_server()
    await stage.app.monitor.overview()
    await stage.queue.counts()
    await stage.queue.counts_per_priority([0, 3])
    await stage.queue.get_jobs(["waiting", "prioritized", "delayed"])
    await stage.queue.is_paused()
    await stage.queue.settings()
    await stage.queue.rate_limit_left_ms(1)
    await stage.queue.deduplication_owner("x")
    await stage.queue.workers()
    await stage.queue.versions()
    await stage.queue.count_versions()
    await stage.queue.canary()
    await stage.queue.metrics("completed")
    await stage.queue.prometheus()
    for job in jobs:
        await stage.queue.position(job.id)
    found = await stage.queue.get_job(jobs[0].id)
    assert found is not None
    await found.state()
    await found.logs()


async def look_at_flows(stage: Stage) -> None:
    tree = await stage.admin.flows.add(Flow("parent", stage.name, children=[Flow("child", stage.name)]))
    await stage.app.flows.get(stage.name, tree.job.id)
    job = await stage.queue.get_job(tree.job.id)
    assert job is not None
    await job.children_values()
    await job.ignored_failures()
    await job.failed_children()
    await job.children_counts()
    for kind in get_args(ChildKind):
        await job.children(kind)


async def look_at_schedules(stage: Stage) -> None:
    await stage.admin.schedules(stage.name).upsert("s", every="1h")
    schedules = stage.app.schedules(stage.name)
    await schedules.list()
    await schedules.get("s")
    await schedules.count()


async def read_events(stage: Stage) -> None:
    async with stage.app.events(stage.name, after="0-0") as events:
        await stage.prepared.add("x")
        await anext(events)
        await events.earlier(5)
    job = await stage.prepared.add("x")
    found = await stage.queue.get_job(job.id)
    assert found is not None
    waiting = asyncio.create_task(found.wait_for_result(60))
    async with stage.admin_works():
        await waiting


async def read_alerts(stage: Stage) -> None:
    await stage.app.alerts.incidents()
    await stage.app.alerts.history()
    await stage.app.alerts.silences()
    await stage.app.monitor.audit.list(5)


async def look_at_channels(stage: Stage) -> None:
    kept: OpenChannel[int] = stage.admin.channel(Channel(stage.name, durable=True))
    await kept.publish(1)
    async with kept.consume("ledger") as messages, stage.admin.channel(Channel(f"{stage.name}:live")).subscribe():
        await anext(messages)
        await stage.app.channels.on_server()


READER = (look, look_at_flows, look_at_schedules, read_events, read_alerts, look_at_limits, look_at_channels)


async def broadcast(stage: Stage) -> None:
    await stage.at_the_server("SCRIPT", "FLUSH")
    channel: OpenChannel[int] = stage.app.channel(Channel(stage.name))
    async with channel.subscribe() as messages:
        async with stage.app.channel(Channel(f"{stage.name}:other")).subscribe():
            pass
        await channel.publish(1)
        await channel.publish_many([2, 3])
        for _ in range(3):
            await anext(messages)
        # Nothing comes for a while, and the server is asked whether it is there.
        await asyncio.sleep(_SILENCE)


async def keep(stage: Stage) -> None:
    idle = 0.2
    channel: OpenChannel[int] = stage.app.channel(Channel(stage.name, durable=True, attempts=2, idle=f"{idle}s"))
    await channel.publish_many(range(10))
    async with channel.consume("ledger", buffer=2) as messages:
        first, second, third = [cast("Delivery[int]", await anext(messages)) for _ in range(3)]
        await first.ack()
        await second.release("not now")
        await third.dead_letter("never")
        await asyncio.sleep(1.5 * idle)
    (letter,) = await channel.dead_letters()
    await channel.redeliver(letter.id)
    await channel.discard(letter.id)
    await channel.groups()
    await channel.read()
    async with channel.replay("0-0") as kept:
        await anext(kept)
    async with channel.replay() as kept:
        await channel.publish(11)
        await anext(kept)
    await channel.delete_group("ledger")


async def claim(stage: Stage) -> None:
    channel: OpenChannel[int] = stage.app.channel(Channel(stage.name, durable=True, idle="100ms"))
    await channel.publish_many([1, 2])
    messages = f"{stage.naming.part('channel', stage.name)}:messages"
    await stage.at_the_server("XGROUP", "CREATE", messages, "ledger", "0")
    await stage.at_the_server("XREADGROUP", "GROUP", "ledger", "dead", "COUNT", "1", "STREAMS", messages, ">")
    async with channel.consume("ledger") as found:
        for _ in range(2):
            await anext(found)


PUBSUB = (broadcast, keep, claim, look_at_channels)
