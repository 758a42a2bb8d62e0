"""Deduplication across peers: each meets the ids that the other has taken."""

from typing import Any

import pytest

from stockyard import Deduplication, Queue
from tests.interop.conftest import Work
from tests.interop.tied_sides import in_our_words
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually

HOUR = 3_600_000
WAYS: dict[str, dict[str, Any]] = {
    "simple": {},
    "throttle": {"ttl": HOUR},
    "extend": {"ttl": HOUR, "extend": True},
    "replace": {"replace": True},
    "debounce": {"ttl": HOUR, "extend": True, "replace": True},
    "reschedule": {"reschedule": True},
    "keep last": {"keepLastIfActive": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", ["ours", "node"])
async def test_either_meets_the_owner_that_the_other_added(
    node: NodePeer, queue: NodeObject, events: NodeObject, ours: Queue, first: str, way: str
) -> None:
    options = {"deduplication": {"id": "D", **WAYS[way]}, "delay": HOUR}

    async def add(by: str, delay: int) -> str:
        chosen = {**options, "delay": delay}
        if by == "node":
            return str((await queue.add("echo", {"by": by}, chosen))["id"])
        return (await ours.add("echo", {"by": by}, **in_our_words(chosen, node.prefix))).id

    second = "node" if first == "ours" else "ours"
    assert await add(first, HOUR) == "1"
    replaces = WAYS[way].get("replace", False)
    assert await add(second, 2 * HOUR) == ("2" if replaces else "1")
    owner = "2" if replaces else "1"
    assert await queue.getDeduplicationJobId("D") == owner
    stored = await queue.getJob(owner)
    assert stored["data"]["by"] == (second if replaces else first)
    assert stored["delay"] == (2 * HOUR if replaces or "reschedule" in WAYS[way] else HOUR)
    assert stored["deduplicationId"] == "D"

    async def told() -> Any:
        return [fields for name, fields in await events.read("events") if name == "deduplicated"]

    await eventually(told)
    gone = "1" if replaces else "2"
    assert await told() == [{"jobId": owner, "deduplicationId": "D", "deduplicatedJobId": gone}]


@pytest.mark.parametrize("worker", ["ours", "node"])
@pytest.mark.parametrize("by", ["ours", "node"])
async def test_the_last_is_kept_across_peers(
    node: NodePeer, queue: NodeObject, ours: Queue, work: Work, by: str, worker: str
) -> None:
    way = Deduplication("D", keep_last=True)

    async def add_some() -> None:
        await ours.add("slow", {"ms": 300}, deduplication=way)
        await eventually(lambda: is_in(queue, "active", "1"))
        for number in range(3):
            if by == "ours":
                assert (await ours.add("echo", number, deduplication=way, priority=2)).id == "1"
            else:
                options = {"deduplication": {"id": "D", "keepLastIfActive": True}, "priority": 2}
                assert (await queue.add("echo", number, options))["id"] == "1"
        await eventually(lambda: has_counts(queue, completed=2))

    if worker == "node":
        await node.worker("q")
        await add_some()
    else:
        async with work(concurrency=1):
            await add_some()
    last = await queue.getJob("4")
    assert (last["data"], last["returnvalue"], last["priority"]) == (2, 2, 2)
    assert await queue.getDeduplicationJobId("D") is None


@pytest.mark.parametrize("name", ["echo", "fail"])
async def test_node_frees_the_id_of_our_job(node: NodePeer, queue: NodeObject, ours: Queue, name: str) -> None:
    first = await ours.add(name, {"reason": "no"}, deduplication="D")
    await node.worker("q")
    await eventually(lambda: has_counts(queue, waiting=0, active=0))
    assert (await ours.add(name, {"reason": "no"}, deduplication="D")).id != first.id


async def test_node_frees_the_id_by_removing_our_job(queue: NodeObject, ours: Queue) -> None:
    first = await ours.add("echo", 1, deduplication="D", delay="1h")
    await queue.remove(first.id)
    assert (await ours.add("echo", 1, deduplication="D")).id != first.id


async def test_node_reads_our_further_options(queue: NodeObject, ours: Queue) -> None:
    job = await ours.add(
        "echo", "x", keep_logs=2, stack_trace_limit=1, size_limit=3, telemetry="context", omit_context=True
    )
    opts = (await queue.getJob(job.id))["opts"]
    assert (opts["keepLogs"], opts["stackTraceLimit"], opts["sizeLimit"]) == (2, 1, 3)
    assert opts["telemetry"] == {"metadata": "context", "omitContext": True}
    for line in ("one", "two", "three"):
        await job.log(line)
    assert (await queue.getJobLogs(job.id))["logs"] == ["two", "three"]


async def test_we_read_the_further_options_of_node(queue: NodeObject, ours: Queue) -> None:
    telemetry = {"metadata": "context", "omitContext": True}
    options = {
        "keepLogs": 2,
        "stackTraceLimit": 1,
        "sizeLimit": 99,
        "telemetry": telemetry,
        "failParentOnFailure": True,
    }
    added = await queue.add("echo", 1, {**options, "deduplication": {"id": "D", "ttl": 5000, "extend": True}})
    job = await ours.get_job(added["id"])
    assert job is not None
    read = job.options
    assert (read.keep_logs, read.stack_trace_limit, read.size_limit, read.telemetry) == (2, 1, 99, "context")
    assert (read.omit_context, read.on_failure) == (True, "fail_parent")
    assert read.deduplication == Deduplication("D", "5s", extend=True)
