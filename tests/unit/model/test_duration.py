"""Durations as people write them."""

from datetime import timedelta
from typing import Any

import pytest

from stockyard import InvalidOption
from stockyard.model.duration import LONGEST, milliseconds


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, 0),
        (2, 2000),
        (0.25, 250),
        (0.0004, 0),
        ("250ms", 250),
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("1h 30m", 5_400_000),
        ("1.5s", 1500),
        ("2d", 172_800_000),
        ("1w", 604_800_000),
        (timedelta(minutes=1), 60_000),
        ("36500d", LONGEST),
    ],
)
def test_a_duration_is_read_in_milliseconds(given: Any, expected: int) -> None:
    assert milliseconds(given, option="delay") == expected


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        "",
        "5",
        "m",
        "5 minutes",
        "-5m",
        "5m-",
        "1e3s",
        [],
        -1,
        -0.5,
        timedelta(seconds=-1),
        float("nan"),
        float("inf"),
        -float("inf"),
        10**400,
        1e300,
        "36501d",
        "٣ years",
    ],
)
def test_what_is_none_is_refused_by_the_option_s_name(given: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^delay must"):
        milliseconds(given, option="delay")
