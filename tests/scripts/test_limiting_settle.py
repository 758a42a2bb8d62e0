"""limiting.settle: what did not count is given back, once it is certain."""

from collections.abc import Callable

import pytest

from stockyard.model.limit import Decay, Fixed, Gap, InFlight, Rolling
from tests.scripts.exchange import Exchange

Open = Callable[..., Exchange]


async def test_vector_9_give_back(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="10s"))
    calls = [await orders.take(1) for _ in range(100)]
    for call in calls[:30]:
        assert await orders.settle(2, call, orders=1) == 1
    assert await orders.count(2, 31) == (30, 8)
    await orders.settle(3, calls[30], orders=1)
    assert await orders.count(3, 1) == (1, 0)
    await orders.settle(4, calls[31])
    assert await orders.count(4, 1) == (0, 6)


async def test_nothing_is_given_back_in_another_window(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 2, per="10s"))
    old = await orders.take(1)
    await orders.count(10, 2)
    await orders.settle(11, old, orders=1)
    assert await orders.count(11, 1) == (0, 9)


async def test_what_the_exchange_has_counted_since_is_not_given_back_twice(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 10, per="10s"))
    unsent, sent = await orders.take(1), await orders.take(1)
    # Its count has not seen the call that was never sent.
    await orders.observe(2, sent, orders=1)
    assert await orders.settle(3, unsent, orders=1) == 0
    assert await orders.count(3, 10) == (9, 7)


async def test_a_rolling_window_gives_back_what_was_used_then(exchange: Open) -> None:
    calls = exchange(Rolling("calls", 10, per="10s"), reserve={"cancel": 0.1})
    await calls.take(0, 3)
    middle = await calls.take(2, 4)
    await calls.take(4, 1, lane="cancel")
    await calls.settle(5, middle, calls=4)
    assert await calls.count(5, 9) == (6, 5)
    assert await calls.count(10, 9) == (3, 5)


async def test_a_level_gives_back_no_more_than_is_left_of_the_call(exchange: Open) -> None:
    kraken = exchange(Decay("counter", 10, per_second=1))
    first = await kraken.take(0, 4)
    await kraken.take(5, 6)
    # The counter was at 0 in between: nothing of the first call is left in it.
    await kraken.settle(5, first, counter=4)
    assert await kraken.count(5, 9) == (4, 1)


async def test_a_gap_is_given_back(exchange: Open) -> None:
    requests = exchange(Gap("gap", "15s"))
    first = await requests.take(0)
    await requests.settle(1, first, gap=1)
    second = await requests.take(1)
    await requests.settle(2, first, gap=1)
    assert await requests.wait(2) == 14
    assert second


async def test_a_place_that_is_renewed_stays_taken(exchange: Open) -> None:
    history = exchange(InFlight("open", 1, lease="10s"))
    call = await history.take(0)
    assert await history.renew(8, call) == 1
    assert await history.wait(12) == 6
    await history.take(18)
    assert await history.renew(19, call) == 0
    assert await history.settle(19, call) == 0


@pytest.mark.parametrize("kind", [Fixed, Rolling])
async def test_a_lane_s_own_use_is_given_back(exchange: Open, kind: type[Fixed | Rolling]) -> None:
    orders = exchange(kind("orders", 10, per="10s"), reserve={"cancel": 0.2})
    call = await orders.take(1, 2, lane="cancel")
    await orders.settle(2, call, orders=2)
    assert (await orders.count(2, 10))[0] == 8
