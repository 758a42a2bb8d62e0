"""limiting.take: a call is admitted under all of its limits, or counted under none."""

from collections.abc import Callable

import pytest

from stockyard._store.limits import limiting
from stockyard.model.limit import AgeCost, Bucket, Decay, Fixed, Gap, InFlight, Rolling
from stockyard.model.limits import Limits
from tests.scripts.conftest import Keyspace
from tests.scripts.exchange import Exchange

Open = Callable[..., Exchange]


async def test_vector_1_a_fixed_window_is_aligned_to_the_clock(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="10s"))
    assert await orders.count(9.0, 100) == (100, 0)
    assert await orders.wait(9.5) == 0.5
    assert await orders.count(10.0, 101) == (100, 10)


async def test_vector_1_a_rolling_window_denies_the_second_burst(exchange: Open) -> None:
    orders = exchange(Rolling("orders", 100, per="10s"))
    assert await orders.count(9.0, 100) == (100, 0)
    assert await orders.count(10.0, 1) == (0, 9)


async def test_vector_2_a_use_leaves_a_rolling_window_when_it_is_as_old(exchange: Open) -> None:
    calls = exchange(Rolling("calls", 10, per="1s"))
    assert await calls.count(0.0, 5) == (5, 0)
    assert await calls.count(0.6, 5) == (5, 0)
    assert await calls.count(0.9, 1) == (0, 0.1)
    assert await calls.count(1.0, 5) == (5, 0)
    assert await calls.count(1.5, 1) == (0, 0.1)
    assert await calls.count(1.6, 6) == (5, 0.4)


async def test_vector_3_all_or_none(exchange: Open) -> None:
    both = exchange(Fixed("weight", 20, per="60s"), Fixed("orders", 2, per="10s"))

    def used(call: object) -> list[float]:
        return [view.used for view in call.reply.views]  # type: ignore[attr-defined]

    assert used(await both.take(0, {"weight": 15, "orders": 1})) == [15, 1]
    assert await both.wait(0, {"weight": 10, "orders": 1}) == 60
    assert used(await both.take(0, {"weight": 5, "orders": 1})) == [20, 2]
    assert await both.wait(0, {"weight": 0, "orders": 1}) == 10
    assert await both.wait(10, {"weight": 1, "orders": 1}) == 50
    assert used(await both.take(60, {"weight": 1, "orders": 1})) == [1, 1]


async def test_vector_6_a_counter_decays(exchange: Open) -> None:
    kraken = exchange(Decay("counter", 15, per_second=0.33))
    assert await kraken.count(0, 16) == (15, 3.03)
    call = await kraken.take(3.04)
    assert call.reply.views[0].used == pytest.approx(13.997 + 1, abs=0.001)


def test_vector_6_a_cancel_costs_by_the_order_s_age() -> None:
    cancel = AgeCost({5: 8, 10: 6, 15: 5, 45: 4, 90: 2, 300: 1})
    assert [cancel.at(age) for age in (4, 7, 12, 30, 60, 200, 300)] == [8, 6, 5, 4, 2, 1, 0]


@pytest.mark.parametrize("kind", [Fixed, Rolling])
async def test_vector_7_no_other_lane_uses_a_reserve(exchange: Open, kind: type[Fixed | Rolling]) -> None:
    orders = exchange(kind("orders", 100, per="10s"), reserve={"cancel": 0.10})
    start = 1 if kind is Fixed else 0
    assert await orders.count(start, 95) == (90, 9 if kind is Fixed else 10)
    assert await orders.count(2, 10, lane="cancel") == (10, 0)
    assert await orders.wait(2, lane="cancel") == 8
    assert (await orders.count(10, 95))[0] == 90


async def test_a_reserve_that_its_lane_has_used_is_not_kept_free_again(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 100, per="10s"), reserve={"cancel": 0.10})
    assert await orders.count(1, 10, lane="cancel") == (10, 0)
    assert await orders.count(1, 95) == (90, 9)


async def test_a_reserve_of_a_level_is_left_whole(exchange: Open) -> None:
    tokens = exchange(Bucket("tokens", rate=10, burst=10), reserve={"cancel": 0.20})
    assert await tokens.count(0, 9) == (8, 0.1)
    assert await tokens.count(0, 3, lane="cancel") == (2, 0.1)


async def test_vector_8_a_limited_scope_holds_no_other(exchange: Open) -> None:
    orders = exchange(Fixed("orders", 1, per="10s", scope="account"))
    assert await orders.count(0, 1, scope={"account": "A"}) == (1, 0)
    assert await orders.wait(0, scope={"account": "A"}) == 10
    assert await orders.count(0, 1, scope={"account": "B"}) == (1, 0)
    assert await orders.count(10, 1, scope={"account": "A"}) == (1, 0)


async def test_vector_10_a_gap_and_calls_under_way(exchange: Open) -> None:
    history = exchange(Gap("gap", "15s", scope="request"), InFlight("open", 2, lease="60s"))

    async def ask(seconds: float, request: str) -> object:
        return await history.ask(seconds, {"gap": 1, "open": 1}, {"request": request})

    x = await history.take(0, {"gap": 1, "open": 1}, {"request": "X"})
    assert await ask(1, "X") == 14
    y = await history.take(1, {"gap": 1, "open": 1}, {"request": "Y"})
    assert await ask(1, "Z") == 59
    await history.settle(2, y)
    await history.take(2, {"gap": 1, "open": 1}, {"request": "Z"})
    assert await ask(15, "X") == 45
    await history.settle(15, x)
    await history.take(15, {"gap": 1, "open": 1}, {"request": "X"})


async def test_a_call_that_waits_for_another_to_end_learns_that(exchange: Open) -> None:
    history = exchange(InFlight("open", 1))
    await history.take(0)
    plan = history.limits.plan(1)
    reply = await limiting.take(history.keyspace, limiting.request_of(history.limits, plan, "t"))
    assert (reply.cause, reply.may_end_early) == ("open", True)


async def test_vector_11_a_bucket_fills_again(exchange: Open) -> None:
    prime = exchange(Bucket("requests", rate=25, burst=50))
    assert await prime.count(0, 60) == (50, 0.04)
    assert await prime.count(0.4, 10) == (10, 0)
    assert await prime.count(1.0, 20) == (15, 0.04)


async def test_a_lowered_limit_denies_until_less_is_used(exchange: Open) -> None:
    wide, narrow = exchange(Rolling("calls", 10, per="10s")), exchange(Rolling("calls", 4, per="10s"))
    assert await wide.count(0, 5) == (5, 0)
    assert await wide.count(4, 3) == (3, 0)
    assert await narrow.wait(5) == 5
    assert await narrow.count(10, 2) == (1, 4)


async def test_an_amount_set_at_run_time_holds_for_every_process(exchange: Open) -> None:
    here, there = exchange(Fixed("calls", 10, per="10s")), exchange(Fixed("calls", 10, per="10s"))
    await limiting.set_most(here.keyspace, {"calls": 2})
    assert await there.count(0, 3) == (2, 10)
    await limiting.set_most(here.keyspace, {"calls": None})
    assert await there.count(0, 9) == (8, 10)


async def test_a_call_that_costs_more_than_an_amount_is_never_admitted(exchange: Open) -> None:
    for kind in (Fixed("calls", 10, per="10s"), Rolling("calls", 10, per="10s"), Bucket("calls", 1, 10)):
        calls = exchange(kind)
        await limiting.set_most(calls.keyspace, {"calls": 2})
        assert await calls.wait(0, 5) > 0


async def test_a_rolling_window_stays_small_and_loses_little(exchange: Open, limits_keys: Keyspace) -> None:
    calls = exchange(Rolling("calls", 1200, per="60s"))
    admitted: list[float] = []
    for step in range(2400):
        at = step / 20
        while not isinstance(await calls.ask(at, 10), float):
            admitted.append(at)
            if len(admitted) % 3 == 0:
                break
    for begin in admitted:
        assert 10 * sum(1 for at in admitted if begin <= at < begin + 60) <= 1200
    assert 10 * sum(1 for at in admitted if 60 <= at < 120) >= 0.98 * 1200
    assert len(limits_keys.get("s:calls:")) < 5000


async def test_uses_that_are_kept_together_leave_with_the_last_of_them(exchange: Open) -> None:
    calls = exchange(Rolling("calls", 10, per="10s"))
    assert await calls.count(0.0, 1) == (1, 0)
    assert await calls.count(0.04, 9) == (9, 0)
    assert await calls.count(10.0, 1) == (0, 0.04)
    assert await calls.count(10.04, 11) == (10, 10)


async def test_a_clock_that_goes_back_admits_no_more(exchange: Open) -> None:
    for kind in (Fixed("calls", 1, per="10s"), Rolling("calls", 1, per="10s"), Bucket("calls", 0.1, 1)):
        calls = exchange(kind)
        await calls.take(1000)
        assert await calls.wait(995) > 5
        await calls.take(1010)
        await limiting.thaw(calls.keyspace, [])
        await calls.keyspace.server.call("DEL", f"{calls.keyspace.base}s:calls:")


@pytest.mark.parametrize(
    "kind", [Fixed("calls", 5, per="10s"), Rolling("calls", 5, per="10s"), Decay("calls", 5, per_second=0.5)]
)
async def test_on_another_server_the_limits_count_as_used_up(
    exchange: Open, limits_keys: Keyspace, kind: Fixed | Rolling | Decay
) -> None:
    calls = exchange(kind)
    await calls.count(1, 2)
    # The last server noted its own identity; the replica has it from there, and is another one.
    limits_keys.put({"head": {"server": "0" * 12}})
    assert await calls.count(2, 1) == (0, {"fixed": 8, "rolling": 9, "level": 2}[kind.kind])
    assert (await calls.count(20, 6))[0] == 5


async def test_a_call_that_trusts_the_next_server_goes_on(exchange: Open, limits_keys: Keyspace) -> None:
    calls = exchange(Fixed("calls", 5, per="10s"), after_failover="trust")
    await calls.count(1, 2)
    limits_keys.put({"head": {"server": "0" * 12}})
    assert await calls.count(2, 4) == (3, 8)


async def test_a_gap_and_calls_under_way_hold_on_another_server(exchange: Open, limits_keys: Keyspace) -> None:
    history = exchange(Gap("gap", "15s"), InFlight("open", 2, lease="30s"))
    await history.take(0, {"gap": 1})
    limits_keys.put({"head": {"server": "0" * 12}})
    assert await history.wait(3, {"gap": 1}) == 15
    assert await history.wait(3, {"open": 1}) == 30
    await history.take(33, {"gap": 1, "open": 1})


async def test_a_long_window_keeps_its_count_on_another_server(exchange: Open, limits_keys: Keyspace) -> None:
    orders = exchange(Fixed("day", 5, per="1d"))
    await orders.count(1, 2)
    limits_keys.put({"head": {"server": "0" * 12}})
    assert await orders.count(2, 4) == (3, 86398)


async def test_what_is_not_used_is_forgotten(exchange: Open, limits_keys: Keyspace) -> None:
    requests = exchange(Gap("gap", "15s", scope="request"))
    for number in range(50):
        await requests.take(number, 1, {"request": str(number)})
        limits_keys.delete(f"s:gap:request={number}")
    assert len(limits_keys.get("paths")) <= 4
    await requests.take(60, 1, {"request": "last"})
    assert 60_000 < limits_keys.ttl("s:gap:request=last") <= 75_000


async def test_a_lane_without_a_reserve_is_not_counted_apart(exchange: Open, limits_keys: Keyspace) -> None:
    orders = exchange(Rolling("orders", 100, per="10s"))
    await orders.take(0, lane="a")
    one = len(limits_keys.get("s:orders:"))
    for lane in "bcdefgh":
        await orders.take(0, lane=lane)
    assert len(limits_keys.get("s:orders:")) <= one + 4


async def test_limits_say_that_the_server_does_not_know_them(exchange: Open) -> None:
    calls = exchange(Fixed("calls", 10, per="10s"))
    assert not (await calls.take(0)).reply.is_declared
    await limiting.declare(calls.keyspace, Limits("x", [Fixed("calls", 10, per="10s")]), [])
    assert (await calls.take(0)).reply.is_declared
