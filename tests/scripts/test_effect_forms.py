"""An effect is read the same as a field of the hash that the usual ones share, and as a hash of its own."""

from typing import Any

import pytest
from msgspec.structs import replace

from stockyard._store import effects as store
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, record
from tests.scripts.effects import begin, effects_in, intent, locked, reported, stored

NAMES = ["7", "a b", "c 1 2 x", "o n 1 1", "1 ", "\N{SNOWMAN}\n\0 z", "%s%z"]


@pytest.fixture(autouse=True)
def leases_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keyspace, "lease_ms", 600_000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["", "null", '{"a":"b c"}', '"\N{SNOWMAN} c 1 2"'])
async def test_both_forms_say_the_same(keyspace: QueueKeyspace, keys: Keyspace, name: str, value: str) -> None:
    keys.put({name: record(ats=3, pb=f"w {name}"), f"{name}:lock": "w:1"})
    await begin(keyspace, "n1", job_id=name, key=name, starts=3, attempt="2")
    if value:
        assert await store.report(keyspace, [reported("committed", key=name, value=value)]) == ["committed"]
    usual = await store.read(keyspace, name)
    assert keys.get(f":effect:{name}") is None
    # What an earlier attempt says is evidence, which a usual effect does not have.
    await store.report(keyspace, [reported("committed", "another", key=name, value="1")])
    apart: Any = await store.read(keyspace, name)
    assert keys.get(f":effect:{name}") is not None
    assert usual is not None
    assert (usual.job_id, usual.worker, usual.starts, usual.attempt, usual.key) == (name, f"w {name}", 3, 2, name)
    if value:
        assert replace(apart, evidence=None) == usual
        return
    ended = {"outcome", "ended_on", "resolved_by", "value", "evidence"}
    assert {field for field in usual.__struct_fields__ if getattr(usual, field) != getattr(apart, field)} == ended


async def test_of_two_reports_of_one_effect_in_a_call_the_first_stands(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(locked())
    await begin(keyspace)
    given = [reported("committed", value="1"), reported("committed", value="2"), reported("failed", reason="no")]
    assert await store.report(keyspace, given) == ["committed"] * 3
    assert (stored(keys) or {})["value"] == "1"
    assert "evidence" not in (stored(keys) or {})


async def test_a_page_holds_both_forms(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(locked())
    await store.begin(keyspace, [intent(f"n{number}", key=f"k{number}") for number in range(6)])
    await store.report(keyspace, [reported("committed", f"n{number}", key=f"k{number}") for number in range(4)])
    await store.report(keyspace, [reported("committed", "late", key="k1", value="1")])
    committed = await store.read_page(keyspace, "committed", 10)
    assert sorted(each.key for each in committed) == ["k0", "k1", "k2", "k3"]
    assert sorted(each.key for each in await store.read_page(keyspace, "open", 10)) == ["k4", "k5"]
    assert (keys.get(":effect:k1"), keys.get(":effect:k0")) != (None, None)
    await store.forget_all(keyspace)
    assert effects_in(keys) == set()
