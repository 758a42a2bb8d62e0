"""Deduplication that Node asks for, when we finish its jobs."""

from typing import Any

import pytest

from stockyard import App
from tests.interop.conftest import Work
from tests.support.node import NodeObject, has_counts, is_in, names_of
from tests.support.waiting import eventually


@pytest.mark.parametrize("name", ["echo", "fail"])
async def test_an_ended_job_frees_its_id(queue: NodeObject, work: Work, name: str) -> None:
    options = {"deduplication": {"id": "BTC"}}
    first = await queue.add(name, {"reason": "no"}, options)
    assert (await queue.add(name, {"reason": "no"}, options))["id"] == first["id"]
    async with work():
        await eventually(lambda: has_counts(queue, waiting=0, active=0))
    assert await queue.getDeduplicationJobId("BTC") is None
    assert (await queue.add(name, {"reason": "no"}, options))["id"] != first["id"]


async def test_a_window_outlives_the_job(queue: NodeObject, work: Work) -> None:
    options = {"deduplication": {"id": "BTC", "ttl": 60_000}}
    first = await queue.add("echo", 1, options)
    async with work():
        await eventually(lambda: has_counts(queue, completed=1))
    assert (await queue.add("echo", 2, options))["id"] == first["id"]
    assert await has_counts(queue, waiting=0)


async def test_a_retry_keeps_the_id(queue: NodeObject, work: Work) -> None:
    options = {"deduplication": {"id": "BTC"}, "attempts": 2, "backoff": 60_000}
    first = await queue.add("fail", {"reason": "no"}, options)
    async with work():
        await eventually(lambda: is_in(queue, "delayed", first["id"]))
    assert await queue.getDeduplicationJobId("BTC") == first["id"]


@pytest.mark.parametrize(
    ("more", "state"), [({}, "completed"), ({"priority": 2}, "completed"), ({"delay": 60_000}, "delayed")]
)
async def test_the_last_of_many_runs_after_the_one_that_ran(
    queue: NodeObject, events: NodeObject, work: Work, more: dict[str, int], state: str
) -> None:
    options = {"deduplication": {"id": "BTC", "keepLastIfActive": True}, **more}
    async with work(concurrency=1):
        first = await queue.add("slow", {"ms": 300}, {"deduplication": options["deduplication"]})
        await eventually(lambda: is_in(queue, "active", first["id"]))
        for number in range(3):
            assert (await queue.add("echo", number, options))["id"] == first["id"]
        await eventually(lambda: is_in(queue, "completed", first["id"]))
        await eventually(lambda: _latest_is(queue, state))

    (latest,) = [job for job in await queue.getJobs([state]) if job["id"] != first["id"]]
    assert (latest["name"], latest["data"], latest["deduplicationId"]) == ("echo", 2, "BTC")
    assert latest["id"] == "4"
    names = await names_of(events)
    assert (names.count("added"), names.count("deduplicated")) == (2, 3)
    assert names.index("added", 1) < names.index("completed")
    owner = await queue.getDeduplicationJobId("BTC")
    assert owner == (latest["id"] if state == "delayed" else None)


async def test_our_removal_frees_the_id(queue: NodeObject, app: App) -> None:
    added = await queue.add("echo", 1, {"deduplication": {"id": "BTC"}, "delay": 60_000})
    job = await app.queue("q").get_job(added["id"])
    assert job is not None
    await job.remove()
    assert await queue.getDeduplicationJobId("BTC") is None


async def _latest_is(queue: NodeObject, state: str) -> Any:
    return [job for job in await queue.getJobs([state]) if job["id"] != "1"]
