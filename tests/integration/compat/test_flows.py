"""``FlowProducer`` of the port's interface, on a real server."""

import asyncio
from typing import Any

import pytest

from stockyard.compat.bullmq import FlowProducer, Job, Queue
from tests.integration.compat.conftest import MakeWorker
from tests.support.waiting import eventually


def flow(*children: dict[str, Any], **opts: Any) -> dict[str, Any]:
    return {"name": "parent", "queueName": "parents", "data": {}, "opts": opts, "children": list(children)}


def child(number: int, **opts: Any) -> dict[str, Any]:
    return {"name": "child", "queueName": "q", "data": {"number": number}, "opts": opts}


async def test_children_run_before_their_parent(opts: dict[str, Any], work: MakeWorker) -> None:
    flows = FlowProducer(opts)
    order: list[str] = []
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def process(job: Job, token: str) -> Any:
        order.append(job.name)
        return {"of": job.data["number"]}

    async def parent(job: Job, token: str) -> None:
        order.append(job.name)
        done.set_result(await job.getChildrenValues())

    tree = await flows.add(flow(child(1), child(2)))
    assert tree is not None
    first, second = (each["job"] for each in tree["children"])
    assert tree["job"].queueQualifiedName == f"{flows.prefix}:parents"
    assert first.parent == {"id": tree["job"].id, "queueKey": f"{flows.prefix}:parents"}
    assert "children" not in tree["children"][0]
    assert await tree["job"].isWaitingChildren()
    work(process)
    work(parent, name="parents")
    assert await done == {
        f"{flows.prefix}:q:{first.id}": {"of": 1},
        f"{flows.prefix}:q:{second.id}": {"of": 2},
    }
    assert order == ["child", "child", "parent"]
    await flows.close()
    assert await flows.add(flow()) is None
    assert await flows.addBulk([flow()]) is None


async def test_several_flows_at_once(opts: dict[str, Any], queue: Queue) -> None:
    flows = FlowProducer(opts)
    trees = await flows.addBulk([flow(child(1)), flow(child(2), child(3))])
    assert trees is not None
    assert [len(tree["children"]) for tree in trees] == [1, 2]
    assert await queue.getWaitingCount() == 3
    await flows.disconnect()


async def test_defaults_of_a_queue_are_not_changed(opts: dict[str, Any], queue: Queue) -> None:
    flows = FlowProducer(opts)
    defaults = {"q": {"defaultJobOptions": {"priority": 3, "attempts": 2}}}
    tree = await flows.add(flow(child(1, attempts=5)), {"queuesOptions": defaults})
    assert tree is not None
    job = tree["children"][0]["job"]
    assert (job.opts["priority"], job.opts["attempts"]) == (3, 5)
    stored = await queue.getJob(job.id)
    assert stored is not None
    assert (stored.priority, stored.opts["attempts"]) == (3, 5)
    assert defaults == {"q": {"defaultJobOptions": {"priority": 3, "attempts": 2}}}
    await flows.close()


async def test_a_child_that_fails_its_parent(opts: dict[str, Any], work: MakeWorker) -> None:
    async def process(job: Job, token: str) -> None:
        raise RuntimeError("no luck")

    async def parent(job: Job, token: str) -> None: ...

    flows = FlowProducer(opts)
    tree = await flows.add(flow(child(1, failParentOnFailure=True)))
    assert tree is not None
    failed: list[tuple[Any, Any]] = []
    work(process)
    work(parent, name="parents").on("failed", lambda job, error: failed.append((job.id, error)))
    await eventually(tree["job"].isFailed)
    await eventually(lambda: [job_id for job_id, _ in failed] == [tree["job"].id])
    await flows.close()


async def test_what_a_flow_cannot_be(opts: dict[str, Any]) -> None:
    flows = FlowProducer(opts)
    with pytest.raises(ValueError, match="under the prefix"):
        await flows.add(flow({**child(1), "prefix": "elsewhere"}))
    missing = {"id": "gone", "queue": f"{flows.prefix}:parents"}
    with pytest.raises(TypeError, match=f"Missing key for parent job {flows.prefix}:parents:gone"):
        await flows.add(flow(child(1), parent=missing))
    await flows.close()
