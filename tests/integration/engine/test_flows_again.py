"""Flows that are added twice or retried: no parent runs beside its children, and none waits for ever."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import Flow, Job, JobState
from tests.support.waiting import eventually
from tests.support.yard import Yard

GONE = {"remove_on_complete": True}


class Desk:
    """Handlers of both queues: what ran, and which names fail."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.failing: set[str] = set()

    async def run(self, job: Job[Any]) -> int:
        self.ran.append(job.name)
        if job.name in self.failing:
            raise RuntimeError("down")
        return 1


@pytest.fixture
async def yard(yard: Yard) -> Yard:
    """An app with the queues ``p`` for parents and ``c`` for children, one attempt each."""
    yard.queue("p", attempts=1, remove_on_complete=False)
    yard.queue("c", attempts=1, remove_on_complete=False)
    return yard


@pytest.fixture
async def desk(yard: Yard) -> Desk:
    """Both queues worked on."""
    made = Desk()
    await yard.work(made.run, queue="p")
    await yard.work(made.run, queue="c")
    return made


def family(**kid: Any) -> Flow:
    return Flow("parent", "p", job_id="par", children=[Flow("kid", "c", job_id="kid", **kid)])


async def _is(job: Job[Any], state: JobState) -> bool:
    return await job.state() is state


async def _comes_to(job: Job[Any], state: JobState) -> None:
    await eventually(lambda: _is(job, state))


@pytest.mark.parametrize("paused", [True, False])
async def test_a_child_that_completed_and_is_gone_is_not_added_again(yard: Yard, desk: Desk, paused: bool) -> None:
    flow = family(remove_on_complete=True)
    if paused:
        await yard.queue("p").pause()
    first = await yard.app.flows.add(flow)
    await eventually(lambda: _is(first.job, JobState.WAITING if paused else JobState.COMPLETED))
    again = await yard.app.flows.add(flow)
    assert [job.was_added for job in again] == [False, False]
    assert await yard.queue("c").get_job("kid") is None
    await yard.queue("p").resume()
    assert await first.job.wait_for_result("25s") == 1
    assert desk.ran == ["kid", "parent"]


@pytest.mark.parametrize("policy", ["ignore_dependency", "remove_dependency", "continue_parent"])
@pytest.mark.parametrize("ended", [True, False])
async def test_a_child_that_failed_before_does_not_hold_its_parent(
    yard: Yard, desk: Desk, policy: Any, ended: bool
) -> None:
    desk.failing = {"kid"}
    if not ended:
        await yard.queue("p").pause()
    flow = family(on_failure=policy)
    first = await yard.app.flows.add(flow)
    await eventually(lambda: _is(first.job, JobState.COMPLETED if ended else JobState.WAITING))
    await yard.app.flows.add(flow)
    await yard.queue("p").resume()
    assert await first.job.wait_for_result("25s") == 1
    await first.job.retry(state="completed")
    assert await first.job.wait_for_result("25s") == 1
    assert desk.ran == ["kid", "parent", "parent"]


async def test_a_job_that_failed_before_counts_for_a_new_parent_as_its_policy_says(yard: Yard, desk: Desk) -> None:
    desk.failing = {"kid"}
    kids = yard.queue("c")
    failed = [await kids.add("kid", job_id=f"kid-{number}") for number in range(3)]
    for job in failed:
        await _comes_to(job, JobState.FAILED)
    policies = ("ignore_dependency", "remove_dependency", "fail_parent")
    trees = [
        await yard.app.flows.add(
            Flow("parent", "p", children=[Flow("kid", "c", job_id=job.id, on_failure=policy)])  # type: ignore[arg-type]
        )
        for job, policy in zip(failed, policies, strict=True)
    ]
    states = (JobState.COMPLETED, JobState.COMPLETED, JobState.FAILED)
    for tree, state in zip(trees, states, strict=True):
        await _comes_to(tree.job, state)
    (reason,) = (await trees[0].job.ignored_failures()).values()
    assert reason.endswith("down")


async def test_nothing_is_added_below_a_parent_that_has_ended(yard: Yard, desk: Desk) -> None:
    first = await yard.app.flows.add(family())
    assert await first.job.wait_for_result("25s") == 1
    more = Flow("parent", "p", job_id="par", children=[Flow("kid", "c", job_id="kid"), Flow("new", "c")])
    again = await yard.app.flows.add(more)
    assert [job.was_added for job in again] == [False, False, False]
    assert (await first.job.children_counts())["unprocessed"] == 0
    assert await yard.queue("c").count() == 1


async def test_a_plain_job_that_waits_waits_for_the_children_of_a_flow(yard: Yard, raw: "redis.Redis") -> None:
    plain = await yard.queue("p").add("parent", job_id="par")
    tree = await yard.app.flows.add(family())
    assert [job.was_added for job in tree] == [False, True]
    assert await plain.state() is JobState.WAITING_CHILDREN
    desk = Desk()
    await yard.work(desk.run, queue="p")
    await yard.work(desk.run, queue="c")
    assert await plain.wait_for_result("25s") == 1
    assert desk.ran == ["kid", "parent"]


@pytest.mark.parametrize("order", ["pc", "cp", "together"])
@pytest.mark.parametrize("one_by_one", [True, False])
async def test_a_failed_flow_is_retried_in_any_order(yard: Yard, desk: Desk, order: str, one_by_one: bool) -> None:
    desk.failing = {"kid"}
    tree = await yard.app.flows.add(family(on_failure="fail_parent"))
    await eventually(lambda: _is(tree.job, JobState.FAILED))
    desk.failing = set()
    desk.ran = []
    jobs = {"p": tree.job, "c": tree.children[0].job}

    async def retry(name: str) -> None:
        await (jobs[name].retry() if one_by_one else yard.queue(name).retry_all())

    if order == "together":
        await asyncio.gather(retry("p"), retry("c"))
    else:
        for name in order:
            await retry(name)
    assert await tree.job.wait_for_result("25s") == 1
    assert desk.ran == ["kid", "parent"]


async def test_a_retried_parent_waits_until_its_failed_child_is_retried(yard: Yard, desk: Desk) -> None:
    desk.failing = {"kid"}
    tree = await yard.app.flows.add(family(on_failure="fail_parent"))
    await eventually(lambda: _is(tree.job, JobState.FAILED))
    await tree.job.retry()
    assert await tree.job.state() is JobState.WAITING_CHILDREN
    await tree.children[0].job.remove()
    assert await tree.job.wait_for_result("25s") == 1


async def test_a_handler_finds_what_its_children_left_when_it_adds_them_again(yard: Yard) -> None:
    async def parent(job: Job[Any]) -> int:
        kids = [("kid", number, {"parent": job, "job_id": f"kid-{number}", **GONE}) for number in range(3)]
        await yard.queue("c").add_many(kids)
        await job.wait_for_children()
        return sum((await job.children_values()).values())

    async def kid(job: Job[int]) -> int:
        return job.data

    await yard.work(parent, queue="p")
    await yard.work(kid, queue="c")
    job = await yard.queue("p").add("parent")
    assert await job.wait_for_result("25s") == 3
