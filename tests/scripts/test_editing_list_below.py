"""editing.list_below: the children of jobs, a page at a time."""

from typing import Any

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

LIST = load("editing.list_below")


async def listed(keyspace: QueueKeyspace, job: str, *, idle_only: bool = False) -> tuple[set[str], int]:
    """All children of a job, and how many calls it took."""
    rest: list[Any] = [(keyspace.base + job, 1, "0")]
    found: set[str] = set()
    calls = 0
    while rest:
        held, children, rest = await keyspace.run(LIST, msgspec.msgpack.encode(rest), int(idle_only))
        assert held == b""
        found |= {each.decode().removeprefix(keyspace.base) for each in children}
        rest = [(key.decode(), stage, cursor.decode()) for key, stage, cursor in rest]
        calls += 1
    return found, calls


async def test_children_of_every_kind_are_listed_page_by_page(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    names = {kind: [f"{kind}{number}" for number in range(600)] for kind in "dpfu"}
    keys.put({"1": record(), "1:dependencies": {keyspace.base + name for name in names["d"]}})
    keys.put({"1:processed": {keyspace.base + name: "1" for name in names["p"]}})
    keys.put({"1:failed": {keyspace.base + name: "no" for name in names["f"]}})
    keys.put({"1:unsuccessful": Sorted({keyspace.base + name: NOW for name in names["u"]})})
    before = keys.all()
    found, calls = await listed(keyspace, "1")
    assert found == {name for kind in names.values() for name in kind}
    assert calls > 5
    assert keys.all() == before


async def test_only_idle_ones_when_asked(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "1:dependencies": {keyspace.base + name for name in ("idle", "runs", "failed-one")}})
    keys.put(
        {"1:processed": {keyspace.base + "done": "1"}, "runs:lock": "w:1", "failed": Sorted({"failed-one": NOW})}
    )
    assert await listed(keyspace, "1", idle_only=True) == ({"idle"}, 1)


async def test_a_job_that_a_worker_holds_is_named(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "1:lock": "w:1", "1:dependencies": {keyspace.base + "a"}})
    reply = await keyspace.run(LIST, msgspec.msgpack.encode([(keyspace.base + "1", 1, "0")]), 0)
    assert reply == [(keyspace.base + "1").encode(), [], []]
