"""Calls under limits: in order, all or none, with timeouts, from loops and threads."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest

from stockyard import App, Topology
from stockyard.errors import InvalidOption, LimitReached, UnknownQueue
from stockyard.limits import Fixed, Gap, InFlight, Limits, LimitUsage, OpenLimits, Rolling
from stockyard.model.clock import Clock, SteppedClock
from tests.support.waiting import eventually

Open = Callable[..., App]
ORDERS = Limits("x", [Fixed("orders", 3, per="10s", scope="account")])


async def used(limits: OpenLimits) -> dict[tuple[str, str], float]:
    return {(each.limit, each.scope): each.used for each in (await limits.status()).usage}


async def test_a_call_is_admitted_and_stays_counted(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    async with limits.take(scope={"account": "A"}) as call:
        assert call.is_admitted
        assert call.waited == 0
    assert await used(limits) == {("orders", "account=A"): 1}


async def test_a_call_that_may_not_wait_learns_how_long_it_would(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    for _ in range(3):
        await limits.take(scope={"account": "A"}, timeout=0).acquire()
    clock.step(4000)
    with pytest.raises(LimitReached) as caught:
        await limits.take(scope={"account": "A"}, timeout="5s").acquire()
    assert (caught.value.limits, caught.value.limit, caught.value.wait) == ("x", "orders", 6.0)
    async with limits.take(scope={"account": "B"}, timeout=0):
        pass


async def test_calls_wait_in_the_order_they_came_and_hold_no_other_scope(
    open_app: Open, clock: SteppedClock
) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    admitted: list[int] = []

    async def call(number: int) -> None:
        async with limits.take(2, scope={"account": "A"}):
            admitted.append(number)

    def is_in_line(calls: int) -> bool:
        return len(admitted) + limits.stats().waiting == calls

    def is_admitted(calls: int) -> bool:
        return len(admitted) == calls

    calls = []
    for number in range(4):
        calls.append(asyncio.create_task(call(number)))
        # Each is in the line before the next one comes.
        await eventually(partial(is_in_line, number + 1))
    assert admitted == [0]
    async with limits.take(scope={"account": "B"}, timeout=0):
        pass
    for _ in range(3):
        clock.step(10_000)
        before = len(admitted)
        await eventually(partial(is_admitted, before + 1))
    await asyncio.gather(*calls)
    assert admitted == [0, 1, 2, 3]
    stats = limits.stats()
    assert (stats.admitted, stats.waited, stats.waiting) == (5, 3, 0)
    assert LimitUsage("orders", "account=A", 2, 3) in stats.usage


async def test_a_waiting_call_is_admitted_at_its_time_by_the_server_s_clock(open_app: Open) -> None:
    wrong: list[Clock] = [lambda: 0, lambda: 4_000_000_000_000]
    apps = [open_app(clock=clock) for clock in wrong]
    limits = Limits("x", [Rolling("calls", 1, per="300ms")])
    times = []
    for app in [*apps, *apps]:
        async with app.limits(limits).take() as call:
            seconds, micros = await app.limits(limits)._keyspace.server.call("TIME")
            times.append(int(seconds) + int(micros) / 1e6)
            assert call.is_admitted
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(0.28 <= gap < 2 for gap in gaps), gaps


async def test_a_call_behind_others_gives_up_at_its_timeout(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    await limits.take(3, scope={"account": "A"}).acquire()
    first = asyncio.create_task(limits.take(scope={"account": "A"}).acquire())
    await eventually(lambda: limits.stats().waiting == 1)
    with pytest.raises(LimitReached) as caught:
        await limits.take(scope={"account": "A"}, timeout="20ms").acquire()
    assert caught.value.wait == 0
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert limits.stats().waiting == 0


async def test_the_end_of_a_call_admits_the_next(open_app: Open) -> None:
    limits = open_app().limits(Limits("x", [InFlight("open", 1, lease="60s")]))
    elsewhere = open_app().limits(Limits("x", [InFlight("open", 1, lease="60s")]))
    async with limits.take():
        here = asyncio.create_task(limits.take(timeout="30s").acquire())
        await eventually(lambda: limits.stats().waiting == 1)
        with pytest.raises(LimitReached):
            await elsewhere.take(timeout=0).acquire()
    await here
    there = asyncio.create_task(elsewhere.take(timeout="30s").acquire())
    await eventually(lambda: elsewhere.stats().waiting == 1)
    await limits._keyspace.server.call("DEL", f"{limits._keyspace.base}s:open:")
    await there


async def test_a_running_call_keeps_its_place_longer_than_its_lease(open_app: Open) -> None:
    limits = open_app().limits(Limits("x", [InFlight("open", 1, lease="200ms")]))
    async with limits.take() as call:
        first = await ends_at(limits)
        await eventually(lambda: later(limits, first + 400_000))
        assert call.is_admitted
    assert (await limits.status()).usage[0].used == 0


async def ends_at(limits: OpenLimits) -> int:
    import msgspec

    packed = await limits._keyspace.server.call("GET", f"{limits._keyspace.base}s:open:")
    (call,) = msgspec.msgpack.decode(packed)["calls"].values()
    return int(call[0])


async def later(limits: OpenLimits, than: int) -> bool:
    return await ends_at(limits) > than


async def test_a_cancelled_call_gives_back_what_it_was_given(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    asking = asyncio.create_task(limits.take(scope={"account": "A"}).acquire())
    # The call is on its way, and its reply has not come.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await eventually(lambda: nothing_used(limits))


async def nothing_used(limits: OpenLimits) -> bool:
    return not limits._undoing and sum((await used(limits)).values()) == 0


async def test_what_was_never_sent_is_given_back_once(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    await limits.take(scope={"account": "A"}).acquire()
    async with limits.take(2, scope={"account": "A"}) as call:
        await call.settle("never_sent")
        await call.settle("never_sent")
    assert await used(limits) == {("orders", "account=A"): 1}
    await limits.settle(call, refund={"orders": 1})
    assert await used(limits) == {("orders", "account=A"): 0}


async def test_a_refused_call_is_given_back_where_its_limit_says_so(open_app: Open, clock: SteppedClock) -> None:
    both = Limits("x", [Fixed("a", 9, per="10s", refused="refund"), Fixed("b", 9, per="10s")])
    limits = open_app(clock=clock).limits(both)
    async with limits.take({"a": 2, "b": 3}) as call:
        await call.settle("refused")
    assert await used(limits) == {("a", ""): 0, ("b", ""): 3}


async def test_what_cannot_be_settled_is_refused(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(ORDERS)
    call = limits.take(scope={"account": "A"})
    with pytest.raises(InvalidOption):
        await call.settle("never_sent")
    await call.acquire()
    wrong: list[dict[str, Any]] = [{"outcome": "lost"}, {"refund": {"weight": 1}}, {"refund": {"orders": -1}}]
    for arguments in wrong:
        with pytest.raises(InvalidOption):
            await call.settle(**arguments)


async def test_blocking_code_takes_limits_too(open_app: Open) -> None:
    limits = open_app().limits(Limits("x", [Rolling("calls", 2, per="1h"), InFlight("open", 1)]))
    seen: list[object] = []

    def block() -> None:
        with limits.take({"calls": 1, "open": 1}).sync as call:
            call.observe({}, status=200)
            seen.append(call.is_admitted)
            with pytest.raises(LimitReached):
                limits.take({"open": 1}, timeout=0).sync.acquire()
        seen.append(sorted((each.limit, each.used) for each in limits.sync.status().usage))

    thread = Thread(target=block)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert seen == [True, [("calls", 1.0), ("open", 0.0)]]


async def test_amounts_change_for_all_at_once(open_app: Open, clock: SteppedClock) -> None:
    here, there = open_app(clock=clock).limits(ORDERS), open_app(clock=clock).limits(ORDERS)
    await here.set_most({"orders": 1})
    await there.take(scope={"account": "A"}).acquire()
    with pytest.raises(LimitReached):
        await there.take(scope={"account": "A"}, timeout=0).acquire()
    with pytest.raises(InvalidOption, match="can never be made"):
        await there.take(2, scope={"account": "A"}).acquire()
    await here.set_most({"orders": None})
    await there.take(2, scope={"account": "A"}, timeout=0).acquire()
    with pytest.raises(InvalidOption):
        await here.set_most({"fees": None})


async def test_the_address_of_the_process_is_the_value_of_ip(open_app: Open, clock: SteppedClock) -> None:
    limits = open_app(clock=clock).limits(Limits("x", [Fixed("weight", 9, per="1m", scope="ip")]))
    await limits.take().acquire()
    await limits.take(scope={"ip": "10.0.0.2"}).acquire()
    assert set(await used(limits)) == {("weight", "ip=default"), ("weight", "ip=10.0.0.2")}


def test_limits_are_declared_once(open_app: Open) -> None:
    app = open_app(Topology("t"))
    assert app.limits(ORDERS) is app.limits(ORDERS)
    with pytest.raises(InvalidOption, match="declared otherwise"):
        app.limits(Limits("x", [Gap("gap", "1s")]))
    with pytest.raises(InvalidOption):
        app.limits("x")  # type: ignore[arg-type]
    with pytest.raises(UnknownQueue):
        app.limits(Limits("y", [Gap("gap", "1s")], queues=["orders"]))
