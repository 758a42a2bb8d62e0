"""Adds that are answered only when they are safe: on the server's disk, or at a replica."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

import pytest

from stockyard import InvalidOption, Job, Topology
from stockyard.errors import NotDurable
from stockyard.model.durability import Durability
from tests.support.servers import OwnServer
from tests.support.sets import SentinelSet
from tests.support.yard import Yard


@pytest.fixture
async def alone(make_server: Callable[..., OwnServer]) -> AsyncIterator[Yard]:
    """A server that writes an append-only file and has no replica."""
    server = make_server()
    async with Yard(server.url, "t", call_timeout=1.0) as yard:
        yield yard


async def test_a_job_is_on_the_disk_when_its_add_returns(alone: Yard) -> None:
    queue = alone.queue(durability="aof")
    jobs = await asyncio.gather(*(queue.add("x", number) for number in range(50)))
    assert [job.id for job in jobs] == [str(number) for number in range(1, 51)]
    assert len(await queue.add_many([("x", number) for number in range(300)])) == 300
    assert await asyncio.to_thread(lambda: queue.sync.add("x").id) == "351"
    assert len(await asyncio.to_thread(lambda: queue.sync.add_many([("x",)] * 10))) == 10


async def test_a_job_without_its_replica_is_added_and_said_to_be_unsafe(alone: Yard) -> None:
    queue = alone.queue()
    with pytest.raises(NotDurable, match="job 1 was added, and durability 'replica' is not confirmed") as error:
        await queue.add("x", 1, durability="replica")
    assert (error.value.job_id, error.value.durability) == ("1", "replica")
    with pytest.raises(NotDurable, match="job own "):
        await queue.add("x", 1, job_id="own", durability="replica")
    with pytest.raises(NotDurable):
        await asyncio.to_thread(lambda: queue.sync.add("x", 1, durability="replica"))
    assert await queue.count("waiting") == 3
    # What asks for less is not held up, nor refused.
    assert (await queue.add("x", 1)).id == "4"


async def test_each_add_of_a_batch_is_told_for_itself(alone: Yard) -> None:
    queue = alone.queue()
    found = await asyncio.gather(
        *(queue.add("x", number, durability="replica") for number in range(20)), return_exceptions=True
    )
    assert [error.job_id for error in found if isinstance(error, NotDurable)] == [
        str(number) for number in range(1, 21)
    ]


async def test_all_jobs_of_a_call_are_added_and_those_without_a_replica_are_named(alone: Yard) -> None:
    queue = alone.queue(durability="replica")
    jobs = [("x", number, {"job_id": f"o-{number}"}) for number in range(500)]
    with pytest.raises(NotDurable, match="500 jobs from o-0 on were added, and durability 'replica' is") as error:
        await queue.add_many(jobs)
    assert error.value.job_ids == tuple(f"o-{number}" for number in range(500))
    assert error.value.job_id == "o-0"
    assert await queue.count("waiting") == 500
    order = await queue.get_jobs("waiting", size=500, newest_first=False)
    assert [job.data for job in order] == list(range(500))
    with pytest.raises(NotDurable, match="500 jobs"):
        await asyncio.to_thread(queue.sync.add_many, jobs)
    assert await queue.count("waiting") == 500


async def test_a_call_that_adds_many_waits_for_one_confirmation(alone: Yard) -> None:
    queue = alone.queue(durability="replica")
    with pytest.raises(NotDurable):
        await queue.add_many([("x",)] * 500)
    server = alone.app.queue("q")._keyspace.server
    statistics = (await server.call("INFO", "commandstats")).decode()
    assert re.search(r"cmdstat_wait:calls=(\d+)", statistics)[1] == "1"  # type: ignore[index]


async def test_all_jobs_for_shards_are_added_and_those_without_a_replica_are_named(alone: Yard) -> None:
    queue = alone.queue(durability="replica", shards=4)
    with pytest.raises(NotDurable, match=r"400 jobs from .* were added") as error:
        await queue.add_many([("x", number) for number in range(400)])
    assert await queue.count("waiting") == 400
    assert len(set(error.value.job_ids)) == 400


async def test_a_call_may_ask_for_less_than_its_queue(alone: Yard) -> None:
    queue = alone.queue(durability="replica")
    assert (await queue.add("x", durability=False)).id == "1"
    assert (await queue.add("x", durability="aof")).id == "2"
    with pytest.raises(NotDurable):
        await queue.add_many([("x",)])


async def test_a_server_without_a_file_says_so(make_server: Callable[..., OwnServer]) -> None:
    async with Yard(make_server(options={"appendonly": "no"}).url, "t", call_timeout=1.0) as yard:
        with pytest.raises(NotDurable, match="appendonly"):
            await yard.queue(durability="aof").add("x")


async def test_a_replica_has_the_job(sentinel_set: SentinelSet) -> None:
    async with Yard(sentinel_set.url, "durable") as yard:
        queue = yard.queue(durability="replica")
        jobs: list[Job[int]] = await asyncio.gather(*(queue.add("x", number) for number in range(100)))
        (replica,) = [node for node in sentinel_set.nodes if node not in sentinel_set.primaries()]
        with sentinel_set.client(replica) as raw:
            assert all(raw.exists(f"durable:q:{job.id}") for job in jobs)


async def test_scripts_that_the_server_lost_are_loaded_again(alone: Yard) -> None:
    queue = alone.queue(durability="aof")
    await queue.add("x")
    await alone.app.queue("q")._keyspace.server.call("SCRIPT", "FLUSH")
    jobs = await asyncio.gather(*(queue.add("x", number) for number in range(100)))
    assert len({job.id for job in jobs}) == 100


@pytest.mark.parametrize("durability", ["disk", True, 1, ""])
async def test_another_durability_is_refused(alone: Yard, durability: Durability) -> None:
    with pytest.raises(InvalidOption, match="durability must be one of 'aof', 'replica'"):
        await alone.queue().add("x", durability=durability)
    with pytest.raises(InvalidOption, match="durability must be one of 'aof', 'replica'"):
        Topology("t").queue("q", durability=durability)
