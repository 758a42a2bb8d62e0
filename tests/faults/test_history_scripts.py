"""However replies are lost, a call runs its script once: what the server counted is what the callers asked for."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from stockyard import Job, JobState, ReplyLost
from stockyard.testing.proxy import Loss, Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

CALLS = 60
FATES: list[Loss] = ["cut", "half", "silence"]


@pytest.fixture
def server(make_server: Callable[..., OwnServer]) -> OwnServer:
    return make_server(port=True)


@pytest.fixture
async def yard(proxy: Proxy) -> AsyncIterator[Yard]:
    async with Yard(proxy.url, "t", call_timeout=0.5) as yard:
        yield yard


def is_call(request: bytes) -> bool:
    return b"EVALSHA" in request


def runs_of_scripts(server: OwnServer) -> int:
    """How many calls of a script the server ran, those not counted that it refused."""
    with server.client() as client:
        counts: Any = client.info("commandstats")
    calls = counts.get("cmdstat_evalsha", {"calls": 0, "failed_calls": 0})
    return int(calls["calls"]) - int(calls["failed_calls"])


async def lost_of(call: Callable[[int], Awaitable[object]], before: Callable[[int], object]) -> int:
    """Call again and again, one after the other; return how many replies were lost."""
    lost = 0
    for number in range(CALLS):
        before(number)
        try:
            await call(number)
        except ReplyLost:
            lost += 1
    return lost


def one_in_ten(proxy: Proxy, how: Loss) -> Callable[[int], object]:
    return lambda number: number % 10 == 3 and proxy.lose_reply(is_call, how)


@pytest.mark.long
@pytest.mark.parametrize("how", FATES)
async def test_an_add_is_one_run_of_a_script(yard: Yard, proxy: Proxy, server: OwnServer, how: Loss) -> None:
    queue = yard.queue()
    await queue.add("warm")
    before = runs_of_scripts(server)
    lost = await lost_of(lambda number: queue.add("x", number), one_in_ten(proxy, how))
    assert lost == CALLS // 10
    assert runs_of_scripts(server) - before == CALLS
    assert (await queue.counts())[JobState.WAITING] == CALLS + 1


@pytest.mark.long
@pytest.mark.parametrize("how", FATES)
async def test_a_change_is_one_run_of_a_script(yard: Yard, proxy: Proxy, server: OwnServer, how: Loss) -> None:
    job = await yard.queue().add("x")
    await job.log("warm")
    before = runs_of_scripts(server)
    lost = await lost_of(lambda number: job.log(f"line {number}"), one_in_ten(proxy, how))
    assert lost == CALLS // 10
    assert runs_of_scripts(server) - before == CALLS
    assert await job.logs() == ["warm", *(f"line {number}" for number in range(CALLS))]


async def test_a_script_that_the_server_forgot_runs_once(yard: Yard, server: OwnServer) -> None:
    queue = yard.queue()
    job = await queue.add("warm")
    await job.log("warm")
    before = runs_of_scripts(server)

    def forget(number: int) -> None:
        with server.client() as client:
            client.script_flush()

    assert await lost_of(lambda number: queue.add("x", number), forget) == 0
    assert await lost_of(lambda number: job.log(f"line {number}"), forget) == 0
    assert runs_of_scripts(server) - before == 2 * CALLS
    assert (await queue.counts())[JobState.WAITING] == CALLS + 1


@pytest.mark.long
@pytest.mark.parametrize("how", FATES)
async def test_a_worker_sends_no_call_twice(yard: Yard, proxy: Proxy, server: OwnServer, how: Loss) -> None:
    """Each of its calls has a token of its own; an end whose reply was lost is sent again under another one."""
    queue = yard.queue(remove_on_complete=False)
    runs: list[str] = []

    async def note(job: Job[Any]) -> None:
        runs.append(job.id)

    await yard.work(note, concurrency=5)
    await (await queue.add("warm")).wait_for_result(5)
    with server.client() as client, client.monitor() as monitor:
        for _ in range(5):
            lost = proxy.lose_reply(lambda request: is_call(request) and b"lock_ms" in request, how)
            jobs = await queue.add_many([("x", n) for n in range(40)])
            await eventually(lost.is_set)
            await eventually(lambda jobs=jobs: {job.id for job in jobs} <= set(runs))  # type: ignore[misc]
        await eventually(lambda: _has_completed(server, 201))
        tokens = _tokens(monitor, server)
    assert len(tokens) > 20
    assert len(tokens) == len(set(tokens))
    assert len(runs) == len(set(runs)) == 201


def _has_completed(server: OwnServer, number: int) -> bool:
    with server.client() as client:
        return bool(client.zcard("t:q:completed") == number)


def _tokens(monitor: Any, server: OwnServer) -> list[str]:
    """The token of every call that takes, up to now."""
    with server.client() as client:
        client.echo("that is all")
    tokens = []
    while "that is all" not in (command := monitor.next_command()["command"]):
        tokens += re.findall(r"token.{1,8}?([0-9a-f]{32}:\d+)", command)
    return tokens
