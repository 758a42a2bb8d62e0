"""editing.remove_below: a part of a large family, without letting its parents go."""

from typing import Any

import msgspec
import pytest

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

REMOVE = load("editing.remove_below")


def put_family(keyspace: QueueKeyspace, keys: Keyspace, place: dict[str, Any]) -> None:
    link = {"parentKey": keyspace.base + "p", "parent": f'{{"id":"p","queueKey":"{keyspace.base[:-1]}"}}'}
    keys.put({"p": record(), "p:dependencies": {keyspace.base + "a"}, "waiting-children": Sorted({"p": NOW})})
    keys.put({"a": record(**link), "a:logs": ["x"], **place})


async def remove(keyspace: QueueKeyspace, *ids: str, top: str = "", idle_only: bool = False) -> Any:
    jobs = msgspec.msgpack.encode([keyspace.base + job_id for job_id in ids])
    return await keyspace.run(REMOVE, jobs, top, int(idle_only))


@pytest.mark.parametrize("place", ["completed", "failed", "delayed", "prioritized"])
async def test_a_job_in_a_set_goes_and_its_parent_still_waits(
    keyspace: QueueKeyspace, keys: Keyspace, place: str
) -> None:
    put_family(keyspace, keys, {place: Sorted({"a": 1})})
    assert await remove(keyspace, "a") == [1, b"", []]
    assert keys.all() == {
        "p": record(),
        "p:dependencies": {keyspace.base + "a"},
        "waiting-children": Sorted({"p": NOW}),
        "events": [["removed", "a", place]],
    }


async def test_the_job_that_stays_goes_on_after_its_last_child(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    put_family(keyspace, keys, {"delayed": Sorted({"a": 1})})
    assert await remove(keyspace, "a", top=keyspace.base + "p", idle_only=True) == [1, b"", []]
    assert (keys.get("wait"), keys.get("p:dependencies")) == (["p"], None)


async def test_what_stands_in_a_list_or_runs_is_named_and_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"a": record(), "wait": ["a"], "b": record(), "b:lock": "w:1", "active": ["b"]})
    keys.put({"c": record(), "failed": Sorted({"c": 1})})
    before = keys.all()
    reply = await remove(keyspace, "a", "b", "c", idle_only=True)
    assert reply == [0, (keyspace.base + "b").encode(), [(keyspace.base + "a").encode()]]
    assert keys.all() == before
