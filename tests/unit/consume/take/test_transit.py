"""Leases of jobs whose records are on their way: renewed from a third of their length on, as long as it takes."""

import asyncio
from typing import Any, cast

import pytest

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard.consume.take.transit import Transit
from stockyard.errors import ServerUnavailable
from tests.support.waiting import eventually

LOCK_MS = 30


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    renewed: list[tuple[str, int]] = []

    async def hold(_: Any, token: str, lock_ms: int) -> None:
        renewed.append((token, lock_ms))
        raise ServerUnavailable("away")

    monkeypatch.setattr(leasing, "hold", hold)
    return renewed


@pytest.fixture
def transit(renewed: list[tuple[str, int]]) -> Transit:
    return Transit(cast("QueueKeyspace", None), lock_ms=LOCK_MS)


async def test_a_call_that_takes_long_keeps_its_leases_again_and_again(
    transit: Transit, renewed: list[tuple[str, int]]
) -> None:
    with transit.holding("w:1"):
        await eventually(lambda: len(renewed) >= 3)
    assert set(renewed) == {("w:1", LOCK_MS)}


async def test_a_call_that_has_not_begun_to_answer_is_left_alone(
    transit: Transit, renewed: list[tuple[str, int]]
) -> None:
    asked = 0
    is_receiving = False

    def receiving() -> bool:
        nonlocal asked
        asked += 1
        return is_receiving

    with transit.holding("w:1", receiving):
        await eventually(lambda: asked >= 2)
        assert renewed == []
        is_receiving = True
        await eventually(lambda: bool(renewed))


async def test_nothing_is_renewed_after_the_answer(transit: Transit, renewed: list[tuple[str, int]]) -> None:
    block = transit.holding("w:1")
    with block:
        pass
    assert block._timer.cancelled()


async def test_renewals_under_way_end_at_a_stop(transit: Transit, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hold(*_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr(leasing, "hold", hold)
    transit.renew("w:1")
    await begun.wait()
    await transit.stop()
    assert cancelled.is_set()
    await transit.stop()
