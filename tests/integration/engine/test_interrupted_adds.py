"""A call that adds many jobs and cannot add all of them says how many are surely there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import App, JobState, ParentRef, Topology
from stockyard.errors import JobNotFound, ReplyLost
from stockyard.testing.proxy import Proxy
from tests.support.servers import OwnServer
from tests.support.yard import Yard


@pytest.mark.parametrize("in_thread", [False, True], ids=["loop", "thread"])
@pytest.mark.parametrize("shards", [1, 4])
async def test_a_lost_reply_says_how_many_jobs_were_added(
    make_server: Callable[..., OwnServer], in_thread: bool, shards: int
) -> None:
    server = make_server(port=True)
    topology = Topology("test")
    topology.queue("q", shards=shards)
    async with Proxy(server.url) as proxy, App(topology, proxy.url, call_timeout=2) as app:
        queue = app.queue("q")
        lost = proxy.lose_reply(lambda sent: b"number 777" in sent)
        jobs = [("x", f"number {number}", {"job_id": f"j-{number}"}) for number in range(1000)]
        with pytest.raises(ReplyLost, match=r"of the 1000 jobs, \d+ were surely added") as error:
            await (asyncio.to_thread(queue.sync.add_many, jobs) if in_thread else queue.add_many(jobs))
        await asyncio.wait_for(lost.wait(), 25)
        added = int(str(error.value).split("jobs, ")[1].split()[0])
        there = (await queue.counts())[JobState.WAITING]
        # A call carries at most 50, and a call of each shard may be under way.
        assert added <= there <= added + 50 * shards
        assert there < 1000
        assert len(await queue.add_many(jobs)) == 1000
        assert (await queue.counts())[JobState.WAITING] == 1000


async def test_a_job_without_its_parent_keeps_no_other_from_being_added(yard: Yard) -> None:
    queue = yard.queue()
    jobs: list[Any] = [("x", number) for number in range(200)]
    jobs[3] = ("x", 3, {"parent": ParentRef("q", "nobody")})
    with pytest.raises(JobNotFound, match="of the 200 jobs, 199 were surely added") as error:
        await queue.add_many(jobs)
    assert error.value.job_id
    assert await queue.count("waiting") == 199
