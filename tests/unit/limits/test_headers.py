"""What an exchange says in its headers."""

from email.utils import formatdate

import pytest

from stockyard.limits import presets
from stockyard.limits.headers import counts_of, retry_after

NOW = 1_700_000_000.0


def test_counts_are_read_by_the_names_that_limits_give() -> None:
    headers = {"X-MBX-USED-WEIGHT-1m": "120", "x-mbx-order-count-10s": "3", "X-MBX-ORDER-COUNT-1D": "many"}
    assert counts_of(presets.BINANCE_SPOT, headers) == {"weight": {"used": 120.0}, "orders": {"used": 3.0}}
    assert counts_of(presets.BYBIT, {"X-Bapi-Limit-Status": "9"}) == {"endpoint": {"left": 9.0}}
    assert counts_of(presets.BYBIT, {"X-Bapi-Limit-Status": "-1"}) == {}
    assert counts_of(presets.KRAKEN, {}) == {}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        (" 0.5 ", 0.5),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after({}, NOW) is None
