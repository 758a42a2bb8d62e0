"""limiting.freeze: every process waits, and comes back slowly."""

from collections.abc import Callable

from stockyard._store.limits import limiting
from stockyard.model.limit import Fixed
from tests.scripts.exchange import Exchange

Open = Callable[..., Exchange]


async def test_vector_5_a_freeze_holds_every_process_until_it_ends(exchange: Open) -> None:
    processes = [exchange(Fixed("orders", 100, per="10s")) for _ in range(3)]
    one = processes[0]
    assert await one.freeze(5.0, 3) == 3
    assert await one.freeze(5.1, 1) == 2.9
    assert [await each.wait(7.9) for each in processes] == [0.1] * 3
    await one.take(8.0)
    assert await processes[1].freeze(9.0, 120) == 120
    assert [await each.wait(128.9) for each in processes] == [0.1] * 3
    await processes[2].take(129.0)


async def test_a_freeze_of_a_scope_holds_no_other(exchange: Open) -> None:
    weight = exchange(Fixed("weight", 100, per="10s", scope="ip"), freeze_scope="ip")
    await weight.freeze(0, 5, "ip=10.0.0.1")
    assert await weight.wait(1, 1, {"ip": "10.0.0.1"}) == 4
    await weight.take(1, 1, {"ip": "10.0.0.2"})
    await weight.freeze(1, 2)
    assert await weight.wait(1, 1, {"ip": "10.0.0.2"}) == 2


async def test_calls_come_back_slowly_after_a_freeze(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="60s"), slow_start="10s")
    await orders.freeze(0, 5)
    # A tenth at once, and then nine in a second.
    assert await orders.count(5, 20) == (10, 0.111)
    assert await orders.count(6, 20) == (9, 0.111)
    assert await orders.count(15, 100) == (81, 45)


async def test_one_call_may_always_be_made_after_a_freeze(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 1, per="1s"), slow_start="10s")
    await orders.freeze(0, 5)
    await orders.take(5)


async def test_without_a_slow_start_all_come_back_at_once(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="60s"), slow_start=0)
    await orders.freeze(0, 5)
    assert await orders.count(5, 101) == (100, 55)


async def test_a_freeze_can_be_ended(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="10s"))
    await orders.freeze(0, 60)
    assert await limiting.thaw(orders.keyspace, [""]) == 1
    assert await limiting.thaw(orders.keyspace, ["", "ip=1"]) == 0
    await orders.take(1)
