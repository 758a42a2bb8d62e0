"""What is found about the limits of an exchange, by what the server knows and this program declares."""

from collections.abc import Mapping
from typing import Any

from stockyard._store.limits.facts import LimitsFacts
from stockyard.limits import Fixed, Limits, Rolling
from stockyard.observe.doctor.finding import Finding
from stockyard.observe.doctor.limit_checks import judge_limits

NOW = 1_700_000_000_000
BINANCE = Limits(
    "binance", [Fixed("weight", 6000, per="1m", scope="ip"), Rolling("orders", 100, per="10s", scope="account")]
)
KNOWN = {limit.name: {"kind": limit.kind, "scope": list(limit.scope), **limit.rule()} for limit in BINANCE.limits}


def judged(
    here: Limits | None = BINANCE,
    *,
    egress: str = "default",
    declared: Mapping[str, Mapping[str, Any]] = KNOWN,
    frozen_until: Mapping[str, float] = {},
) -> Finding:
    return judge_limits(LimitsFacts("binance", frozen_until, declared), here, egress=egress, now=NOW)


def test_what_is_frozen_is_a_warning_with_whose_calls_are_held() -> None:
    found = judged(frozen_until={"": NOW - 5, "ip=10.0.0.1": NOW + 61_000.0})
    assert (found.check, found.severity) == ("limits binance", "warning")
    assert found.cause == "calls of ip=10.0.0.1 are frozen for another 61 s"
    assert "stockyard limits thaw binance" in found.remedy
    assert judged(frozen_until={"": NOW + 9_000.0}).cause == "all calls are frozen for another 9 s"


def test_limits_of_other_programs_are_named() -> None:
    assert judged(None).cause == "used by other programs"


def test_what_another_program_declares_otherwise_is_a_warning() -> None:
    found = judged(declared={**KNOWN, "orders": {**KNOWN["orders"], "most": 50}, "gone": KNOWN["weight"]})
    assert found.severity == "warning"
    assert found.cause == "another program declares gone, orders otherwise"
    assert judged(BINANCE.with_most(orders=50)).cause == "another program declares orders otherwise"
    assert judged(declared={}).severity == "ok"


def test_the_address_that_calls_count_by_is_named() -> None:
    assert judged().cause == ("weight by address, and without STOCKYARD_EGRESS all processes count as one address")
    assert judged(egress="10.0.0.1").cause == "weight by address; that of this process is 10.0.0.1"
    without = Limits("binance", [Fixed("weight", 6000, per="1m")])
    assert judged(without, declared={}).cause == "1 of them"
