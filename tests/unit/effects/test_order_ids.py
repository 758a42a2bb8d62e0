"""Client order ids: the same for the same order, others for others, and in the forms that venues take."""

import re
import uuid

import pytest

from stockyard import InvalidOption
from stockyard.effects import order_id, order_uuid


def test_an_id_is_the_same_in_each_attempt_and_process() -> None:
    assert order_id("trend", "2026-01-05:BTCUSDT", 0) == "QN3WJXCVKND4VHMAEUKGONAOQZ"


def test_an_id_fits_every_venue() -> None:
    for leg in range(100):
        assert re.fullmatch("[A-Z2-7]{26}", order_id("trend", 17, leg))


def test_each_order_has_its_own() -> None:
    orders = [("a", "bc", 0), ("ab", "c", 0), ("a", "bc", 1), ("a", "bc", "1"), ("b", "bc", 0), ("a", 1, 0)]
    assert len({order_id(*order) for order in orders}) == len(orders)
    assert len({order_uuid(*order) for order in orders}) == len(orders)


def test_a_uuid_is_one() -> None:
    made = order_uuid("trend", 17)
    assert str(uuid.UUID(made)) == made == order_uuid("trend", 17)


def test_a_strategy_has_a_name() -> None:
    with pytest.raises(InvalidOption, match="strategy"):
        order_id("", 17)
