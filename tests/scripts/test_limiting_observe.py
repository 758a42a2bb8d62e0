"""limiting.observe: the exchange's own count wins."""

from collections.abc import Callable

import pytest

from stockyard._store.limits import limiting
from stockyard.model.limit import Bucket, Fixed, Rolling
from tests.scripts.exchange import Exchange

Open = Callable[..., Exchange]


async def test_vector_4_the_newest_count_wins(exchange: Open) -> None:
    binance = exchange(Fixed("weight", 6000, per="60s"))
    older = await binance.take(10, 1000)
    k = await binance.take(29.9, 20)
    await binance.take(29.95, 20)
    assert await binance.observe(30.0, k, weight=5990) == 1
    assert [view.used for view in (await look(binance, 30.0))] == [6010]
    assert await binance.wait(30.0, 20) == 30
    assert await binance.observe(31, older, weight=500) == 0
    assert await binance.wait(31, 20) == 29
    late = k
    assert await binance.observe(60.1, late, weight=5999) == 0
    call = await binance.take(60.1, 20)
    assert call.reply.views[0].used == 20


async def look(exchange: Exchange, seconds: float) -> list[limiting.LimitView]:
    await limiting.declare(exchange.keyspace, exchange.limits, [])
    return await exchange.views(seconds)


async def test_a_lower_count_makes_room(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 10, per="10s"))
    calls = [await orders.take(1) for _ in range(10)]
    assert await orders.observe(2, calls[7], orders=3) == 1
    assert await orders.count(2, 9) == (5, 8)


@pytest.mark.parametrize("used", [2, 9])
async def test_a_rolling_window_takes_a_count(exchange: Open, used: int) -> None:
    calls = exchange(Rolling("calls", 10, per="10s"))
    first = await calls.take(0, 4)
    await calls.take(1, 1)
    assert await calls.observe(2, first, calls=used) == 1
    # What the exchange has counted more counts from now on, and what it has counted less leaves as the oldest.
    assert (await calls.count(2, 10))[0] == 10 - used - 1
    room = {2: 2, 9: 4}[used]
    assert (await calls.count(10, 10))[0] == room
    assert (await calls.count(12, 10))[0] == 10 - room


async def test_a_bucket_takes_a_count(exchange: Open) -> None:
    calls = exchange(Bucket("calls", rate=1, burst=10))
    first = await calls.take(0, 4)
    assert await calls.observe(0, first, calls=9) == 1
    assert await calls.count(0, 2) == (1, 1)
    assert await calls.observe(20, first, calls=9) == 0


async def test_what_is_left_is_a_count(exchange: Open) -> None:
    calls = exchange(Rolling("calls", 10, per="1s"))
    first = await calls.take(0)
    counts = {"calls": {"left": 2.0}}
    assert await limiting.observe(calls.keyspace, first.request, first.reply.tickets, counts) == 1
    assert (await calls.count(0, 5))[0] == 2


async def test_a_count_from_before_a_failover_is_ignored(exchange: Open) -> None:
    calls = exchange(Fixed("calls", 10, per="10s"))
    first = await calls.take(0)
    await calls.keyspace.server.call("HSET", f"{calls.keyspace.base}head", "server", "0" * 12)
    assert await calls.observe(1, first, calls=1) == 0
    assert await calls.wait(1) == 9
