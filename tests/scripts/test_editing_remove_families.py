"""editing.remove with what is below a job: all of it goes, or nothing."""

import pytest
import redis

from stockyard._store.jobs import families as removal
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Sorted
from tests.scripts.families import Families


@pytest.fixture
def families(raw: "redis.Redis", prefix: str) -> Families:
    return Families(raw, prefix)


def add_tree(families: Families) -> None:
    """A parent with a child in each form that it keeps children in, one of them with a child of its own."""
    families.add("p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("k/waits", "p", place={"waiting-children": Sorted({"waits": NOW})}, deid="D")
    families.put("k/de:D", "waits")
    families.add("below", "k/waits", place={"wait": ["below"], "below:logs": ["x"]})
    for name, state, known in (
        ("k/done", "completed", {"p:processed": {families.key("k/done"): "1"}}),
        ("k/ignored", "failed", {"p:failed": {families.key("k/ignored"): "no"}}),
        ("broken", "failed", {"p:unsuccessful": Sorted({families.key("broken"): NOW})}),
    ):
        families.add(name, place={state: Sorted({name.removeprefix("k/"): NOW})}, parentKey=families.key("p"))
        for key, value in known.items():
            families.put(key, value)


async def test_every_descendant_goes(keyspace: QueueKeyspace, families: Families) -> None:
    add_tree(families)
    assert await removal.remove(keyspace, "p") == 6
    assert families.left() == {"marker": Sorted({"0": 0}), "k/marker": Sorted({"0": 0})}
    told = {entry[1] for queue in ("events", "k/events") for entry in families.get(queue) if entry[0] == "removed"}
    assert told == {"p", "waits", "below", "done", "ignored", "broken"}


@pytest.mark.parametrize("held", ["p", "k/waits", "below", "k/done", "k/ignored", "broken"])
async def test_nothing_goes_while_one_is_run(keyspace: QueueKeyspace, families: Families, held: str) -> None:
    add_tree(families)
    families.put(f"{held}:lock", "w:1")
    before = families.left()
    assert await removal.remove(keyspace, "p") == 0
    assert families.left() == before
    assert families.get("events") is None


async def test_children_may_be_kept(keyspace: QueueKeyspace, families: Families) -> None:
    families.add("p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("c", "p", place={"active": ["c"], "c:lock": "w:1"})
    assert await removal.remove(keyspace, "p", children=False) == 1
    assert set(families.left()) == {"c", "c:lock", "active"}


async def test_a_circle_has_an_end(keyspace: QueueKeyspace, families: Families) -> None:
    families.add("p", place={"waiting-children": Sorted({"p": NOW})})
    families.add("c", "p", place={"waiting-children": Sorted({"c": NOW})})
    families.put("c:dependencies", {families.key("p")})
    assert await removal.remove(keyspace, "p") == 2
    assert set(families.left()) <= {"marker"}


async def test_an_id_with_colons_is_its_own(keyspace: QueueKeyspace, families: Families) -> None:
    families.add("repeat:s:17", place={"completed": Sorted({"repeat:s:17": NOW})}, rjk="s")
    assert await removal.remove(keyspace, "repeat:s:17") == 1
    assert families.left() == {}
