"""Flows that we add, which Node runs and reads; and Node's, which we read."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from stockyard import App, Flow, FlowTree
from tests.interop.conftest import Work
from tests.interop.test_flows import child, family
from tests.interop.tied_sides import POLICIES, our_flow
from tests.support.node import NodeObject, NodePeer, has_counts, is_in
from tests.support.waiting import eventually


@pytest.fixture
def app(open_app: Any) -> App:
    """Our app with the queues ``p``, ``q`` and ``r``."""
    app: App = open_app(p={}, q={}, r={})
    return app


@pytest.fixture
async def parents(node: NodePeer) -> NodeObject:
    """Node's queue ``p``."""
    return await node.queue("p")


def generations() -> Flow:
    middle = Flow(
        "gather", "q", children=[Flow("echo", "r", {"of": "a"}), Flow("echo", "p", {"of": "b"}, lifo=True)]
    )
    return Flow("gather", "p", children=[middle, Flow("echo", "r", {"of": "c"}, priority=3)], job_id="root")


def leaves(value: Any) -> list[str]:
    """What the leaves said, out of nested answers of gather."""
    if set(value) == {"of"}:
        return [value["of"]]
    return sorted(found for each in value.values() for found in leaves(each))


@pytest.mark.parametrize("ours", [(), ("p",), ("q",), ("r",), ("p", "q", "r")])
async def test_three_generations_run_in_mixed_fleets(
    node: NodePeer, app: App, parents: NodeObject, work: Work, ours: tuple[str, ...]
) -> None:
    for queue in {"p", "q", "r"} - set(ours):
        await node.worker(queue)
    added = await app.flows.add(generations())
    async with AsyncExitStack() as workers:
        for queue in ours:
            await workers.enter_async_context(work(app=app, queue=queue))
        result = await added.job.wait_for_result(25)
    assert leaves(result) == ["a", "b", "c"]
    assert await is_in(parents, "completed", "root")


async def test_node_reads_our_tree(node: NodePeer, app: App, parents: NodeObject) -> None:
    added = await app.flows.add(generations())
    flows = await node.flows()
    found = await flows.getFlow({"queueName": "p", "id": "root"})
    assert shape(found) == our_shape(added)
    assert await parents.job("root", "getDependenciesCount") == {
        "processed": 0,
        "unprocessed": 2,
        "ignored": 0,
        "failed": 0,
    }
    unprocessed = (await parents.job("root", "getDependencies"))["unprocessed"]
    assert sorted(unprocessed) == sorted((await added.job.children()).children)
    middle = added.children[0].job
    stored = await (await node.queue("q")).getJob(middle.id)
    assert stored["parentKey"] == middle.parent_key


async def test_we_read_a_tree_of_node(node: NodePeer, app: App) -> None:
    flows = await node.flows()
    tree = family({**child("mid"), "children": [child("a"), child("b")]}, {**child("c"), "queueName": "elsewhere"})
    added = await flows.add(tree)
    found = await app.flows.get("p", "par")
    assert found is not None
    assert our_shape(found) == shape(added)
    (elsewhere,) = [each.job for each in found.children if each.job.id == "c"]
    assert elsewhere.queue == "elsewhere"
    assert await elsewhere.state() == "waiting"


@pytest.mark.parametrize("policy", POLICIES)
async def test_node_says_of_our_failed_children_what_we_say(
    node: NodePeer, app: App, parents: NodeObject, work: Work, policy: str
) -> None:
    bad = child("bad", "fail", {"reason": "no"}, **{policy: True})
    added = await app.flows.add(our_flow(family(bad, child("good"), child("late", delay=60_000)), node.prefix))
    async with work(app=app):
        await eventually(lambda: has_counts_of_q(node, completed=1, failed=1))
    job = added.job
    counts = await parents.job("par", "getDependenciesCount")
    assert counts == await job.children_counts()
    assert await parents.job("par", "getChildrenValues") == await job.children_values()
    assert await parents.job("par", "getIgnoredChildrenFailures") == await job.ignored_failures()
    dependencies = await parents.job("par", "getDependencies")
    assert dependencies.get("failed", []) == await job.failed_children()
    for kind in ("processed", "ignored"):
        assert dependencies.get(kind, {}) == (await job.children(kind)).children
    assert set(dependencies.get("unprocessed", [])) == set((await job.children()).children)


async def test_our_parent_fails_by_a_child_that_node_failed(
    node: NodePeer, app: App, parents: NodeObject, work: Work
) -> None:
    bad = child("bad", "fail", {"reason": "no"}, failParentOnFailure=True)
    await app.flows.add(our_flow(family(bad, child("late", delay=60_000)), node.prefix))
    await node.worker("q")
    async with work(app=app, queue="p"):
        await eventually(lambda: is_in(parents, "failed", "par"))
    assert (await parents.getJob("par"))["failedReason"] == f"child {node.prefix}:q:bad failed"


async def test_children_that_we_add_to_a_job_of_node(
    node: NodePeer, app: App, parents: NodeObject, work: Work
) -> None:
    await (await node.flows()).add(family(child("a")))
    parent = await app.queue("p").get_job("par")
    assert parent is not None
    await app.queue("r").add("echo", {"of": "b"}, parent=parent)
    await node.worker("q")
    async with work(app=app, queue="r"):
        await eventually(lambda: is_in(parents, "waiting", "par"))
    values = await parents.job("par", "getChildrenValues")
    assert sorted(each["of"] for each in values.values()) == ["a", "b"]


async def test_each_detaches_children_of_the_other(node: NodePeer, app: App, parents: NodeObject) -> None:
    await app.flows.add(our_flow(family(child("a"), child("b")), node.prefix))
    assert await (await node.queue("q")).job("a", "removeChildDependency") is True
    second = await app.queue("q").get_job("b")
    assert second is not None
    assert await second.detach_from_parent() is True
    assert await is_in(parents, "waiting", "par")


def shape(tree: dict[str, Any]) -> Any:
    """A tree of Node's as ids, names and data."""
    job = tree["job"]
    return (
        job["id"],
        job["name"],
        job["data"],
        sorted((shape(each) for each in tree.get("children") or []), key=str),
    )


def our_shape(tree: FlowTree) -> Any:
    """A tree of ours in the same form."""
    data = {} if tree.job.data is None else tree.job.data
    return (tree.job.id, tree.job.name, data, sorted((our_shape(each) for each in tree.children), key=str))


async def has_counts_of_q(node: NodePeer, **expected: int) -> bool:
    """Whether Node counts so many jobs of each state in ``q``."""
    return await has_counts(await node.queue("q"), **expected)
