"""Operations on many jobs: however many there are, one call does a bounded part of the work."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis

from stockyard import Flow, Job, JobState
from stockyard._store.net.server import Server
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

MANY = 3000
MOST_COMMANDS = 2200
"""Commands that a script may run: of no operation do they grow with the number of jobs."""

LONGEST = 1_000_000
"""Microseconds that a call may take on a busy machine; one that took on all jobs at once took many seconds."""


class Watch:
    """Counts the commands that each call of an operation runs on a server of its own."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.most = 0

    def commands(self) -> int:
        statistics = re.findall(r"^cmdstat_(\S+):calls=(\d+)", self._raw.info("commandstats"), re.M)
        return sum(int(calls) for name, calls in statistics if name != "info")


@pytest.fixture
def own_server(make_server: Callable[..., OwnServer]) -> OwnServer:
    """A server without persistence, which would take a quarter of its time here."""
    return make_server(options={"appendonly": "no"})


@pytest.fixture
async def yard(own_server: OwnServer, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(own_server.url, prefix, call_timeout=60) as made:
        made.queue("p", attempts=1, remove_on_complete=False)
        made.queue("c", attempts=1, remove_on_complete=False)
        yield made


@pytest.fixture
def watch(own_server: OwnServer, monkeypatch: pytest.MonkeyPatch) -> Watch:
    raw: Any = redis.Redis.from_url(own_server.url, decode_responses=True)
    # Read a thousand times in a test: as text, of which one number a line is wanted.
    raw.set_response_callback("INFO", lambda text, **_: text)
    watch = Watch(raw)
    ask = Server.run_many

    async def counted(server: Server, runs: Any, *also: Any, **more: Any) -> list[Any]:
        before = watch.commands()
        replies = await ask(server, runs, *also, **more)
        watch.most = max(watch.most, watch.commands() - before)
        return replies

    monkeypatch.setattr(Server, "run_many", counted)
    return watch


def family(number: int, first: int = 0) -> Flow:
    numbers = range(first, first + number)
    return Flow("parent", "p", job_id="par", children=[Flow("kid", "c", n, job_id=f"k-{n}") for n in numbers])


async def test_a_large_flow_is_added_read_and_removed_in_parts(yard: Yard, watch: Watch) -> None:
    tree = await yard.app.flows.add(family(MANY))
    assert len(tree.children) == MANY
    assert await yard.queue("c").count() == MANY
    again = await yard.app.flows.add(family(MANY))
    assert not any(job.was_added for job in again)
    assert await tree.job.children_counts() == {"processed": 0, "unprocessed": MANY, "ignored": 0, "failed": 0}
    assert len((await yard.app.flows.get("p", "par", children=1000)).children) == 1000  # type: ignore[union-attr]
    await tree.job.remove()
    assert (await yard.queue("c").count(), await yard.queue("p").count()) == (0, 0)
    assert 0 < watch.most <= MOST_COMMANDS


async def test_the_unprocessed_children_of_a_large_flow_go_in_parts(yard: Yard, watch: Watch) -> None:
    tree = await yard.app.flows.add(family(MANY))
    await yard.queue("c").add_many([("other", None, {"lifo": True})] * 100)
    assert await tree.job.remove_unprocessed_children() == MANY
    assert await yard.queue("c").count() == 100
    assert await tree.job.state() is JobState.WAITING
    assert 0 < watch.most <= MOST_COMMANDS


async def test_a_retried_parent_of_many_settles_them_in_parts(
    yard: Yard, watch: Watch, own_server: OwnServer
) -> None:
    await yard.app.flows.add(family(MANY))
    keyspace = yard.queue("p")._keyspace
    raw: Any = redis.Redis.from_url(own_server.url)
    raw.zrem(keyspace.keys["waiting_children"], "par")
    raw.zadd(keyspace.keys["failed"], {"par": 1})
    raw.unlink(*(yard.queue("c")._keyspace.keys.job(f"k-{number}") for number in range(0, MANY, 2)))
    job = await yard.queue("p").get_job("par")
    assert job is not None
    assert await yard.queue("p").retry_all() == 1
    assert (await job.children_counts())["unprocessed"] == MANY // 2
    assert await job.state() is JobState.WAITING_CHILDREN
    assert 0 < watch.most <= MOST_COMMANDS


@pytest.mark.parametrize("operation", ["drain", "clean", "promote_all", "retry_all", "obliterate"])
async def test_operations_on_a_whole_queue_go_in_parts(
    yard: Yard, watch: Watch, own_server: OwnServer, operation: str
) -> None:
    queue = yard.queue("c")
    await queue.add_many([("kid", n, {"delay": "1h"} if operation == "promote_all" else {}) for n in range(MANY)])
    raw: Any = redis.Redis.from_url(own_server.url, decode_responses=True)
    if operation == "retry_all":
        keys = queue._keyspace.keys
        raw.zadd(keys["failed"], {job_id: at for at, job_id in enumerate(raw.lrange(keys["wait"], 0, -1))})
        raw.unlink(keys["wait"])
    watch.most = 0
    match operation:
        case "clean":
            assert len(await queue.clean("waiting")) == MANY
        case "obliterate":
            await queue.obliterate()
        case _:
            assert await getattr(queue, operation)() == MANY
    waiting = MANY if operation in ("promote_all", "retry_all") else 0
    assert await queue.count() == waiting
    assert 0 < watch.most <= MOST_COMMANDS


async def test_a_deep_chain_in_one_queue_is_drained_in_parts(yard: Yard, watch: Watch) -> None:
    flow = Flow("leaf", "c")
    for _ in range(1500):
        flow = Flow("link", "c", children=[flow])
    tree = await yard.app.flows.add(flow)
    deep = await yard.app.flows.get("c", tree.job.id, depth=2000)
    assert deep is not None
    assert sum(1 for _ in deep) == 1501
    assert "1 children" in repr(deep)
    watch.most = 0
    assert await yard.queue("c").drain() == 1
    assert await yard.queue("c").count() == 0
    assert 0 < watch.most <= MOST_COMMANDS


async def test_a_deep_chain_is_removed_from_its_top(yard: Yard, watch: Watch) -> None:
    flow = Flow("leaf", "c")
    for _ in range(1500):
        flow = Flow("link", "c", children=[flow])
    tree = await yard.app.flows.add(flow)
    await tree.job.remove()
    assert await yard.queue("c").count() == 0
    assert 0 < watch.most <= MOST_COMMANDS


async def test_a_backlog_of_finished_jobs_is_trimmed_in_parts(
    yard: Yard, watch: Watch, own_server: OwnServer
) -> None:
    queue = yard.queue("c")
    raw: Any = redis.Redis.from_url(own_server.url)
    raw.zadd(queue._keyspace.keys["completed"], {f"old-{number}": number for number in range(MANY)})

    async def end(job: Job[Any]) -> None:
        return None

    await yard.work(end, queue="c", concurrency=10)
    while await queue.count("completed") > 5:
        before = await queue.count("completed")
        await (await queue.add("x", remove_on_complete=5)).wait_for_result("25s")
        assert await queue.count("completed") < before
    assert 0 < watch.most <= MOST_COMMANDS


async def test_a_long_event_stream_is_trimmed_to_its_end(yard: Yard, own_server: OwnServer) -> None:
    queue = yard.queue("c")
    raw: Any = redis.Redis.from_url(own_server.url)
    with raw.pipeline(transaction=False) as pipe:
        for number in range(25_000):
            pipe.xadd(queue._keyspace.keys["events"], {"event": "x", "number": number})
        pipe.execute()
    assert await queue.trim_events(0) == 25_000


GROW = """
local job, wait, dependencies = unpack(KEYS)
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    redis.call('COPY', job .. '0', job .. number)
    redis.call('LPUSH', wait, 'k-' .. number)
    redis.call('SADD', dependencies, job .. number)
end
"""
"""Adds children like the first one to a parent, much faster than adding them one by one."""


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_no_call_is_long_with_100_000_children(yard: Yard, own_server: OwnServer) -> None:
    raw: Any = redis.Redis.from_url(own_server.url)
    most = 100_000
    await yard.app.flows.add(family(1))
    parents, children = (yard.queue(name)._keyspace.keys for name in ("p", "c"))
    keys = (children.job("k-"), children["wait"], parents.of_job("par", "dependencies"))
    # In parts: on a busy machine, the client would not wait for the end of all at once.
    for first in range(1, most - MANY, MANY):
        raw.eval(GROW, len(keys), *keys, first, min(first + MANY, most - MANY))
    raw.config_set("slowlog-log-slower-than", LONGEST)
    raw.slowlog_reset()
    tree = await yard.app.flows.add(family(MANY, first=most - MANY))
    assert await yard.queue("c").count() == most
    assert (await tree.job.children_counts())["unprocessed"] == most
    assert await tree.job.children_values() == {}
    await tree.job.remove()
    await eventually(lambda: raw.dbsize() < 20)
    assert raw.slowlog_get() == []
