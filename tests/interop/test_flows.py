"""Flows that Node adds, whose children we run: what becomes of the parents."""

from typing import Any

import pytest

from stockyard import App, Job, Router
from tests.interop.conftest import Work
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually

FLAGS = {
    "fpof": "failParentOnFailure",
    "cpof": "continueParentOnFailure",
    "idof": "ignoreDependencyOnFailure",
    "rdof": "removeDependencyOnFailure",
}


@pytest.fixture
async def flows(node: NodePeer) -> NodeObject:
    return await node.flows()


@pytest.fixture
async def parents(node: NodePeer) -> NodeObject:
    """The queue ``p`` of the parents; their children are in ``q``."""
    return await node.queue("p")


def child(job_id: str, name: str = "echo", data: Any = None, **options: Any) -> dict[str, Any]:
    return {"name": name, "queueName": "q", "data": data or {"of": job_id}, "opts": {"jobId": job_id, **options}}


def family(*children: dict[str, Any], **options: Any) -> dict[str, Any]:
    opts = {"jobId": "par", **options}
    return {"name": "gather", "queueName": "p", "data": {}, "opts": opts, "children": list(children)}


async def test_a_parent_runs_after_all_its_children(
    node: NodePeer, queue: NodeObject, flows: NodeObject, parents: NodeObject, work: Work
) -> None:
    await flows.add(family(child("a"), child("b"), child("c", delay=100)))
    events = await node.events("p")
    assert await is_in(parents, "waiting-children", "par")
    async with work(concurrency=2):
        await eventually(lambda: is_in(parents, "waiting", "par"))
    assert await has_counts(queue, completed=3)
    await node.worker("p")
    values = await parents.job("par", "waitUntilFinished", events, 5000)
    assert sorted(value["of"] for value in values.values()) == ["a", "b", "c"]
    told = [(name, fields.get("prev")) for name, fields in await events.read("events")]
    assert told == [
        ("added", None),
        ("waiting-children", None),
        ("waiting", "waiting-children"),
        ("active", "waiting"),
        ("completed", "active"),
        ("drained", None),
    ]


async def test_a_grandparent_waits_for_our_parent(
    node: NodePeer, flows: NodeObject, parents: NodeObject, work: Work
) -> None:
    middle = {**child("mid"), "children": [child("a"), child("b")]}
    await flows.add(family(middle))
    async with work():
        await eventually(lambda: is_in(parents, "waiting", "par"))
    await node.worker("p")
    await eventually(lambda: is_in(parents, "completed", "par"))
    assert list((await parents.getJob("par"))["returnvalue"].values()) == [{"of": "mid"}]


async def test_node_runs_the_children_of_a_parent_of_ours(
    node: NodePeer, open_app: Any, flows: NodeObject, parents: NodeObject, work: Work
) -> None:
    """We have the worker of the parents' queue, Node that of the children's."""
    app: App = open_app(p={})
    seen: list[str] = []
    gathering = Router()

    @gathering.handler("gather")
    async def gather(job: Job[Any]) -> str:
        seen.append(job.id)
        return "gathered"

    await flows.add(family(child("a"), child("b")))
    async with work(gathering, app=app, queue="p", drain_delay=60):
        await node.worker("q")
        await eventually(lambda: is_in(parents, "completed", "par"))
    assert seen == ["par"]


@pytest.mark.parametrize("flag", ["none", *FLAGS])
async def test_a_failed_child_does_to_its_parent_what_its_flag_says(
    flows: NodeObject, parents: NodeObject, work: Work, prefix: str, raw: Any, flag: str
) -> None:
    """What Node's own worker leaves after the same failure is compared in test_parity."""
    asked = {FLAGS[flag]: True} if flag in FLAGS else {}
    await flows.add(family(child("bad", "fail", {"reason": "no"}, **asked), child("later", delay=60_000)))
    parent, bad = f"{prefix}:p:par", f"{prefix}:q:bad"
    async with work():
        await eventually(lambda: raw.zscore(f"{prefix}:q:failed", "bad"))

    pending = {f"{prefix}:q:later"} | ({bad} if flag == "none" else set())
    assert raw.smembers(f"{parent}:dependencies") == pending
    assert raw.hgetall(f"{parent}:failed") == ({bad: "no"} if flag in ("cpof", "idof") else {})
    assert raw.zrange(f"{parent}:unsuccessful", 0, -1) == ([bad] if flag == "fpof" else [])
    assert raw.hget(parent, "defa") == (f"child {bad} failed" if flag == "fpof" else None)
    assert await is_in(parents, "waiting" if flag in ("fpof", "cpof") else "waiting-children", "par")


async def test_a_parent_of_a_failed_child_is_failed_without_being_run(
    node: NodePeer, open_app: Any, flows: NodeObject, parents: NodeObject, work: Work, prefix: str
) -> None:
    app: App = open_app(p={})
    await flows.add(family(child("bad", "fail", {"reason": "no"}, failParentOnFailure=True)))
    seen: list[str] = []

    async def gather(job: Job[Any]) -> None:
        seen.append(job.id)

    await node.worker("q")
    async with work(gather, app=app, queue="p"):
        await eventually(lambda: is_in(parents, "failed", "par"))
    assert seen == []
    stored = await parents.getJob("par")
    assert stored["failedReason"] == f"child {prefix}:q:bad failed"
    assert stored.get("deferredFailure") is None


async def test_a_parent_goes_on_when_its_last_pending_child_is_ignored(
    flows: NodeObject, parents: NodeObject, work: Work
) -> None:
    bad = child("bad", "fail", {"reason": "no"}, ignoreDependencyOnFailure=True)
    worse = child("worse", "fail", {"reason": "no"}, removeDependencyOnFailure=True)
    await flows.add(family(bad, worse, child("good")))
    async with work():
        await eventually(lambda: is_in(parents, "waiting", "par"))
    values = await parents.job("par", "getChildrenValues")
    assert list(values.values()) == [{"of": "good"}]
    assert list((await parents.job("par", "getIgnoredChildrenFailures")).values()) == ["no"]


@pytest.mark.parametrize(
    ("options", "state"), [({"priority": 3}, "prioritized"), ({"delay": 60_000}, "delayed"), ({}, "waiting")]
)
async def test_a_released_parent_goes_where_its_options_say(
    flows: NodeObject, parents: NodeObject, work: Work, options: dict[str, int], state: str
) -> None:
    await flows.add(family(child("a"), **options))
    async with work():
        await eventually(lambda: is_in(parents, state, "par"))


async def test_a_released_parent_runs_before_what_waits(
    flows: NodeObject, parents: NodeObject, node: NodePeer, work: Work
) -> None:
    await parents.add("nothing", 1)
    await flows.add(family(child("a")))
    async with work():
        await eventually(lambda: is_in(parents, "waiting", "par"))
    worker = await node.worker("p")
    await eventually(lambda: has_counts(parents, completed=2))
    assert [job["name"] for job in await worker.read("started")] == ["gather", "nothing"]


@pytest.mark.parametrize("option", ["removeOnComplete", "removeOnFail"])
async def test_a_child_that_leaves_no_record_frees_its_parent(
    flows: NodeObject, parents: NodeObject, work: Work, prefix: str, raw: Any, option: str
) -> None:
    name, data = ("fail", {"reason": "no"}) if option == "removeOnFail" else ("echo", {"a": 1})
    await flows.add(family(child("a", name, data, **{option: True})))
    async with work():
        await eventually(lambda: is_in(parents, "waiting", "par"))
    assert not raw.exists(f"{prefix}:q:a")
    assert raw.hvals(f"{prefix}:p:par:processed") == (['{"a":1}'] if option == "removeOnComplete" else [])


async def test_our_removal_of_the_last_child_frees_its_parent(
    flows: NodeObject, parents: NodeObject, app: App
) -> None:
    await flows.add(family(child("a")))
    job = await app.queue("q").get_job("a")
    assert job is not None
    await job.remove()
    assert await is_in(parents, "waiting", "par")


async def test_a_failed_child_that_we_retry_counts_for_its_parent_again(
    flows: NodeObject, parents: NodeObject, app: App, work: Work, prefix: str, raw: Any
) -> None:
    await flows.add(
        family(child("bad", "fail", {"reason": "no"}, ignoreDependencyOnFailure=True), child("b", delay=60_000))
    )
    async with work():
        await eventually(lambda: raw.exists(f"{prefix}:p:par:failed"))
    job = await app.queue("q").get_job("bad")
    assert job is not None
    await job.retry()
    assert raw.smembers(f"{prefix}:p:par:dependencies") == {f"{prefix}:q:bad", f"{prefix}:q:b"}
    assert not raw.exists(f"{prefix}:p:par:failed")
