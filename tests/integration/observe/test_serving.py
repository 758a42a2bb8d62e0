"""Metrics and health of a process over HTTP, while its workers work on a real server."""

import asyncio
import contextlib
import gc
import logging
import socket
import struct
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stockyard import Channel, ConfigError, Delay, Job, Router, Worker
from stockyard.monitoring import MetricsServer
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.alerts.settings import AlertSettings
from stockyard.observe.metrics import http_server
from stockyard.testing.proxy import Proxy
from tests.support.scraping import fetch, fetch_now, probe, scrape
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, stays
from tests.support.yard import Yard

RUN_SECONDS = 0.002


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


@pytest.fixture
def server(yard: Yard) -> MetricsServer:
    yard.queue()
    return yard.app.serve_metrics()


def desk() -> Router:
    router = Router()

    @router.handler("fill")
    async def fill(job: Job[Any]) -> None:
        await asyncio.sleep(RUN_SECONDS)

    @router.handler("reject")
    async def reject(job: Job[Any]) -> None:
        raise ValueError("no such account")

    @router.handler("step-aside")
    async def step_aside(job: Job[Any]) -> None:
        if job.attempts_started == 1:
            raise Delay("1ms")

    return router


async def test_what_jobs_did_is_told_by_queue_and_name(yard: Yard, server: MetricsServer) -> None:
    queue = yard.queue()
    await queue.add_many([("fill", n) for n in range(5)])
    await queue.add("reject", attempts=2, backoff="1ms")
    await queue.add("step-aside")
    await queue.add("nobody serves this")
    worker = await yard.work(desk(), concurrency=3)
    await eventually(lambda: _ended(worker.metrics) == 8)
    found = await scrape(server.url, "queue", "name", "le", "state")
    assert {name: found[f"stockyard_jobs_{name}"] for name in (
        "completed_total q fill", "failed_total q reject", "retried_total q reject", "delayed_total q step-aside",
        "completed_total q step-aside", "failed_total q other",
    )} == {
        "completed_total q fill": 5, "failed_total q reject": 1, "retried_total q reject": 1,
        "delayed_total q step-aside": 1, "completed_total q step-aside": 1, "failed_total q other": 1,
    }  # fmt: skip
    assert found["stockyard_job_run_seconds_count q fill"] == 5
    assert found["stockyard_job_run_seconds_sum q fill"] > 5 * 0.0015
    assert found["stockyard_job_run_seconds_bucket q fill 0.001"] == 0
    # The first starts alone.
    assert found["stockyard_job_wait_seconds_count q reject"] == 1
    assert found["stockyard_job_run_seconds_count q reject"] == 2
    assert found["stockyard_worker_concurrency q"] == 3
    assert found["stockyard_queue_completed_total q"] == 6
    assert found["stockyard_queue_failed_total q"] == 2
    assert found["stockyard_jobs q failed"] == 2
    assert found["stockyard_workers q"] == 1


async def test_counters_go_on_when_a_worker_is_gone(yard: Yard, server: MetricsServer) -> None:
    series = "stockyard_jobs_completed_total q fill"

    async def work() -> "weakref.ref[Worker]":
        await yard.queue().add("fill")
        worker = yard.app.worker("q", desk(), handle_signals=False)
        working = asyncio.create_task(worker.run())
        await eventually(lambda: _ended(worker.metrics) == 1)
        await worker.stop()
        await working
        return weakref.ref(worker)

    gone = await work()
    await eventually(lambda: gc.collect() >= 0 and gone() is None)
    assert (await scrape(server.url, "queue", "name"))[series] == 1
    await work()
    assert (await scrape(server.url, "queue", "name"))[series] == 2


async def test_the_wait_of_a_delayed_job_begins_when_it_is_due(yard: Yard, server: MetricsServer) -> None:
    await yard.queue().add("fill", delay="300ms")
    worker = await yard.work(desk())
    await eventually(lambda: _ended(worker.metrics) == 1)
    found = await scrape(server.url, "queue", "name")
    assert found["stockyard_job_wait_seconds_sum q fill"] < 0.3


async def test_a_job_of_a_dead_worker_is_counted_where_it_is_handed_back(
    yard: Yard, server: MetricsServer, raw: Any, prefix: str
) -> None:
    job = await yard.queue(lock="100ms").add("fill")
    raw.lrem(f"{prefix}:q:wait", 1, job.id)
    raw.lpush(f"{prefix}:q:active", job.id)
    worker = await yard.work(desk(), stalled_interval="50ms")
    await eventually(lambda: _ended(worker.metrics) == 1)
    assert (await scrape(server.url, "queue"))["stockyard_jobs_stalled_total q"] == 1


async def test_caches_and_channels_that_are_used_are_told(yard: Yard, server: MetricsServer) -> None:
    cache = yard.app.cache("risk")
    await cache.set("a", 1)
    await cache.get("a")
    await cache.get("b")
    await yard.app.channel(Channel("prices")).publish(1)
    found = await scrape(server.url, "cache", "channel")
    assert found["stockyard_cache_hits_total risk"] == 1
    assert found["stockyard_cache_misses_total risk"] == 1
    assert found["stockyard_cache_entries risk"] == 1
    assert found["stockyard_channel_published_total prices"] == 1


async def test_a_scrape_is_one_round_trip_for_all_queues(make_server: Callable[..., OwnServer]) -> None:
    own = make_server(port=True)
    async with Proxy(own.url) as proxy, Yard(proxy.url, "t") as yard:
        for name in "abcdefgh":
            yard.queue(name)
        server = yard.app.serve_metrics()
        await scrape(server.url)
        before = len(proxy.requests)
        found = await scrape(server.url, "queue", "state")
        assert len(proxy.requests) == before + 1
        assert found["stockyard_jobs h waiting"] == 0
        assert found["stockyard_server_memory_bytes"] > 0


async def test_alerts_that_fire_are_told(yard: Yard, server: MetricsServer) -> None:
    await yard.queue().add("fill")
    alert_monitor = yard.app.alert_monitor(AlertSettings(Thresholds(no_worker="0s"), ()))
    await alert_monitor.check_once()
    assert (await scrape(server.url, "rule", "queue"))["stockyard_alerts_firing waiting without a worker q"] == 1


async def test_a_process_is_ready_while_its_workers_work(yard: Yard, server: MetricsServer) -> None:
    assert await probe(f"{server.url}/ready") == (200, {})
    worker = yard.app.worker("q", desk(), handle_signals=False)
    assert await probe(f"{server.url}/ready") == (503, {"q: worker": False, "q: server": True})
    assert await probe(f"{server.url}/live") == (200, {})
    running = asyncio.create_task(worker.run())
    await worker.ready.wait()
    status, checks = await probe(f"{server.url}/ready")
    assert (status, list(checks)) == (200, ["q: worker", "q: server", "q: loop", "q: taking"])
    assert await probe(f"{server.url}/live") == (200, {"q: loop": True, "q: taking": True})
    await worker.stop()
    await running
    assert await probe(f"{server.url}/ready") == (503, {"workers": False})
    assert (await probe(f"{server.url}/live"))[0] == 200


async def test_a_blocked_loop_is_seen_from_its_own_process(
    yard: Yard, server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stockyard.consume.heartbeat.BLOCKED_SECONDS", 0.7)

    is_seen = threading.Event()

    async def block(job: Job[Any]) -> None:
        assert is_seen.wait(10)

    seen: set[str] = set()

    def look() -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until and not any('"name":"q: loop","ok":false' in each for each in seen):
            seen.add(fetch_now(f"{server.url}/live")[1])
        is_seen.set()

    await yard.work(block)
    looking = asyncio.create_task(asyncio.to_thread(look))
    await eventually(lambda: seen)
    job = await yard.queue().add("x")
    await looking
    assert any('"name":"q: loop","ok":false' in each for each in seen)
    await job.wait_for_result(25)
    await eventually(lambda: _is_live(server))


async def test_a_server_that_is_away_is_told_and_is_no_reason_to_start_again(
    make_server: Callable[..., OwnServer], caplog: pytest.LogCaptureFixture
) -> None:
    own = make_server(port=True)
    async with Proxy(own.url) as proxy, Yard(proxy.url, "t", call_timeout=0.3) as yard:
        yard.queue()
        server = yard.app.serve_metrics()
        worker = await yard.work(desk(), drain_delay="100ms")
        await scrape(server.url)
        await proxy.refuse()
        await eventually(lambda: _ready_is(server, 503))
        assert (await probe(f"{server.url}/ready"))[1]["q: server"] is False
        with caplog.at_level(logging.CRITICAL):
            found = await scrape(server.url, "queue", "name")
        assert found["stockyard_server_up"] == 0
        assert found["stockyard_worker_concurrency q"] == worker.concurrency
        assert "stockyard_jobs q" not in found
        assert await _is_live(server)
        await proxy.accept()
        await eventually(lambda: _ready_is(server, 200))
        assert (await scrape(server.url))["stockyard_server_up"] == 1


async def test_a_probe_does_not_stand_in_line_behind_a_slow_scrape(make_server: Callable[..., OwnServer]) -> None:
    own = make_server(port=True)
    async with Yard(own.url, "t", call_timeout=3) as yard:
        yard.queue()
        server = yard.app.serve_metrics()
        await scrape(server.url)
        own.pause()
        try:
            scraping = asyncio.create_task(scrape(server.url))
            await stays(lambda: not scraping.done())
            assert (await probe(f"{server.url}/live"))[0] == 200
            assert not scraping.done()
        finally:
            own.resume()
        await scraping


async def test_other_paths_and_methods_are_refused(server: MetricsServer) -> None:
    assert await fetch(f"{server.url}/") == (404, "try /metrics, /live or /ready\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /live HTTP/1.0\r\n\r\n")
    assert b"405" in await reader.readline()
    writer.close()


async def test_it_ends_with_its_app(yard: Yard, server: MetricsServer) -> None:
    await scrape(server.url)
    await yard.app.aclose()
    with pytest.raises(OSError, match="refused"):
        await fetch(f"{server.url}/live")
    server.stop()


def test_an_address_that_is_taken_is_named(redis_url: str, prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot serve metrics on 127\.0\.0\.1:{port}: .*in use"):
            Yard(redis_url, prefix).app.serve_metrics(port=port)


def _ended(metrics: Any) -> int:
    return sum(counters.completed + counters.failed for _, counters in metrics.by_name())


async def _is_live(server: MetricsServer) -> bool:
    return (await probe(f"{server.url}/live"))[0] == 200


async def _ready_is(server: MetricsServer, status: int) -> bool:
    return (await probe(f"{server.url}/ready"))[0] == status


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=abc",
        "application/openmetrics-text; version=1.0.0; escaping=nonsense",
        "application/openmetrics-text; version=9.9.9; escaping=\x7f",
        "text/plain; version=; escaping=",
        "text/plain; version=1.0.0; escaping=values; q=zzz",
        ";;;,,,/=",
        "image/png",
        "\xff\xfe",
        "",
    ],
)
async def test_an_odd_accept_header_gets_the_metrics_all_the_same(server: MetricsServer, accept: str) -> None:
    request = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode("latin-1")
    answer = await asyncio.to_thread(_talk, server.port, request)
    assert answer.split(b"\r\n")[0] == b"HTTP/1.0 200 OK"
    assert b"stockyard_server_up 1.0" in answer


async def test_clients_that_send_nothing_or_a_byte_at_a_time_hold_nothing_up(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stockyard.observe.metrics.http_server.HEAD_SECONDS", 1.0)
    with contextlib.ExitStack() as ending:
        silent = [ending.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(40)]
        slow = ending.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert (await fetch(server.url + "/live"))[0] == 200
        await eventually(lambda: _serving_threads() <= http_server.MOST_CONNECTIONS)

        def drip() -> bool:
            try:
                slow.sendall(b"G")
                return slow.recv(1, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

        await eventually(drip, every=0.05)
        await eventually(lambda: _serving_threads() == 0)
        for each in silent:
            assert each.recv(1) == b""
    assert (await fetch(server.url + "/live"))[0] == 200
    assert "Traceback" not in capfd.readouterr().err


async def test_a_client_that_leaves_before_its_answer_leaves_no_traceback(
    server: MetricsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    await eventually(lambda: _serving_threads() == 0)
    assert (await fetch(server.url + "/live"))[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def _serving_threads() -> int:
    return sum("process_request_thread" in each.name for each in threading.enumerate())


def _talk(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))
