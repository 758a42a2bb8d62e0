"""The paper exchange's server answers, stays silent, answers late, loses requests and refuses late ones."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from stockyard.effects import Applied, EffectRecord, NotApplied
from stockyard.trading import Order
from stockyard.trading.demo import venue as venue_module
from stockyard.trading.demo.exchange import PaperExchange
from stockyard.trading.demo.venue import Fate, VenueClient, VenueServer, fate_of


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[VenueServer]:
    book = PaperExchange(tmp_path / "exchange.db")
    async with VenueServer(book) as server:
        yield server
    book.close()


def order_of(fate: Fate) -> Order:
    """An order whose first request has a fate."""
    key = next(f"o{number}" for number in range(10_000) if fate_of(f"o{number}", 1) == fate)
    return Order(key, "IBM", "buy", 100, 50.0, date(2010, 1, 4))


def soon() -> float:
    return time.time() + 60


async def found(client: VenueClient, order: Order) -> Applied | str:
    record = EffectRecord(key=order.client_order_id, queue="q", job_id="1", outcome="unknown")
    return await client.became_of(record)


async def test_most_orders_are_answered(server: VenueServer) -> None:
    client, order = VenueClient(server.port), order_of("answered")
    assert await found(client, order) == "not_applied"
    ack = await client.place(order, expires_at=soon())
    assert ack.client_order_id == order.client_order_id
    assert await found(client, order) == Applied(ack)
    fates = [fate_of(f"o{number}", 1) for number in range(10_000)]
    assert {fate: round(fates.count(fate) / 1000) for fate in fates} == {
        "answered": 9,
        "silent": 1,
        "late": 0,
        "lost": 0,
    }
    assert len(fates) - fates.count("answered") in range(1_300, 1_700)


@pytest.mark.parametrize(("fate", "is_filled"), [("silent", True), ("lost", False)])
async def test_some_are_not_answered(server: VenueServer, fate: Fate, is_filled: bool) -> None:
    client, order = VenueClient(server.port), order_of(fate)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.place(order, expires_at=soon())
    assert isinstance(await found(client, order), Applied) is is_filled
    assert server.fates == {fate: 1}


async def test_some_are_answered_late(server: VenueServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_module, "_LATE", 0.05)
    client, order = VenueClient(server.port), order_of("late")
    ack = await client.place(order, expires_at=soon())
    assert await found(client, order) == Applied(ack)


async def test_what_arrives_too_late_is_refused(server: VenueServer) -> None:
    client, order = VenueClient(server.port), order_of("answered")
    with pytest.raises(NotApplied, match="arrived after the time"):
        await client.place(order, expires_at=time.time() - 0.001)
    assert await found(client, order) == "not_applied"
    assert server.refused == 1


async def test_a_server_that_ends_leaves_no_answer(tmp_path: Path) -> None:
    book = PaperExchange(tmp_path / "exchange.db")
    async with VenueServer(book) as server:
        placing = asyncio.create_task(VenueClient(server.port).place(order_of("silent"), expires_at=soon()))
        while not server.fates:
            await asyncio.sleep(0)
    book.close()
    with pytest.raises(OSError, match="closed the connection"):
        await placing
