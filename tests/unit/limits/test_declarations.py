"""Limits check themselves where they are declared, and resolve what a call needs of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stockyard.errors import InvalidOption
from stockyard.limits import AgeCost, Bucket, Decay, Fixed, Gap, InFlight, Limits, Rolling

BINANCE = Limits(
    "binance",
    [Fixed("weight", 6000, per="1m", scope="ip"), Fixed("orders", 100, per="10s", scope="account")],
    reserve={"cancel": 0.10},
    freeze_scope="ip",
)

WRONG: dict[str, Callable[[], object]] = {
    "a name with a colon": lambda: Fixed("a:b", 1, per="1s"),
    "no name": lambda: Fixed("", 1, per="1s"),
    "nothing": lambda: Fixed("x", 0, per="1s"),
    "less than nothing": lambda: Rolling("x", -1, per="1s"),
    "no number": lambda: Rolling("x", "5", per="1s"),  # type: ignore[arg-type]
    "no time": lambda: Fixed("x", 1, per=0),
    "no duration": lambda: Fixed("x", 1, per="soon"),
    "no rate": lambda: Bucket("x", rate=0, burst=1),
    "no burst": lambda: Bucket("x", rate=1, burst=0),
    "no decay": lambda: Decay("x", 1, per_second=0),
    "no gap": lambda: Gap("x", 0),
    "a short lease": lambda: InFlight("x", 1, lease="1ms"),
    "a wrong scope": lambda: Fixed("x", 1, per="1s", scope="a b"),
    "a wrong word": lambda: Fixed("x", 1, per="1s", refused="maybe"),  # type: ignore[arg-type]
    "no step": lambda: AgeCost({}),
    "a negative cost": lambda: AgeCost({5: -1}),
    "no limits": lambda: Limits("x", []),
    "what is no limit": lambda: Limits("x", ["weight"]),  # type: ignore[list-item]
    "a name twice": lambda: Limits("x", [Gap("a", "1s"), Gap("a", "2s")]),
    "limits with a colon": lambda: Limits("a:b", [Gap("a", "1s")]),
    "a reserve of all": lambda: Limits("x", [Gap("a", "1s")], reserve={"cancel": 1.0}),
    "reserves of all": lambda: Limits("x", [Gap("a", "1s")], reserve={"a": 0.5, "b": 0.5}),
    "too many reserves": lambda: Limits("x", [Gap("a", "1s")], reserve={str(each): 0.01 for each in range(9)}),
    "a status that is none": lambda: Limits("x", [Gap("a", "1s")], freeze_on={1: "1s"}),
    "no freeze": lambda: Limits("x", [Gap("a", "1s")], freeze_on={429: 0}),
    "a wrong policy": lambda: Limits("x", [Gap("a", "1s")], after_failover="hope"),  # type: ignore[arg-type]
    "an unknown limit": lambda: BINANCE.plan({"wieght": 1}),
    "no cost of several limits": lambda: BINANCE.plan(),
    "a negative use": lambda: BINANCE.plan({"weight": -1}),
    "no account": lambda: BINANCE.plan({"orders": 1}),
    "an account that is no text": lambda: BINANCE.plan({"orders": 1}, {"account": 5}),  # type: ignore[dict-item]
    "an empty account": lambda: BINANCE.plan({"orders": 1}, {"account": ""}),
    "an empty egress": lambda: BINANCE.plan({"weight": 1}, {"ip": ""}, egress="10.0.0.1"),
    "a scope that is no mapping": lambda: BINANCE.plan({"weight": 1}, ""),  # type: ignore[arg-type]
    "a lane that is misspelt": lambda: BINANCE.plan({"weight": 1}, lane="cancle"),
    "more than there is": lambda: BINANCE.plan({"weight": 6001}, lane="cancel"),
    "more than is left for others": lambda: BINANCE.plan({"weight": 5401}),
    "an amount of a gap": lambda: Limits("x", [Gap("a", "1s")]).with_most(a=5),
    "an amount of nothing": lambda: BINANCE.with_most(fees=5),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_where_it_is_said(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidOption):
        make()


def test_a_plan_has_what_a_call_needs() -> None:
    plan = BINANCE.plan({"weight": 2, "orders": 0}, {"account": "A1"}, "cancel", egress="10.0.0.1")
    assert [(use.limit.name, use.scope, use.cost) for use in plan.uses] == [("weight", "ip=10.0.0.1", 2)]
    assert (plan.lane, plan.frozen_scope) == ("cancel", "ip=10.0.0.1")
    assert BINANCE.plan({"weight": 5401}, lane="cancel").uses


def test_a_lane_that_needs_no_reserve_is_declared_or_needs_no_declaration() -> None:
    lanes = replace(BINANCE, reserve={"cancel": 0.1, "submit": 0})
    assert lanes.plan({"weight": 1}, lane="submit").lane == "submit"
    assert Limits("x", [Gap("a", "1s")]).plan(lane="any").lane == "any"
    assert BINANCE.plan({"weight": 1}).uses[0].scope == "ip=default"


def test_a_number_alone_is_the_cost_of_the_only_limit() -> None:
    only = Limits("x", [Rolling("calls", 10, per="1s")])
    assert [use.cost for use in only.plan().uses] == [1]
    assert [use.cost for use in only.plan(2.5).uses] == [2.5]
    assert only.plan(0).uses == ()


def test_values_of_a_scope_cannot_be_mistaken_for_others() -> None:
    pairs = Limits("x", [Rolling("calls", 10, per="1s", scope=("pair", "account"))])

    def scope(account: str, pair: str) -> str:
        return pairs.plan(1, {"account": account, "pair": pair}).uses[0].scope

    assert scope("A", "BTC") == "account=A,pair=BTC"
    assert len({scope("A,pair=B", "C"), scope("A", "B,pair=C"), scope("A%2Cpair=B", "C")}) == 3


def test_amounts_can_be_those_that_the_exchange_publishes() -> None:
    changed = BINANCE.with_most(weight=1200)
    assert [each.most for each in changed.limits] == [1200, 100]
    assert [each.most for each in BINANCE.limits] == [6000, 100]
    assert Limits("x", [Bucket("a", rate=1, burst=2)]).with_most(a=9)["a"].most == 9


def test_a_cost_by_age() -> None:
    cancel = AgeCost({10: 6, 5: 8}, oldest=1)
    assert [cancel.at(age) for age in (0, 4.999, 5, "9s", 10, 1e6)] == [8, 8, 6, 6, 1, 1]


def test_a_declaration_cannot_be_changed_behind_its_back() -> None:
    given = [Gap("a", "1s")]
    reserve = {"cancel": 0.1}
    limits = Limits("x", given, reserve=reserve)
    given.clear()
    reserve.clear()
    assert len(limits.limits) == 1
    assert dict(limits.reserve) == {"cancel": 0.1}
