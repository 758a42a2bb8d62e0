"""The name of a server comes to lead to another one, while connections to the old one stay open."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from stockyard import Channel, Job, ReplyLost, ServerUnavailable
from stockyard.events import CompletedEvent
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Pair:
    """A primary and its replica behind one name."""

    def __init__(self, old: OwnServer, new: OwnServer, name: Proxy) -> None:
        self.old, self.new, self.name = old, new, name

    async def replicate(self) -> None:
        with self.new.client() as new, self.old.client() as old:
            new.replicaof("127.0.0.1", str(self.old.port))
            await eventually(lambda: new.info("replication")["master_link_status"] == "up", within=60)
            offset = old.info("replication")["master_repl_offset"]
            await eventually(lambda: new.info("replication")["slave_repl_offset"] >= offset)

    def demote(self) -> None:
        """Make the old server a replica; the name goes on leading to it."""
        with self.new.client() as new, self.old.client() as old:
            new.replicaof("NO", "ONE")
            old.replicaof("127.0.0.1", str(self.new.port))

    def move_name(self) -> None:
        self.name.aim(self.new.url)

    def fail_over(self) -> None:
        self.demote()
        self.move_name()


@pytest.fixture
async def pair(server: OwnServer, make_server: Callable[..., OwnServer], proxy: Proxy) -> Pair:
    with server.client() as client:
        client.config_set("repl-diskless-sync-delay", 0)
    pair = Pair(server, make_server(port=True), proxy)
    await pair.replicate()
    return pair


@pytest.fixture
async def yard(pair: Pair) -> AsyncIterator[Yard]:
    async with Yard(pair.name.url, "t", call_timeout=5) as yard:
        yield yard


async def test_a_producer_goes_on_with_the_new_primary(yard: Yard, pair: Pair) -> None:
    queue = yard.queue()
    await queue.add("x")
    pair.fail_over()
    jobs = await queue.add_many([("x", number) for number in range(200)])
    assert len({job.id for job in jobs}) == 200
    assert (await queue.add("x")).id == "202"
    with pair.new.client() as new:
        assert new.llen("t:q:wait") == 202


async def test_a_call_waits_until_the_name_leads_to_the_new_primary(yard: Yard, pair: Pair) -> None:
    queue = yard.queue()
    await queue.add("x")
    pair.demote()
    adding = asyncio.create_task(queue.add("x"))
    pausing = asyncio.create_task(queue.pause())
    tries = len(pair.name.requests)
    await eventually(lambda: len(pair.name.requests) > tries + 10)
    assert not adding.done()
    pair.move_name()
    assert (await adding).id == "2"
    await pausing
    assert await queue.is_paused()


async def test_a_name_that_leads_to_a_replica_for_good_is_said(pair: Pair) -> None:
    pair.demote()
    async with Yard(pair.name.url, "t", call_timeout=1.5) as yard:
        with pytest.raises(ServerUnavailable, match="it is a replica, which takes no writes") as refused:
            await yard.queue().add("x")
        assert "REDIS_URL" in str(refused.value)
        assert not any(word in str(refused.value) for word in ("script", "@user", "READONLY"))
        with pytest.raises(ServerUnavailable, match="it is a replica, which takes no writes"):
            await yard.queue().pause()
        with pytest.raises(ServerUnavailable, match="it is a replica, which takes no writes"):
            await yard.app.channel(Channel("c")).publish(1)
        with pytest.raises(ServerUnavailable, match="it is a replica, which takes no writes"):
            await asyncio.to_thread(lambda: yard.queue().sync.add("x"))


@pytest.mark.parametrize("call", ["add", "pause", "publish"])
async def test_a_replica_is_still_the_reason_where_the_name_falls_silent(pair: Pair, call: str) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    opened: list[asyncio.StreamWriter] = []
    pair.demote()
    async with (
        await asyncio.start_server(say_nothing, "127.0.0.1") as silent,
        Yard(pair.name.url, "t", call_timeout=1.5) as yard,
    ):
        queue, channel = yard.queue(), yard.app.channel(Channel("c"))
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "add": lambda: queue.add("x"),
            "pause": queue.pause,
            "publish": lambda: channel.publish(1),
        }
        calling = asyncio.ensure_future(asked[call]())
        # It has been refused by the replica, and goes on asking.
        await eventually(lambda: len(pair.name.requests) > 3)
        pair.name.aim(f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        with pytest.raises(ServerUnavailable, match="it is a replica, which takes no writes"):
            await calling
        assert opened
        for writer in opened:
            writer.close()


async def test_a_worker_goes_on_and_is_not_ready_in_between(
    yard: Yard, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    queue = yard.queue(lock="1s")
    ran: list[str] = []
    goes_on = asyncio.Event()

    async def note(job: Job[Any]) -> None:
        ran.append(job.id)
        if job.name == "long":
            await goes_on.wait()

    await queue.add("x")
    worker = await yard.work(note, concurrency=2)
    long = await queue.add("long")
    await eventually(lambda: ran == ["1", "2"])
    with caplog.at_level(logging.WARNING, "stockyard"):
        pair.demote()
        await eventually(lambda: any(not check.ok for check in worker.health_checks()), within=15)
        assert all(check.ok for check in worker.health_checks() if check.is_fatal)
        seen = time.monotonic()
        await eventually(lambda: time.monotonic() > seen + 3, within=10)
        pair.move_name()
        moved = time.monotonic()
        added = await queue.add("x")
        await added.wait_for_result(25)
        await eventually(lambda: all(check.ok for check in worker.health_checks()))
        assert time.monotonic() - moved < 5
    goes_on.set()
    await long.wait_for_result(25)
    assert (await long.refresh()).stalled_count == 0
    warnings = [record.getMessage() for record in caplog.records if "it is a replica" in record.getMessage()]
    assert len(warnings) == 1, warnings


async def test_a_worker_that_waits_in_vain_is_woken(yard: Yard, pair: Pair) -> None:
    """Its blocking call is cut short by the server."""
    queue = yard.queue()
    worker = await yard.work(lambda job: None, executor="thread")
    await eventually(lambda: any("waits for jobs" in check.detail for check in worker.health_checks()))
    pair.fail_over()
    assert await (await queue.add("x")).wait_for_result(25) is None


async def test_events_results_and_channels_go_on(yard: Yard, pair: Pair) -> None:
    queue = yard.queue()
    channel = yard.app.channel(Channel("c"))
    heard: list[Any] = []
    async with yard.app.events("q", only=(CompletedEvent,)) as events, channel.subscribe() as messages:

        async def listen() -> None:
            async for message in messages:
                heard.append(getattr(message, "value", message))  # noqa: PERF401

        listening = asyncio.create_task(listen())
        await yard.work(lambda job: job.data, executor="thread")
        first = await queue.add("x", 1)
        assert await first.wait_for_result(25) == 1
        await channel.publish("before")
        await eventually(lambda: heard == ["before"])
        pair.fail_over()
        second = await queue.add("x", 2)
        assert await second.wait_for_result(25) == 2
        for job in (first, second):
            event = await asyncio.wait_for(anext(events), 60)
            assert isinstance(event, CompletedEvent)
            assert event.job_id == job.id

        # Of a fire-and-forget channel, what a connection publishes within a second of its last look may be lost.
        async def is_heard() -> bool:
            await channel.publish("after")
            return "after" in heard

        await eventually(is_heard, every=0.1)
        listening.cancel()
    with pair.new.client() as new:
        assert new.info("replication")["role"] == "master"


async def test_a_cache_goes_on(yard: Yard, pair: Pair) -> None:
    cache = yard.app.cache("c", ttl="1h")
    await cache.set("a", 1)
    pair.fail_over()
    await cache.set("a", 2)
    assert await cache.get("a") == 2
    with pair.new.client() as new:
        assert new.exists("t:cache:c:entries:a") or any(new.scan_iter("t*a"))


async def test_what_was_lost_is_not_sent_again(yard: Yard, pair: Pair) -> None:
    """The old primary may have written it before it went."""
    queue = yard.queue()
    await queue.add("x")
    lost = pair.name.lose_reply(lambda request: b"EVALSHA" in request)
    with pytest.raises(ReplyLost):
        await queue.add("x")
    assert lost.is_set()
    with pair.old.client() as old:
        assert old.llen("t:q:wait") == 2
