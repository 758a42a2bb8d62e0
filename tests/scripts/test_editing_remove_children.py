"""editing.remove_children: what a job waits for goes, in whatever queues it is."""

import pytest
import redis

from stockyard._store.jobs import families as removal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.scripts.families import Families


@pytest.fixture
def families(raw: "redis.Redis", prefix: str) -> Families:
    return Families(raw, prefix)


async def test_idle_children_go_with_all_below_and_the_parent_goes_on(
    keyspace: QueueKeyspace, families: Families
) -> None:
    families.add("p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("k/c", "p", place={"waiting-children": Sorted({"c": NOW})})
    families.add("g", "k/c", place={"delayed": Sorted({"g": 5})})
    families.add("d", "p", place={"wait": ["d"]})
    assert await removal.remove_unprocessed_children(keyspace, "p") == 3
    assert families.left() == {
        "p": record(),
        "wait": ["p"],
        "marker": Sorted({"0": 0}),
        "k/marker": Sorted({"0": 0}),
    }
    assert families.get("k/events") == [["waiting", "c", "waiting-children"], ["removed", "c", "wait"]]


async def test_running_failed_and_ended_children_stay(keyspace: QueueKeyspace, families: Families) -> None:
    families.add("p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("running", "p", place={"active": ["running"], "running:lock": "w:1"})
    families.add("failed", "p", place={"failed": Sorted({"failed": NOW})})
    families.put("p:processed", {families.key("k/done"): "1"})
    families.put("k/done", record())
    before = families.left()
    families.add("idle", "p", place={"prioritized": Sorted({"idle": 1})}, priority=1)
    assert await removal.remove_unprocessed_children(keyspace, "p") == 1
    assert families.left() == before


async def test_a_running_grandchild_stays(keyspace: QueueKeyspace, families: Families) -> None:
    families.add("p", place={"active": ["p"]})
    families.add("c", "p", place={"waiting-children": Sorted({"c": NOW})})
    families.add("g", "c", place={"g:lock": "w:1"})
    assert await removal.remove_unprocessed_children(keyspace, "p") == 1
    left = families.left()
    assert set(left) == {"p", "active", "g", "g:lock"}


async def test_a_job_without_children_has_none(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "wait": ["1"]})
    assert await removal.remove_unprocessed_children(keyspace, "1") == 0
    assert await removal.remove_unprocessed_children(keyspace, "2") == ReplyCode.JOB_MISSING
    assert keys.all() == {"1": record(), "wait": ["1"]}
