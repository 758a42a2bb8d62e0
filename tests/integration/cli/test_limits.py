"""`stockyard limits`: what is used, frozen and thawed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stockyard import App, Topology
from stockyard.limits import Fixed, Limits, OpenLimits, Rolling
from tests.integration.cli.conftest import Run

BINANCE = Limits(
    "binance",
    [Fixed("weight", 6000, per="1d", scope="ip"), Rolling("orders", 100, per="1d", scope="account")],
    freeze_scope="ip",
    source="https://example.com/limits",
    queues=["mail"],
)


@pytest.fixture
def use(redis_url: str, prefix: str) -> Callable[[Callable[[OpenLimits], Awaitable[Any]]], Any]:
    """Uses the limits in a program of its own."""

    def run(what: Callable[[OpenLimits], Awaitable[Any]]) -> Any:
        topology = Topology("t")
        topology.queue("mail")

        async def inside() -> Any:
            async with App(topology, redis_url, prefix=prefix) as app:
                return await what(app.limits(BINANCE))

        return asyncio.run(inside())

    return run


async def take(limits: OpenLimits) -> None:
    await limits.take({"weight": 600, "orders": 60}, scope={"account": "A1"}).acquire()


def test_limits_are_listed_and_shown(run: Run, use: Callable[..., Any]) -> None:
    assert run("limits", "list", "--json").json() == []
    use(take)
    assert "60% of orders" in run("limits", "list").out
    shown = run("limits", "show", "binance").out
    assert "https://example.com/limits" in shown
    assert "account=A1" in shown
    found = run("limits", "show", "binance", "--json").json()
    assert isinstance(found, dict)
    assert [(each["limit"], each["scope"], each["used"], each["most"]) for each in found["usage"]] == [
        ("orders", "account=A1", 60, 100),
        ("weight", "ip=default", 600, 6000),
    ]


def test_limits_are_frozen_and_thawed(run: Run, use: Callable[..., Any], raw: Any, prefix: str) -> None:
    use(take)
    assert run("limits", "freeze", "binance", "1h").out.endswith("binance: all calls held for 60m\n")
    assert raw.pttl(f"{prefix}:mail:limiter") > 3_500_000
    assert run("limits", "freeze", "binance", "90s", "--scope", "ip=10.0.0.1").out.endswith("held for 90s\n")
    assert "frozen ip=10.0.0.1" in run("limits", "show", "binance").out
    assert run("limits", "thaw", "binance").out.endswith("2 freezes ended\n")
    assert not raw.exists(f"{prefix}:mail:limiter")
    assert run("limits", "thaw", "binance").out.endswith("0 freezes ended\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "binanse"),
        ("freeze", "binance", "soon"),
        ("freeze", "binance", "1s", "--scope", "ip"),
        ("freeze", "binance", "1s", "--scope", "account=A1"),
        ("thaw", "kraken"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_mistake_is_one_message(run: Run, use: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    use(take)
    answer = run("limits", *arguments)
    assert answer.status == 2
    assert answer.err.startswith("stockyard: ")


def test_a_name_that_is_nearly_one_is_suggested(run: Run, use: Callable[..., Any]) -> None:
    assert "none were ever used" in run("limits", "show", "binance").err
    use(take)
    assert "'binance'" in run("limits", "show", "binanse").err
