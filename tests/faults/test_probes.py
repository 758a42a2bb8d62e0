"""The probes of a worker whose server or connection goes away: what turns red, and that it heals by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stockyard import Job
from stockyard.monitoring import MetricsServer
from stockyard.testing.proxy import Proxy
from tests.support.scraping import probe
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, stays
from tests.support.yard import Yard

RUN_SECONDS = 0.001
"""How long a job takes at least: all of them take longer than the server is gone."""


@pytest.fixture
async def yard(proxy: Proxy) -> AsyncIterator[Yard]:
    async with Yard(proxy.url, "t") as yard:
        yard.queue()
        yield yard


async def echo(job: Job[Any]) -> Any:
    return job.data


@pytest.mark.long
@pytest.mark.parametrize("drain_delay", ["5s", "1h"])
async def test_a_blocking_connection_that_falls_silent_is_fatal_within_15_s_and_is_rebuilt(
    yard: Yard, proxy: Proxy, drain_delay: str
) -> None:
    probes = yard.app.serve_metrics()
    await yard.work(echo, drain_delay=drain_delay)
    await (await yard.queue().add("x", 1)).wait_for_result(25)
    await eventually(lambda: _waits(proxy))
    assert await _live(probes) == 200

    assert proxy.silence(lambda sent: b"BZPOPMIN" in sent) == 1
    cut = time.monotonic()
    await eventually(lambda: _live_is(probes, 503), within=15)
    assert (await probe(f"{probes.url}/live"))[1] == {"q: loop": True, "q: taking": False}

    await eventually(lambda: _live_is(probes, 200), within=15)
    assert await (await yard.queue().add("x", 2)).wait_for_result(2) == 2
    assert time.monotonic() - cut < 20


async def test_it_stays_fatal_until_there_is_a_new_connection(yard: Yard, proxy: Proxy) -> None:
    probes = yard.app.serve_metrics()
    await yard.work(echo, drain_delay="200ms")
    await eventually(lambda: _waits(proxy))
    proxy.hold()
    await eventually(lambda: _live_is(probes, 503), within=15)
    # Longer than the blocking taker waits for a late answer: it tries to connect, and nobody answers.
    await stays(lambda: _live_is(probes, 503), during=3.5, every=0.1)
    proxy.release()
    await eventually(lambda: _live_is(probes, 200), within=15)
    assert await (await yard.queue().add("x", 2)).wait_for_result(5) == 2


async def test_a_server_that_restarts_is_not_fatal_and_costs_at_most_two_seconds(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(remove_on_complete=False)
        probes = yard.app.serve_metrics()
        ended: list[float] = []

        async def note(job: Job[Any]) -> None:
            await asyncio.sleep(RUN_SECONDS)
            ended.append(time.monotonic())

        await yard.work(note, concurrency=2)
        await queue.add_many([("x", n) for n in range(20_000)])
        await eventually(lambda: ended)
        server.kill()
        # Long enough for the pauses between attempts to have grown as long as they can.
        await stays(lambda: _live_is(probes, 200), during=5, every=0.1)
        assert (await probe(f"{probes.url}/ready"))[1]["q: server"] is False
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        await eventually(lambda: ended[-1] > back, within=2)
        await eventually(lambda: _ready_is(probes, 200))


def _waits(proxy: Proxy) -> bool:
    return any(b"BZPOPMIN" in each for each in proxy.requests)


async def _live(probes: MetricsServer) -> int:
    return (await probe(f"{probes.url}/live"))[0]


async def _live_is(probes: MetricsServer, status: int) -> bool:
    return await _live(probes) == status


async def _ready_is(probes: MetricsServer, status: int) -> bool:
    return (await probe(f"{probes.url}/ready"))[0] == status
