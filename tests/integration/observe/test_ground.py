"""Workers look at their server before they take anything from it, and leave it alone where it is not safe."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, Job, Settings, WorkerOptions
from stockyard.errors import UnsafeServer
from stockyard.testing.proxy import Proxy
from stockyard.trading import PLATFORM, QueueName, create_worker, declare_platform, use_app
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

MakeServer = Callable[..., OwnServer]


async def echo(job: Job[Any]) -> Any:
    return job.data


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.message for each in caplog.records if "is not safe for queues" in each.message]


def test_both_execution_queues_are_critical_and_no_other() -> None:
    critical = {spec.name for spec in PLATFORM if spec.critical}
    assert critical == {QueueName.EXECUTION_ORDER_SUBMISSION, QueueName.EXECUTION_RECONCILIATION}


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"])
@pytest.mark.parametrize("queue", [spec.name for spec in PLATFORM if spec.critical])
async def test_a_critical_queue_is_not_worked_on_where_keys_are_evicted(
    make_server: MakeServer, policy: str, queue: str
) -> None:
    server = make_server(options={"maxmemory-policy": policy})
    async with App(declare_platform(), server.url) as app:
        previous = use_app(app)
        try:
            job = await app.queue(queue).add("submit")
            with pytest.raises(UnsafeServer) as refused:
                await asyncio.wait_for(create_worker(queue, echo, handle_signals=False).run(), 60)
        finally:
            use_app(previous)
        assert (refused.value.queue, refused.value.cause) == (queue, f"maxmemory-policy is {policy}")
        for part in (
            queue,
            policy,
            refused.value.danger,
            "CONFIG SET maxmemory-policy noeviction",
            "allow_eviction",
        ):
            assert part in str(refused.value)
        assert await job.state() in ("waiting", "prioritized")


async def test_other_queues_warn_once_a_process_and_server(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(options={"maxmemory-policy": "volatile-lru"})
    async with Yard(server.url, "t") as yard, Yard(server.url, "other") as second:
        for each in (yard, second):
            each.queue("a")
            each.queue("b")
            await asyncio.gather(each.work(echo, "a"), each.work(echo, "b"))
        assert await (await yard.queue("a").add("x", 1)).wait_for_result(25) == 1
    (said,) = warnings(caplog)
    assert "maxmemory-policy is volatile-lru" in said
    assert "jobs run twice" in said
    assert "Remedy: CONFIG SET" in said


async def test_a_critical_queue_that_may_lose_jobs_is_worked_on_with_a_warning(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(options={"maxmemory-policy": "allkeys-lru"})
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(critical=True)
        await yard.work(echo, allow_eviction=True)
        assert await (await queue.add("x", 1)).wait_for_result(25) == 1
    assert len(warnings(caplog)) == 1


async def test_a_server_that_hides_its_policy_must_be_trusted(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(port=True)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "shy", "on", ">s3cret", "~*", "&*", "+@all", "-info")
    url = server.url.replace("redis://", "redis://shy:s3cret@")
    async with Yard(url, "t") as yard:
        yard.queue("orders", critical=True)
        yard.queue("mail")
        acceptances: list[WorkerOptions] = [{}, {"allow_eviction": True}]
        for acceptance in acceptances:
            with pytest.raises(UnsafeServer, match="STOCKYARD_TRUST_SERVER=1") as refused:
                await yard.app.worker("orders", echo, **acceptance).run()
            assert "s3cret" not in str(refused.value)
        await yard.work(echo, "mail")
        assert "hides its maxmemory-policy" in warnings(caplog)[0]
        trusting = Settings.load(url, prefix="t", trust_server=True, dotenv=None)
        async with App(yard.topology, settings=trusting) as app:
            worker = app.worker("orders", echo, handle_signals=False)
            running = asyncio.create_task(worker.run())
            assert await (await app.queue("orders").add("x", 1)).wait_for_result(25) == 1
            await worker.stop()
            await running
    assert len(warnings(caplog)) == 1


async def test_workers_that_start_together_share_one_look(make_server: MakeServer) -> None:
    server = make_server(port=True)
    async with Proxy(server.url) as proxy, Yard(proxy.url, "t") as yard:
        for name in "abcdef":
            yard.queue(name, critical=True)
        await asyncio.gather(*(yard.work(echo, name) for name in "abcdef"))
        assert sum(each.count(b"persistence") for each in proxy.requests) == 1


async def test_a_server_that_is_away_is_waited_for_and_then_looked_at(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(port=True, options={"maxmemory-policy": "allkeys-lru"})
    async with Proxy(server.url) as proxy, Yard(proxy.url, "t", call_timeout=0.2) as yard:
        yard.queue(critical=True)
        await proxy.refuse()
        running = asyncio.create_task(yard.app.worker("q", echo, handle_signals=False).run())
        await eventually(lambda: any("waits" in each.message for each in caplog.records))
        assert not running.done()
        await proxy.accept()
        with pytest.raises(UnsafeServer):
            await asyncio.wait_for(running, 60)
