"""Every kind of limit against a model of its rule in plain Python, in random orders of calls."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockyard._store.net.server import Server
from stockyard.config import Settings
from stockyard.model.limit import Fixed, Rolling
from stockyard.model.naming import Naming
from tests.property.limit_models import KINDS, RESERVE, STEP, compare, fresh
from tests.scripts.exchange import Admitted, Exchange

calls = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 5), st.sampled_from(["", "cancel", "submit"])),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all examples."""
    with asyncio.Runner() as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
@given(calls=calls)
@settings(max_examples=25)
def test_a_limit_admits_what_its_rule_admits(
    redis_url: str, runner: asyncio.Runner, kind: str, calls: Sequence[tuple[int, int, str]]
) -> None:
    limit, model = fresh(kind)

    async def play() -> None:
        server = Server(Settings.load(redis_url, dotenv=None).address)
        exchange = Exchange(server, Naming(f"p:{secrets.token_hex(4)}"), limit, reserve=RESERVE)
        try:
            await compare(exchange, kind, model, calls)
        finally:
            await exchange.clear("x")
            await server.aclose()

    runner.run(play())


@given(
    calls=st.lists(
        st.tuples(st.one_of(st.integers(0, 40), st.integers(0, 900)), st.integers(1, 20)),
        min_size=20,
        max_size=120,
    )
)
@settings(max_examples=20)
def test_a_rolling_window_is_never_exceeded_at_any_time(
    redis_url: str, runner: asyncio.Runner, calls: Sequence[tuple[int, int]]
) -> None:
    async def play() -> None:
        server = Server(Settings.load(redis_url, dotenv=None).address)
        exchange = Exchange(server, Naming(f"p:{secrets.token_hex(4)}"), Rolling("x", 100, per="10s"))
        admitted: list[tuple[int, int]] = []
        now = 0
        try:
            for pause, cost in calls:
                now += pause
                if isinstance(await exchange.ask(now / 1000, cost), Admitted):
                    admitted.append((now, cost))
        finally:
            await exchange.clear("x")
            await server.aclose()
        for begin, _ in admitted:
            assert sum(cost for at, cost in admitted if begin <= at < begin + 10_000) <= 100

    runner.run(play())


@dataclass
class Counted:
    """A fixed window with the exchange's own count: what it said at a call, and what was admitted after that."""

    used: float = 0
    window: int = 0
    numbers: list[tuple[int, float]] = field(default_factory=list)
    observed: int = -1


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["take", "observe", "settle"]), st.integers(0, 12)),
        min_size=5,
        max_size=40,
    )
)
@settings(max_examples=25)
def test_counts_and_refunds_of_a_window(
    redis_url: str, runner: asyncio.Runner, steps: Sequence[tuple[int, str, int]]
) -> None:
    async def play() -> None:
        server = Server(Settings.load(redis_url, dotenv=None).address)
        exchange = Exchange(server, Naming(f"p:{secrets.token_hex(4)}"), Fixed("x", 10, per="10s"))
        model, taken, step = Counted(), [], 0
        try:
            for pause, what, number in steps:
                step += pause
                now = step * STEP
                window = step // 100
                if window != model.window:
                    model = Counted(window=window)
                if what == "take":
                    answer = await exchange.ask(now, 1 + number % 3)
                    assert isinstance(answer, Admitted) is (model.used + 1 + number % 3 <= 10)
                    if isinstance(answer, Admitted):
                        model.used += 1 + number % 3
                        taken.append((answer, window, len(model.numbers), 1 + number % 3))
                        model.numbers.append((len(model.numbers), 1 + number % 3))
                elif taken:
                    call, of_window, at, cost = taken[number % len(taken)]
                    if what == "observe":
                        is_set = await exchange.observe(now, call, x=number)
                        assert bool(is_set) is (of_window == window and at > model.observed)
                        if is_set:
                            model.used = number + sum(amount for place, amount in model.numbers if place > at)
                            model.observed = at
                    else:
                        await exchange.settle(now, call, x=cost)
                        if of_window == window and model.observed <= at:
                            model.used = max(0, model.used - cost)
        finally:
            await exchange.clear("x")
            await server.aclose()

    runner.run(play())
