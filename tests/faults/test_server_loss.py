"""The server goes away, comes back, or its replies do: nothing is lost, and nothing is sent or run twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from stockyard import (
    Delay,
    Job,
    JobState,
    RateLimited,
    ReplyLost,
    Requeue,
    ServerUnavailable,
    WaitForChildren,
)
from stockyard._store.scripts import load
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.waiting import eventually, results_awaited, stays
from tests.support.yard import Yard

AWAY = 0.1
"""Seconds that the server is gone; clients try again meanwhile."""
LEASE = 0.4

RENEW = load("leasing.renew").sha.encode()


@pytest.fixture
async def yard(proxy: Proxy) -> AsyncIterator[Yard]:
    async with Yard(proxy.url, "t", call_timeout=2) as yard:
        yield yard


def is_add(request: bytes) -> bool:
    return b"EVALSHA" in request and b"payload" in request


async def test_an_add_whose_reply_is_lost_says_so_and_is_not_sent_again(
    yard: Yard, proxy: Proxy, server: OwnServer
) -> None:
    queue = yard.queue()
    await queue.add("warm")
    lost = proxy.lose_reply(is_add)
    with pytest.raises(ReplyLost, match="may or may not have happened"):
        await queue.add("x", "payload")
    assert lost.is_set()
    assert sum(map(is_add, proxy.requests)) == 1
    assert (await queue.counts())[JobState.WAITING] == 2


async def test_an_add_under_its_own_id_may_be_repeated(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    await queue.add("warm")
    proxy.lose_reply(is_add)
    with pytest.raises(ReplyLost):
        await queue.add("x", "payload", job_id="order-1")
    await queue.add("x", "payload", job_id="order-1")
    assert (await queue.counts())[JobState.WAITING] == 2


async def test_many_adds_on_a_wire_that_breaks_each_get_an_answer(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    await queue.add("warm")
    proxy.lose_reply(is_add)
    answers = await asyncio.gather(*(queue.add("x", f"payload {n}") for n in range(300)), return_exceptions=True)
    assert all(isinstance(each, Job | ReplyLost | ServerUnavailable) for each in answers)
    added = sum(isinstance(each, Job) for each in answers)
    possible = sum(isinstance(each, Job | ReplyLost) for each in answers)
    assert added + 1 <= (await queue.counts())[JobState.WAITING] <= possible + 1
    assert (await queue.add("x", "after")).id


async def test_a_silent_server_fails_an_add_after_the_call_timeout(proxy: Proxy) -> None:
    async with Yard(proxy.url, "t", call_timeout=0.3) as yard:
        queue = yard.queue()
        await queue.add("warm")
        proxy.hold()
        with pytest.raises(ReplyLost, match="timed out"):
            await queue.add("x", "payload")
        proxy.release()
        # The line that fell silent is not used again: its late reply would answer another call.
        job = await queue.add("y", {"n": 1})
        assert (await job.refresh()).data == {"n": 1}


async def test_an_unreachable_server_fails_an_add_and_nothing_was_sent(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    await queue.add("warm")
    await proxy.refuse()
    for _ in range(2):
        with pytest.raises((ServerUnavailable, ReplyLost)):
            await queue.add("x", "payload")
    await proxy.accept()
    await queue.add("y")
    assert (await queue.counts())[JobState.WAITING] == 2


async def test_an_add_waits_for_a_server_that_comes_back_in_time(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    await queue.add("warm")
    await proxy.refuse()
    await asyncio.sleep(0)
    adding = asyncio.create_task(queue.add("x"))
    await stays(lambda: not adding.done())
    await proxy.accept()
    assert (await adding).id == "2"


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    await queue.add("warm")
    for number in range(5):
        proxy.cut()
        # One turn of the loop closes it, and the next ones read its end.
        for _ in range(5):
            await asyncio.sleep(0)
        assert (await queue.add("x", number)).id


async def test_a_call_cancelled_in_the_handshake_spoils_no_other(yard: Yard, proxy: Proxy) -> None:
    queue = yard.queue()
    for pause in (0, 0.001, 0.002, 0.005, 0.01):
        proxy.cut()
        proxy.hold()
        call = asyncio.create_task(queue.add("lost"))
        await asyncio.sleep(pause)
        call.cancel()
        proxy.release()
        await asyncio.wait([call])
        job = await queue.add("x", {"n": pause})
        assert (await job.refresh()).data == {"n": pause}


class Counting:
    """A handler that counts its runs by job."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}

    async def __call__(self, job: Job[Any]) -> str:
        self.runs[job.id] = self.runs.get(job.id, 0) + 1
        return job.id


def is_finish(request: bytes) -> bool:
    return b"EVALSHA" in request and b"completed" in request


@pytest.mark.parametrize("times", [1, 3])
async def test_lost_replies_of_the_finish_run_no_job_twice(yard: Yard, proxy: Proxy, times: int) -> None:
    queue = yard.queue(remove_on_complete=False)
    counting = Counting()
    jobs = await queue.add_many([("x", n) for n in range(300)])
    for _ in range(times):
        proxy.lose_reply(is_finish)
    await yard.work(counting, concurrency=20)
    for _ in range(times):
        await eventually(lambda: counting.runs)
        proxy.lose_reply(is_finish)
    await eventually(lambda: _completed(yard, 300), within=25)
    assert counting.runs == {job.id: 1 for job in jobs}


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        (Delay("10ms"), "delayed"),
        (Requeue(), "requeued"),
        (RateLimited("5ms"), "requeued"),
        (WaitForChildren(), "waiting children"),
    ],
)
async def test_lost_replies_of_moves_run_no_job_more_often(
    yard: Yard, proxy: Proxy, signal: Exception, kind: str
) -> None:
    queue = yard.queue(remove_on_complete=False)
    counting = Counting()

    async def step_aside_once(job: Job[Any]) -> None:
        await counting(job)
        if job.attempts_started == 1:
            raise signal

    # With its length before it: the names of keys have these words, too.
    tag = msgspec.msgpack.encode(kind)
    lost = proxy.lose_reply(lambda request: b"EVALSHA" in request and tag in request)
    jobs = await queue.add_many([("x", n) for n in range(100)])
    await yard.work(step_aside_once, concurrency=20)
    await eventually(lambda: _completed(yard, 100), within=25)
    assert lost.is_set()
    assert counting.runs == {job.id: 2 for job in jobs}


async def test_jobs_of_a_take_whose_reply_is_lost_are_found_again(yard: Yard, proxy: Proxy) -> None:
    """No lease has to run out for it: that would take 30 seconds."""
    queue = yard.queue()
    counting = Counting()
    await yard.work(counting, concurrency=5)
    await (await queue.add("warm")).wait_for_result(5)
    lost = proxy.lose_reply(lambda request: b"EVALSHA" in request and b"lock_ms" in request)
    jobs = [await queue.add("x", n) for n in range(5)]
    await eventually(lambda: _completed(yard, 6), within=10)
    assert lost.is_set()
    assert {job.id: 1 for job in jobs}.items() <= counting.runs.items()


@pytest.mark.parametrize("pause", [0, 0.5])
async def test_a_worker_rides_through_cut_connections(yard: Yard, proxy: Proxy, pause: float) -> None:
    queue = yard.queue(remove_on_complete=False)
    counting = Counting()
    await queue.add_many([("x", n) for n in range(2000)])
    await yard.work(counting, concurrency=10)
    for _ in range(3):
        before = len(counting.runs)
        await eventually(lambda before=before: len(counting.runs) > before or len(counting.runs) == 2000)  # type: ignore[misc]
        await proxy.refuse()
        await asyncio.sleep(pause)
        await proxy.accept()
    await eventually(lambda: _completed(yard, 2000), within=25)
    assert set(counting.runs.values()) == {1}


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_worker_rides_through_a_restart_of_the_server(server: OwnServer, end: str) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(remove_on_complete=False)
        counting = Counting()
        await queue.add_many([("x", n) for n in range(1000)])
        await yard.work(counting, concurrency=10)
        await eventually(lambda: len(counting.runs) > 50)
        getattr(server, end)()
        await asyncio.sleep(AWAY)
        server.start()
        waiting = await queue.add("after")
        await waiting.wait_for_result(25)
        await eventually(lambda: _completed(yard, 1001), within=25)
        assert set(counting.runs.values()) == {1}


async def test_a_job_that_outlasts_a_restart_keeps_its_lease_and_its_end_is_written(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(lock=f"{LEASE}s")
        over, runs = asyncio.Event(), []

        async def wait(job: Job[Any]) -> str:
            runs.append(job.id)
            await over.wait()
            return "done"

        await yard.work(wait)
        job = await queue.add("x")
        await eventually(lambda: runs)
        server.stop()
        # It has run out when the server is back.
        await asyncio.sleep(1.5 * LEASE)
        server.start()
        with server.client() as client:
            await eventually(lambda: client.exists(f"t:q:{job.id}:lock"))
        over.set()
        assert await job.wait_for_result(25) == "done"
        assert runs == [job.id]


async def test_an_end_that_cannot_be_written_keeps_its_lease(server: OwnServer, proxy: Proxy) -> None:
    """The call that writes it is lost in a connection that fell silent; meanwhile nobody else may run the job."""
    async with Yard(proxy.url, "t", call_timeout=2.5) as yard, Yard(server.url, "t") as other:
        yard.queue(lock="1s")
        queue = other.queue(lock="1s")
        runs = []

        async def run(job: Job[Any]) -> str:
            runs.append(job.id)
            assert proxy.silence(lambda sent: b"BZPOPMIN" not in sent and RENEW not in sent)
            return "done"

        async def run_again(job: Job[Any]) -> str:
            runs.append(job.id)
            return "done again"

        await yard.work(run)
        job = await queue.add("x")
        await eventually(lambda: runs)
        await other.work(run_again)
        with server.client() as client:
            await eventually(lambda: client.zscore("t:q:completed", job.id))
            assert client.hget(f"t:q:{job.id}", "returnvalue") == '"done"'
        assert runs == [job.id]


async def test_a_job_that_ended_while_the_server_was_away_runs_once(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue(lock="400ms")
        over, runs = asyncio.Event(), []

        async def wait(job: Job[Any]) -> str:
            runs.append(job.id)
            await over.wait()
            return "done"

        await yard.work(wait)
        job = await queue.add("x")
        await eventually(lambda: runs)
        server.stop()
        over.set()
        await asyncio.sleep(2 * LEASE)
        server.start()
        assert await job.wait_for_result(25) == "done"
        assert runs == [job.id]


async def test_a_waiter_gets_its_result_over_a_restart(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue()
        job = await queue.add("x")
        waiting = asyncio.create_task(job.wait_for_result(25))
        await results_awaited(waiting)
        server.kill()
        await asyncio.sleep(AWAY)
        server.start()
        await yard.work(Counting())
        assert await waiting == job.id


async def test_a_forgotten_script_is_sent_again(server: OwnServer) -> None:
    async with Yard(server.url, "t") as yard:
        queue = yard.queue()
        await yard.work(Counting())
        with server.client() as client:
            for _ in range(3):
                client.script_flush()
                job = await queue.add("x")
                assert await job.wait_for_result(5) == job.id


async def _completed(yard: Yard, number: int) -> bool:
    try:
        return (await yard.queue().counts())[JobState.COMPLETED] >= number
    except (ServerUnavailable, ReplyLost):
        return False
