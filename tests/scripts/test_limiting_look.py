"""limiting.look: what is used, left and frozen, without the program that declared it."""

from collections.abc import Callable

from stockyard._store.limits import limiting
from stockyard._store.limits.limiting import LimitView
from stockyard.model.limit import Bucket, Fixed, Gap, InFlight, Rolling
from tests.scripts.exchange import Exchange

Open = Callable[..., Exchange]


async def test_every_limit_is_shown_in_every_scope(exchange: Open) -> None:
    limits = exchange(
        Fixed("weight", 100, per="60s", scope="ip"),
        Rolling("orders", 10, per="10s", scope="account"),
        Bucket("tokens", rate=1, burst=5),
        Gap("gap", "15s"),
        InFlight("open", 3),
        source="https://example.com/limits",
    )
    await limiting.declare(limits.keyspace, limits.limits, [])
    await limits.take(0, {"weight": 20, "orders": 1, "tokens": 3, "gap": 1, "open": 1}, {"account": "A,1"})
    await limits.take(1, {"orders": 2}, {"account": "B"})
    assert await limits.views(2) == [
        LimitView("gap", "", 1, 1),
        LimitView("open", "", 1, 3),
        LimitView("orders", "account=A%2C1", 1, 10),
        LimitView("orders", "account=B", 2, 10),
        LimitView("tokens", "", 1, 5),
        LimitView("weight", "ip=default", 20, 100),
    ]
    await limiting.set_most(limits.keyspace, {"orders": 4})
    await limits.freeze(10.5, 3)
    await limits.freeze(10.5, 60, "ip=x")
    assert [(view.used, view.most) for view in await limits.views(10.5) if view.name == "orders"] == [
        (0, 4),
        (2, 4),
    ]
    look = await limiting.look(limits.keyspace)
    assert look is not None
    assert dict(look.frozen) == {"": 3_000_000, "ip=x": 60_000_000}
    assert look.scopes["orders"] == ("account",)
    assert look.source == "https://example.com/limits"
    assert await limiting.names(limits.keyspace.server, limits.keyspace.naming) == ["x"]


async def test_limits_that_were_never_used_are_none(exchange: Open) -> None:
    assert await limiting.look(exchange(Fixed("weight", 100, per="60s")).keyspace) is None
