"""Venues as data: their rules are checked where they are declared."""

from typing import Any

import pytest

from stockyard import InvalidOption, Topology
from stockyard.effects import Venue, venues
from stockyard.effects.decision import NO_VENUE

PRESETS = {name: venue for name, venue in vars(venues).items() if isinstance(venue, Venue)}


def test_there_are_the_venues_of_a_desk() -> None:
    assert set(PRESETS) == {"ALPACA", "BINANCE", "BYBIT", "COINBASE", "INTERACTIVE_BROKERS", "KRAKEN", "OKX"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_venue_names_its_source(name: str) -> None:
    assert PRESETS[name].name
    assert PRESETS[name].source.startswith("https://")


def test_a_filled_order_protects_nothing_at_binance() -> None:
    assert (PRESETS["BINANCE"].dedup, PRESETS["BINANCE"].settle_ms) == ("open_orders", 16_000)


def test_the_rules_in_milliseconds() -> None:
    venue = Venue(dedup="window:10m", settle="1m30s")
    assert (venue.window_ms, venue.settle_ms) == (600_000, 90_000)
    assert (NO_VENUE.window_ms, NO_VENUE.settle_ms, NO_VENUE.verify) == (0, 0, None)


@pytest.mark.parametrize(
    "rules",
    [
        {"dedup": "sometimes"},
        {"dedup": "window:"},
        {"dedup": "window:0s"},
        {"dedup": None},
        {"verify": "maybe"},
        {"verify": "eventual"},
        {"settle": "soon"},
        {"name": 3},
    ],
)
def test_what_is_no_rule_is_refused(rules: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        Venue(**rules)


async def ask(_effect: Any) -> None: ...


def test_a_queue_declares_how_its_effects_are_judged() -> None:
    topology = Topology("t")
    plain = topology.queue("plain")
    assert (plain.delivery, plain.venue, plain.on_unknown, plain.uses_effects) == (
        "at_least_once",
        None,
        None,
        False,
    )
    orders = topology.queue("orders", delivery="at_most_once", venue=PRESETS["BYBIT"], on_unknown=ask)
    assert orders.uses_effects
    assert topology.queue("once", delivery="at_most_once").uses_effects


@pytest.mark.parametrize(
    "declaration",
    [
        {"delivery": "exactly_once"},
        {"venue": "binance"},
        {"on_unknown": "ask"},
        {"on_unknown": lambda effect: None},
    ],
)
def test_a_wrong_declaration_is_refused(declaration: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        Topology("t").queue("orders", **declaration)


@pytest.mark.parametrize("name", PRESETS)
def test_only_where_it_is_documented_that_a_second_request_is_ignored_one_is_sent(name: str) -> None:
    venue = PRESETS[name]
    sends_again = venue.dedup == "forever" or venue.window_ms > 0
    assert sends_again == (name == "BYBIT")
