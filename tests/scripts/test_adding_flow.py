"""adding.flow: whole trees across queues, or nothing."""

from typing import Any

import pytest

from stockyard import JobNotFound, JobOptions, JobStateError, ParentRef
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.jobs.trees import add_trees
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


class Sent:
    """The jobs of one call."""

    def __init__(self, *keyspaces: QueueKeyspace) -> None:
        self.keyspaces = keyspaces
        self.jobs: list[RelatedJob] = []

    def put(
        self, keyspace: QueueKeyspace, job_id: str, above: RelatedJob | None = None, **options: Any
    ) -> RelatedJob:
        """Line up a job below another one of the call."""
        if above is not None:
            above.is_parent = True
            options["parent"] = ParentRef(self.keyspaces[above.queue - 1].queue, above.id)
        job = related_job(keyspace, "work", "{}", JobOptions().merged(job_id=job_id, **options), NOW)
        job.queue = self.keyspaces.index(keyspace) + 1
        if job.parent and above:
            job.parent.is_new = True
        self.jobs.append(job)
        return job

    async def add(self) -> list[str]:
        answers = await add_trees(self.keyspaces, self.jobs)
        return [each if isinstance(each, str) else each.job_id for each in answers]


@pytest.fixture
def other(keyspace: QueueKeyspace) -> QueueKeyspace:
    """A second queue, ``r``."""
    return QueueKeyspace(keyspace.server, keyspace.keys.naming, "r", clock=lambda: NOW)


@pytest.fixture
def other_keys(raw: Any, other: QueueKeyspace) -> Keyspace:
    return Keyspace(raw, other.base)


async def test_a_tree_of_three_levels_in_two_queues(
    keyspace: QueueKeyspace, other: QueueKeyspace, keys: Keyspace, other_keys: Keyspace
) -> None:
    sent = Sent(keyspace, other)
    root = sent.put(keyspace, "root", priority=3)
    middle = sent.put(other, "middle", root)
    sent.put(keyspace, "a", root, delay="5s")
    sent.put(other, "b", middle, on_failure="ignore_dependency")
    assert await sent.add() == ["root", "middle", "a", "b"]

    found, others = keys.all(), other_keys.all()
    assert set(found) == {
        "root",
        "root:dependencies",
        "a",
        "waiting-children",
        "delayed",
        "events",
        "id",
        "marker",
    }
    assert found["root:dependencies"] == {f"{other.base}middle", f"{keyspace.base}a"}
    assert (found["waiting-children"], found["id"]) == (Sorted({"root": NOW}), "2")
    assert found["marker"] == Sorted({"1": NOW + 5000})
    assert found["events"] == [
        ["added", "root", "work"],
        ["waiting-children", "root"],
        ["added", "a", "work"],
        ["delayed", "a", str(NOW + 5000)],
    ]
    assert others["middle:dependencies"] == {f"{other.base}b"}
    assert others["b"]["parent"] == f'{{"id":"middle","queueKey":"{other.base[:-1]}","idof":true}}'
    assert others["middle"]["parentKey"] == f"{keyspace.base}root"
    assert (others["wait"], others["marker"]) == (["b"], Sorted({"0": 0}))


async def test_a_parent_whose_children_have_all_completed_goes_on(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    for each in ("a", "b"):
        keys.put({each: record(returnvalue=f'"{each}"')})
    keys.put({"completed": Sorted({"a": NOW, "b": NOW})})
    sent = Sent(keyspace)
    root = sent.put(keyspace, "root")
    sent.put(keyspace, "a", root)
    sent.put(keyspace, "b", root)
    assert await sent.add() == ["root", "a", "b"]
    assert keys.get("root:processed") == {f"{keyspace.base}a": '"a"', f"{keyspace.base}b": '"b"'}
    assert (keys.get("waiting-children"), keys.get("wait"), keys.get("marker")) == (
        None,
        ["root"],
        Sorted({"0": 0}),
    )
    assert keys.get("events")[-3:] == [
        ["duplicated", "a"],
        ["duplicated", "b"],
        ["waiting", "root", "waiting-children"],
    ]


async def test_a_parent_waits_for_those_that_follow_a_completed_one(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"a": record(returnvalue="1"), "completed": Sorted({"a": NOW})})
    sent = Sent(keyspace)
    root = sent.put(keyspace, "root")
    sent.put(keyspace, "a", root)
    sent.put(keyspace, "b", root)
    await sent.add()
    assert (keys.get("waiting-children"), keys.get("wait")) == (Sorted({"root": NOW}), ["b"])


async def test_a_tree_below_a_job_that_exists(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"above": record(), "active": ["above"]})
    sent = Sent(keyspace)
    root = sent.put(keyspace, "root", parent=ParentRef("q", "above"))
    sent.put(keyspace, "a", root)
    await sent.add()
    assert keys.get("above:dependencies") == {f"{keyspace.base}root"}


async def test_a_tree_whose_root_lacks_its_parent_is_not_added(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    sent = Sent(keyspace)
    sent.put(keyspace, "first")
    root = sent.put(keyspace, "root", parent=ParentRef("q", "above"))
    sent.put(keyspace, "a", root)
    with pytest.raises(JobNotFound, match="above, to be the parent of 'work', does not exist") as caught:
        await sent.add()
    assert caught.value.job_id == "above"
    assert keys.all() == {}


async def test_a_tree_with_a_child_of_another_parent_is_not_added(
    keyspace: QueueKeyspace, other: QueueKeyspace, keys: Keyspace, other_keys: Keyspace
) -> None:
    keys.put({"old": record()})
    other_keys.put({"b": record(parentKey=f"{keyspace.base}old", parent="{}")})
    before = keys.all(), other_keys.all()
    sent = Sent(keyspace, other)
    root = sent.put(keyspace, "root")
    sent.put(keyspace, "a", root)
    sent.put(other, "b", root)
    with pytest.raises(JobStateError, match="job b exists and belongs to another parent") as caught:
        await sent.add()
    assert caught.value.job_id == "b"
    assert (keys.all(), other_keys.all()) == before


async def test_a_child_whose_old_parent_is_gone_is_adopted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"a": record(parentKey=f"{keyspace.base}gone", parent="{}"), "wait": ["a"]})
    sent = Sent(keyspace)
    sent.put(keyspace, "a", sent.put(keyspace, "root"))
    await sent.add()
    assert (keys.get("a")["parentKey"], keys.get("wait")) == (f"{keyspace.base}root", ["a"])


async def test_the_event_streams_stay_as_long_as_their_queues_say(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "10"}})
    sent = Sent(keyspace)
    root = sent.put(keyspace, "root")
    for number in range(300):
        sent.put(keyspace, f"c{number}", root)
    await sent.add()
    assert len(keys.get("events")) < 300
