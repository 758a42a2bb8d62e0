"""A queue with shards answers for all of them."""

import inspect

import pytest

from stockyard import InvalidOption, ParentRef, Queue
from stockyard.model.options import JobOptions
from stockyard.produce.checked_jobs import checked_text
from stockyard.produce.sharded_queue import ShardedQueue
from stockyard.schedule.schedules import Schedules
from stockyard.schedule.sharded_schedules import ShardedSchedules
from stockyard.topology import QueueSpec

BY_OTHERS = {"count", "search", "upsert", "upsert_declared", "upcoming"}
"""What is done by the other methods."""


@pytest.mark.parametrize(("kind", "sharded"), [(Queue, ShardedQueue), (Schedules, ShardedSchedules)])
def test_every_method_is_one_of_its_own(kind: type, sharded: type) -> None:
    inherited = {
        name
        for name, method in inspect.getmembers(kind, inspect.iscoroutinefunction)
        if not name.startswith("_") and getattr(sharded, name) is method
    }
    assert inherited <= BY_OTHERS


def test_a_parent_needs_a_queue_without_shards() -> None:
    key, parent = JobOptions().merged(key="A"), JobOptions().merged(parent=ParentRef("p", "1"))
    assert checked_text(QueueSpec("q", shards=2), "x", {}, key) == "{}"
    assert checked_text(QueueSpec("q"), "x", {}, key) == "{}"
    with pytest.raises(InvalidOption, match="cannot have a parent: the queue has shards"):
        checked_text(QueueSpec("q", shards=2), "x", {}, parent)


@pytest.mark.parametrize("key", ["", "x" * 201, 7, b"A", ["A"]])
def test_a_key_is_short_text(key: object) -> None:
    with pytest.raises(InvalidOption, match="key must be text of 1 to 200 characters"):
        JobOptions().merged(key=key)  # type: ignore[arg-type]
