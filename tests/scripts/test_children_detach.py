"""children.detach: a child leaves its parent."""

import pytest

from stockyard._store.jobs.children import detach
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


@pytest.fixture
def link(keyspace: QueueKeyspace) -> dict[str, str]:
    """The fields of a child of ``par`` that say so."""
    return {"parentKey": f"{keyspace.base}par", "parent": f'{{"id":"par","queueKey":"{keyspace.base[:-1]}"}}'}


async def test_the_last_child_lets_the_parent_go(
    keyspace: QueueKeyspace, keys: Keyspace, link: dict[str, str]
) -> None:
    keys.put({"par": record(), "waiting-children": Sorted({"par": NOW}), "a": record(**link), "wait": ["a"]})
    keys.put({"par:dependencies": {f"{keyspace.base}a"}})
    assert await detach(keyspace, "a") == 1
    assert keys.all() == {
        "a": record(),
        "par": record(),
        "wait": ["a", "par"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "par", "waiting-children"]],
    }


async def test_a_parent_waits_for_the_others(
    keyspace: QueueKeyspace, keys: Keyspace, link: dict[str, str]
) -> None:
    keys.put({"par": record(), "waiting-children": Sorted({"par": NOW}), "a": record(**link)})
    keys.put({"par:dependencies": {f"{keyspace.base}a", f"{keyspace.base}b"}})
    assert await detach(keyspace, "a") == 1
    assert (keys.get("par:dependencies"), keys.get("wait")) == ({f"{keyspace.base}b"}, None)


async def test_a_child_that_has_ended_keeps_its_tie(
    keyspace: QueueKeyspace, keys: Keyspace, link: dict[str, str]
) -> None:
    keys.put({"par": record(), "a": record(**link), "par:processed": {f"{keyspace.base}a": "1"}})
    before = keys.all()
    assert await detach(keyspace, "a") == 0
    assert keys.all() == before


async def test_a_job_without_a_parent(keyspace: QueueKeyspace, keys: Keyspace, link: dict[str, str]) -> None:
    keys.put({"a": record(), "b": record(**link)})
    assert [await detach(keyspace, each) for each in ("a", "b", "c")] == [
        0,
        ReplyCode.PARENT_MISSING,
        ReplyCode.JOB_MISSING,
    ]
