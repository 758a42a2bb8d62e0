"""The faults whose histories are checked: what happens, and what the server may forget by it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import redis

from stockyard.testing.judgement import HistoryReport
from stockyard.testing.proxy import Loss, Proxy
from tests.faults.fleet import CONCURRENCY, ServerFleet
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, ticks, wait_until

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "1"))
"""How often each fault happens in a run."""

IS_LONG = bool(os.environ.get("FAULTS_LONG"))
"""Whether the long ones are among those that are tested."""

_AWAY = 0.5
_CALM = 0.5  # seconds of load before a fault and after the last, whose jobs are judged as well


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of fault.

    Attributes:
        name: for tests and tables.
        happens: what happens, in words.
        fault: makes it happen and returns when it is over.
        appendfsync: of the server.
        is_busy: whether more jobs wait than the workers can run; else the workers wait for jobs.
        forgets: seconds before the fault of which the server may lose what it acknowledged.
        unwritten: runs that had ended and that the server did not know of when they were handed back: their worker
            had died, or Node's worker did it. After an outage longer than the leases it does so at once, also with
            jobs of ours; our own workers wait until the leases could be renewed.
        with_node: whether a worker of Node is among those that run the jobs.
        is_long: whether it takes longer than a test should.
    """

    name: str
    happens: str
    fault: Callable[[ServerFleet], Awaitable[None]]
    appendfsync: str = "always"
    is_busy: bool = True
    forgets: float = 0.0
    unwritten: int = 0
    with_node: bool = True
    is_long: bool = False


def _fleet(scenario: Scenario, backlog: int) -> ServerFleet:
    return ServerFleet(appendfsync=scenario.appendfsync, backlog=backlog, with_node=scenario.with_node)


async def play(scenario: Scenario) -> HistoryReport:
    """Let it happen under load, and judge what became of the jobs."""
    backlog = 100 + 250 * ROUNDS if scenario.is_busy else 0
    async with _fleet(scenario, backlog) as fleet:
        times = []
        for _ in range(ROUNDS):
            await asyncio.sleep(_CALM)
            began = time.time()
            await scenario.fault(fleet)
            times.append((began, time.time()))
            await fleet.all_go_on(times[-1][1])
        await asyncio.sleep(_CALM)
        return await fleet.judge(times, forgets=scenario.forgets)


async def kill_server(fleet: ServerFleet, seconds: float = _AWAY) -> None:
    fleet.server.kill()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(fleet.server.start)


async def kill_server_for_long(fleet: ServerFleet) -> None:
    await kill_server(fleet, 30)


async def stop_server(fleet: ServerFleet) -> None:
    await asyncio.to_thread(fleet.server.stop)
    await asyncio.sleep(_AWAY)
    await asyncio.to_thread(fleet.server.start)


async def cut_power(fleet: ServerFleet) -> None:
    """Kill it, and take from its file what the disk would not have: the last second."""
    unwritten = 1.0
    log = next((fleet.server.data / "appendonlydir").glob("*.incr.aof"))
    size = log.stat().st_size
    await asyncio.sleep(unwritten)
    fleet.server.kill()
    os.truncate(log, size)
    await asyncio.sleep(_AWAY)
    await asyncio.to_thread(fleet.server.start)


async def fail_over(fleet: ServerFleet) -> None:
    """Kill the server and let a copy take its address."""
    copy = await asyncio.to_thread(_copy_of, fleet)
    await asyncio.sleep(_CALM)
    fleet.server.kill()
    for proxy in fleet.proxies:
        await proxy.refuse()
        proxy.aim(copy.url)
    await asyncio.sleep(_AWAY)
    with copy.client() as client:
        client.replicaof("NO", "ONE")
    fleet.server = copy
    for proxy in fleet.proxies:
        await proxy.accept()


def _copy_of(fleet: ServerFleet) -> OwnServer:
    copy = fleet.add_server(replicaof=f"127.0.0.1 {fleet.server.port}")
    with copy.client() as client:
        wait_until(lambda: _section(client, "replication")["master_link_status"] == "up", within=60)
    return copy


def _section(client: "redis.Redis", name: str) -> dict[str, Any]:
    found: Any = client.info(name)
    return dict(found)


async def flush_scripts(fleet: ServerFleet) -> None:
    with fleet.server.client() as client:
        async for _ in ticks(0.1, 10):
            client.script_flush()


async def kill_clients(fleet: ServerFleet) -> None:
    with fleet.server.client() as client:
        async for _ in ticks(0.2, 5):
            client.client_kill_filter(_type="normal", skipme=True)


async def pause_server(fleet: ServerFleet, seconds: float = 5) -> None:
    fleet.server.pause()
    await asyncio.sleep(seconds)
    fleet.server.resume()


async def kill_worker(fleet: ServerFleet) -> None:
    victim = next(
        each for each in fleet.players if each.role == "work" and not each.is_node and not each.was_killed
    )
    victim.kill()
    fleet.play("work", f"{victim.name}-again", concurrency=CONCURRENCY)


async def silence_producers(fleet: ServerFleet) -> None:
    assert fleet.producers.silence()


async def silence_calls(fleet: ServerFleet) -> None:
    """All connections on which workers call, but for those on which they wait."""
    assert fleet.workers.silence(lambda sent: b"EVALSHA" in sent and b"BZPOPMIN" not in sent)


async def silence_blocking_takers(fleet: ServerFleet) -> None:
    # Both of our workers wait for jobs; on a busy machine they may still be starting.
    cut = 0

    def both_are_cut() -> bool:
        nonlocal cut
        cut += fleet.workers.silence(lambda sent: b"BZPOPMIN" in sent)
        return cut == 2

    await eventually(both_are_cut)


async def silence_all(fleet: ServerFleet) -> None:
    assert fleet.producers.silence()
    assert fleet.workers.silence()


def lose_replies(how: Loss) -> Callable[[ServerFleet], Awaitable[None]]:
    async def lose(fleet: ServerFleet) -> None:
        await asyncio.gather(*(_lose_ten(proxy, how) for proxy in (fleet.producers, fleet.workers)))

    return lose


async def _lose_ten(proxy: Proxy, how: Loss) -> None:
    async for _ in ticks(0.1, 10):
        await proxy.lose_reply(lambda request: b"EVALSHA" in request, how).wait()


async def delay_all(fleet: ServerFleet, seconds: float = 4) -> None:
    for proxy in (fleet.producers, fleet.workers):
        proxy.delay = 0.5
    await asyncio.sleep(seconds)
    for proxy in (fleet.producers, fleet.workers):
        proxy.delay = 0


_OF_OURS = 2 * CONCURRENCY
"""Runs that our two workers have at one time."""

SERVER = (
    Scenario("killed", "server killed by SIGKILL, back after 0.5 s", kill_server),
    Scenario("killed-everysec", "the same, `appendfsync everysec`", kill_server, appendfsync="everysec"),
    Scenario(
        "away",
        "server killed by SIGKILL, back after 30 s",
        kill_server_for_long,
        unwritten=_OF_OURS,
        is_long=True,
    ),
    Scenario("restarted", "server stopped cleanly, back after 0.5 s", stop_server, appendfsync="everysec"),
    Scenario(
        "power",
        "its machine loses power, and what the disk had not got: the last second",
        cut_power,
        appendfsync="everysec",
        forgets=0.1,
    ),
    Scenario("failover", "server killed, a replica takes its address", fail_over, forgets=1),
    Scenario("scripts", "`SCRIPT FLUSH` ten times in a second", flush_scripts),
    Scenario("clients", "`CLIENT KILL` of all connections, five times in a second", kill_clients),
    Scenario("paused", "server frozen for 5 s", pause_server, unwritten=_OF_OURS),
    Scenario("paused-alone", "the same, with no worker of Node", pause_server, with_node=False),
)
WIRES = (
    Scenario("silent-producers", "connections of the producers silently cut", silence_producers),
    Scenario("silent-calls", "connections of the workers' calls silently cut", silence_calls),
    Scenario(
        "silent-blocking-takers", "blocking connections silently cut", silence_blocking_takers, is_busy=False
    ),
    Scenario("silent", "every connection silently cut", silence_all),
    Scenario("lost", "ten replies lost, their connections with them", lose_replies("cut")),
    Scenario("half", "ten connections cut in the middle of a reply", lose_replies("half")),
    Scenario("delay", "500 ms of delay each way, for 4 s", delay_all),
)
WORKERS = (Scenario("worker", "a worker killed by SIGKILL, another started", kill_worker, unwritten=CONCURRENCY),)
SCENARIOS = (*SERVER, *WIRES, *WORKERS)
