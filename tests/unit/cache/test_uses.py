"""Uses of entries are told to the server a moment later, together, and never twice."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from stockyard._store.caches import reading
from stockyard.cache.uses import Uses
from stockyard.errors import ServerRefused
from tests.support.waiting import eventually


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """What was told, call by call; a full server refuses "full"."""
    calls: list[dict[str, int]] = []

    async def note_uses(_keyspace: object, uses: Mapping[str, int]) -> None:
        calls.append(dict(uses))
        await asyncio.sleep(0)
        if "full" in uses:
            raise ServerRefused("OOM")

    monkeypatch.setattr(reading, "note_uses", note_uses)
    return calls


@pytest.fixture
async def uses() -> Uses:
    keyspace: Any = None
    return Uses(keyspace)


async def test_they_are_told_together_a_moment_later(uses: Uses, told: list[dict[str, int]]) -> None:
    uses.note("a", 1)
    uses.note("b", 2)
    uses.note("a", 3)
    assert told == []
    await eventually(lambda: told == [{"a": 3, "b": 2}])
    uses.note("c", 4)
    await eventually(lambda: told[1:] == [{"c": 4}])


async def test_many_are_told_at_once(uses: Uses, told: list[dict[str, int]]) -> None:
    for number in range(201):
        uses.note(str(number), number)
    await asyncio.sleep(0)
    assert [len(each) for each in told] == [201]
    await uses.aclose()
    assert len(told) == 1


async def test_what_a_write_takes_along_is_not_told(uses: Uses, told: list[dict[str, int]]) -> None:
    uses.note("a", 1)
    assert uses.taken() == {"a": 1}
    uses.note("b", 2)
    await uses.aclose()
    assert told == [{"b": 2}]


async def test_a_refusal_costs_nobody_anything(uses: Uses, told: list[dict[str, int]]) -> None:
    uses.note("full", 1)
    await eventually(lambda: len(told) == 1)
    uses.note("a", 2)
    await uses.aclose()
    assert told == [{"full": 1}, {"a": 2}]
