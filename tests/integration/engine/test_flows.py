"""Flows as programs meet them: trees that run, what a failure does to those above, and reading them back."""

import asyncio
from typing import Any

import pytest
import redis

from stockyard import (
    Flow,
    InvalidOption,
    Job,
    JobNotFound,
    JobState,
    JobStateError,
    ParentRef,
    PayloadError,
    UnknownQueue,
)
from tests.support.waiting import eventually
from tests.support.yard import Yard

POLICIES = ["fail_parent", "continue_parent", "ignore_dependency", "remove_dependency"]


@pytest.fixture
async def yard(yard: Yard) -> Yard:
    """An app with the queues ``p``, whose jobs get three attempts, and ``q``."""
    yard.queue("p", attempts=3, remove_on_complete=False)
    yard.queue("q", remove_on_complete=False)
    return yard


async def gather(job: Job[Any]) -> Any:
    """Parents sum up; leaves give what they hold, or fail."""
    if job.name == "fail":
        raise RuntimeError(f"{job.data} is broken")
    values = await job.children_values()
    return sum(values.values()) if values else job.data


def tree(*children: Flow, **options: Any) -> Flow:
    return Flow("sum", "p", 0, children, **options)


async def test_three_levels_in_two_queues(yard: Yard) -> None:
    added = await yard.app.flows.add(
        tree(
            Flow("sum", "q", children=[Flow("leaf", "p", 1), Flow("leaf", "q", 2)]),
            Flow("sum", "p", children=[Flow("leaf", "q", 4), Flow("leaf", "q", 8, priority=5)]),
            Flow("leaf", "p", 16, delay="50ms"),
        )
    )
    assert [len(each.children) for each in (added, *added.children)] == [3, 2, 2, 0]
    assert await added.job.state() is JobState.WAITING_CHILDREN
    await yard.work(gather, queue="p", concurrency=2)
    await yard.work(gather, queue="q", concurrency=2)
    assert await added.job.wait_for_result(25) == 31


async def test_a_job_of_a_flow_is_like_any_other(yard: Yard) -> None:
    added = await yard.app.flows.add(tree(Flow("leaf", "q", {"a": 1}, job_id="own", on_failure="fail_parent")))
    parent, child = added
    assert parent.options.attempts == 3
    assert len(parent.id) == 36
    assert (child.id, child.queue, child.parent_key) == ("own", "q", f"{yard.app.settings.prefix}:p:{parent.id}")
    stored = await child.refresh()
    assert (stored.data, stored.parent_key, stored.options.on_failure) == (
        {"a": 1},
        child.parent_key,
        "fail_parent",
    )
    assert stored.options.parent
    assert stored.options.parent.id == parent.id


async def test_blocking_callers_have_flows_too(yard: Yard) -> None:
    added = await asyncio.to_thread(lambda: yard.app.flows.sync.add(tree(Flow("leaf", "q"))))
    found = await asyncio.to_thread(lambda: yard.app.flows.sync.get("p", added.job.id))
    assert found is not None
    assert [job.id for job in found] == [job.id for job in added]


async def test_many_trees_in_one_step(yard: Yard) -> None:
    assert await yard.app.flows.add_many([]) == []
    trees = await yard.app.flows.add_many(tree(Flow("leaf", "q", at)) for at in range(30))
    assert [each.children[0].job.data for each in trees] == list(range(30))
    waiting = await yard.queue("q").get_jobs("waiting", newest_first=False)
    assert [job.data for job in waiting] == list(range(30))


@pytest.mark.parametrize(
    ("flow", "error", "said"),
    [
        (Flow("x", "q", children=[Flow("y", "nowhere")]), UnknownQueue, "unknown queue 'nowhere'"),
        (Flow("x", "q", children=[Flow("y", "p", {1j})]), PayloadError, "payload of 'y' is not JSON-able"),
        (Flow("x", "q", children=[Flow("y", "p", "long", size_limit=3)]), PayloadError, "'y' has 6 bytes"),
        (
            Flow("x", "q", deduplication="A", children=[Flow("y", "q")]),
            InvalidOption,
            "'x' has children that would",
        ),
        (Flow("x", "q", children=[Flow("y", "q", deduplication="A")]), InvalidOption, "exclude each other"),
        (
            Flow("x", "q", children=[Flow("y", "q", parent=ParentRef("q", "1"))]),
            InvalidOption,
            "the parent of 'y' is the flow around it",
        ),
        (
            Flow("x", "q", job_id="a", children=[Flow("y", "q", job_id="a")]),
            InvalidOption,
            "job_id 'a' is given twice in queue 'q'",
        ),
        (
            Flow("x", "q", parent=ParentRef("q", "17"), children=[Flow("y", "q")]),
            JobNotFound,
            ":q:17, to be the parent",
        ),
        ("x", InvalidOption, "a flow must be a Flow value; got 'x'"),
    ],
)
async def test_of_a_tree_that_is_refused_nothing_is_written(
    yard: Yard, raw: "redis.Redis", prefix: str, flow: Flow, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await yard.app.flows.add_many([tree(Flow("fine", "q")), flow])
    assert not list(raw.scan_iter(f"{prefix}:*"))


async def test_a_child_of_somebody_else_refuses_the_whole_tree(yard: Yard) -> None:
    await yard.app.flows.add(tree(Flow("leaf", "q", job_id="own")))
    with pytest.raises(JobStateError, match="job own exists and belongs to another parent"):
        await yard.app.flows.add(tree(Flow("leaf", "q"), Flow("leaf", "q", job_id="own")))
    assert len(await yard.queue("p").get_jobs("waiting-children")) == 1
    assert [job.id for job in await yard.queue("q").get_jobs("waiting")] == ["own"]


@pytest.mark.parametrize("policy", POLICIES)
async def test_what_a_failed_child_means_to_its_parent(yard: Yard, policy: Any) -> None:
    bad = Flow("fail", "q", "leaf", job_id="bad", on_failure=policy)
    added = await yard.app.flows.add(tree(bad, Flow("leaf", "q", 5)))
    await yard.work(gather, queue="q")
    await eventually(lambda: _is(yard, "q", failed=1, completed=1))
    key = f"{yard.app.settings.prefix}:q:bad"
    ignored = {key: "RuntimeError: leaf is broken"} if policy in ("continue_parent", "ignore_dependency") else {}
    assert await added.job.ignored_failures() == ignored
    assert await added.job.failed_children() == ([key] if policy == "fail_parent" else [])
    counts = await added.job.children_counts()
    assert counts == {"processed": 1, "unprocessed": 0, "ignored": len(ignored), "failed": policy == "fail_parent"}

    await yard.work(gather, queue="p")
    await eventually(lambda: _is(yard, "p", waiting=0, active=0))
    parent = await added.job.refresh()
    if policy == "fail_parent":
        assert (parent.failed_reason, parent.attempts_made) == (f"child {key} failed", 1)
    else:
        assert parent.return_value == 5


async def test_a_child_without_a_policy_holds_its_parent_until_it_succeeds(yard: Yard) -> None:
    added = await yard.app.flows.add(tree(Flow("once", "q")))
    ran = 0

    async def fail_once(job: Job[Any]) -> int:
        nonlocal ran
        ran += 1
        if ran == 1:
            raise RuntimeError
        return 7

    await yard.work(fail_once, queue="q")
    child = added.children[0].job
    await eventually(lambda: _is(yard, "q", failed=1))
    assert await added.job.state() is JobState.WAITING_CHILDREN
    await child.retry()
    await eventually(lambda: _is(yard, "p", waiting=1))
    assert list((await added.job.children_values()).values()) == [7]


async def test_a_failure_goes_up_as_far_as_it_was_asked_to(yard: Yard) -> None:
    leaf = Flow("fail", "p", "leaf", attempts=1, on_failure="fail_parent")
    low = Flow("sum", "q", children=[leaf], on_failure="fail_parent")
    middle = Flow("sum", "p", children=[low], on_failure="ignore_dependency")
    added = await yard.app.flows.add(tree(middle, Flow("leaf", "q", 3)))
    for queue in ("p", "q"):
        await yard.work(gather, queue=queue)
    assert await added.job.wait_for_result(25) == 3
    (reason,) = (await added.job.ignored_failures()).values()
    assert reason.endswith(f":{added.children[0].children[0].job.id} failed")


async def test_a_parent_that_runs_fails_by_a_child_added_meanwhile(yard: Yard) -> None:
    """Its end is refused, because one of its children failed it."""
    queue = yard.queue("q")

    async def add_a_child(job: Job[Any]) -> None:
        child = await queue.add("fail", "leaf", parent=job, on_failure="fail_parent")
        await eventually(lambda: _has_failed(child))

    await yard.work(gather, queue="q")
    await yard.work(add_a_child, queue="p")
    parent = await yard.queue("p").add("parent")
    await eventually(lambda: _has_failed(parent))
    assert (await parent.refresh()).attempts_made == 1


async def test_a_handler_waits_for_the_children_it_adds(yard: Yard) -> None:
    queue = yard.queue("q")

    async def jitter(job: Job[Any]) -> int:
        if job.attempts_started == 1:
            for number in range(3):
                await queue.add("leaf", number, parent=job)
            await job.wait_for_children()
        return sum((await job.children_values()).values())

    await yard.work(gather, queue="q")
    await yard.work(jitter, queue="p")
    assert await (await yard.queue("p").add("spread")).wait_for_result(25) == 3


async def test_a_handler_in_a_child_process_asks_for_its_children(yard: Yard) -> None:
    added = await yard.app.flows.add(tree(Flow("leaf", "q", 1), Flow("leaf", "q", 2)))
    await yard.work(gather, queue="q")
    await yard.work(gather, queue="p", executor="process")
    assert await added.job.wait_for_result(25) == 3


async def test_a_child_is_detached(yard: Yard) -> None:
    added = await yard.app.flows.add(tree(Flow("leaf", "q"), Flow("leaf", "q")))
    first, second = (each.job for each in added.children)
    assert await first.detach_from_parent() is True
    assert await first.detach_from_parent() is False
    assert (await first.refresh()).parent_key is None
    assert await added.job.state() is JobState.WAITING_CHILDREN
    assert await second.detach_from_parent() is True
    assert await added.job.state() is JobState.WAITING
    third = await yard.queue("q").add("leaf", parent=added.job)
    await added.job.remove(children=False)
    with pytest.raises(JobNotFound, match="the parent of job"):
        await third.detach_from_parent()
    await third.remove()
    with pytest.raises(JobNotFound, match="does not exist"):
        await third.detach_from_parent()


async def test_children_are_listed_in_pages(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    parent = await yard.queue("p").add("parent")
    base = f"{prefix}:p:{parent.id}"
    expected: dict[Any, Any] = {f"{prefix}:q:{at}": at for at in range(1500)}
    raw.hset(f"{base}:processed", mapping=expected)
    raw.hset(f"{base}:failed", mapping=dict.fromkeys(expected, "not JSON"))
    raw.sadd(f"{base}:dependencies", *expected)
    raw.zadd(f"{base}:unsuccessful", expected)
    values = {"processed": expected, "ignored": dict.fromkeys(expected, "not JSON")}
    for kind in ("processed", "unprocessed", "ignored", "failed"):
        found: dict[str, Any] = {}
        cursor, pages = 0, 0
        while pages == 0 or cursor:
            page = await parent.children(kind, cursor=cursor, count=400)
            found |= page.children
            cursor, pages = page.cursor, pages + 1
        assert found == values.get(kind, dict.fromkeys(expected))
        assert pages > 1
    for wrong in ({"kind": "lost"}, {"count": 0}, {"cursor": -1}):
        with pytest.raises(InvalidOption):
            await parent.children(**wrong)


async def test_a_tree_is_read_within_its_limits(yard: Yard) -> None:
    deep = Flow("leaf", "q", 0)
    for level in range(1, 6):
        deep = Flow("sum", "q", level, [deep, *(Flow("leaf", "p") for _ in range(4))])
    added = await yard.app.flows.add(deep)
    whole = await yard.app.flows.get("q", added.job.id)
    assert whole is not None
    assert {job.id for job in whole} == {job.id for job in added}
    shallow = await yard.app.flows.get("q", added.job.id, depth=2, children=3)
    assert shallow is not None
    assert len(shallow.children) == 3
    assert not any(child.children for child in shallow.children)
    assert await yard.app.flows.get("q", "none") is None
    with pytest.raises(UnknownQueue):
        await yard.app.flows.get("nowhere", "1")
    with pytest.raises(InvalidOption, match="depth must be a whole number, 1 or more"):
        await yard.app.flows.get("q", "1", depth=0)


async def test_a_tree_keeps_its_children_after_they_ended(yard: Yard) -> None:
    added = await yard.app.flows.add(
        tree(
            Flow("leaf", "q", 1),
            Flow("fail", "q", 2, on_failure="ignore_dependency"),
            Flow("leaf", "q", 3, delay=99),
        )
    )
    await yard.work(gather, queue="q")
    await eventually(lambda: _is(yard, "q", failed=1, completed=1))
    found = await yard.app.flows.get("p", added.job.id)
    assert found is not None
    assert {(each.job.data, each.job.return_value, each.job.failed_reason) for each in found.children} == {
        (1, 1, None),
        (2, None, "RuntimeError: 2 is broken"),
        (3, None, None),
    }
    await added.children[0].job.remove()
    found = await yard.app.flows.get("p", added.job.id)
    assert found is not None
    assert {each.job.data for each in found.children} == {2, 3}


async def test_a_root_whose_id_has_colons_is_read_back(yard: Yard) -> None:
    yard.queue("p")
    yard.queue("desk:orders")
    for queue in ("p", "desk:orders"):
        root = await yard.app.queue(queue).add("root", job_id="a:b:c")
        found = await yard.app.flows.get(queue, root.id)
        assert found is not None
        assert [(job.queue, job.id) for job in found] == [(queue, "a:b:c")]
        await found.job.remove()
        assert await root.state() is JobState.UNKNOWN


async def _is(yard: Yard, queue: str, **expected: int) -> bool:
    counts = await yard.queue(queue).counts()
    return all(counts[JobState(state)] == number for state, number in expected.items())


async def _has_failed(job: Job[Any]) -> bool:
    return await job.state() is JobState.FAILED
