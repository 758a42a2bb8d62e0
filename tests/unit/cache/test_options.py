"""What a cache may be declared with."""

from typing import Any

import pytest

from stockyard import InvalidOption
from stockyard.cache.options import CacheSpec, checked_tags
from stockyard.model import checks


def test_the_defaults_are_the_documented_ones() -> None:
    assert CacheSpec.of({}) == CacheSpec(300_000, 0.1, 0, 10_000, 10_000)
    assert CacheSpec.of({"ttl": "1h", "jitter": 0, "near": 2.5, "near_entries": 5, "lock": "1m"}) == CacheSpec(
        3_600_000, 0.0, 2500, 5, 60_000
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"tll": "5m"}, "unknown cache option 'tll'; did you mean 'ttl'"),
        ({"ttl": 0}, "ttl must be 1 ms or longer"),
        ({"ttl": "soon"}, "ttl must be a duration"),
        ({"jitter": 1}, "jitter must be a number from 0 to below 1; got 1"),
        ({"jitter": True}, "jitter must be"),
        ({"near": 0}, "near must be 1 ms or longer"),
        ({"near_entries": 0}, "near_entries must be a whole number"),
        ({"lock": "x"}, "lock must be a duration"),
    ],
)
def test_a_wrong_option_is_named(given: Any, complaint: str) -> None:
    with pytest.raises(InvalidOption, match=complaint):
        CacheSpec.of(given)


@pytest.mark.parametrize("name", ["risk", "risk:approvals", "a.b-c_d:e"])
def test_a_name_may_have_parts(name: str) -> None:
    assert checks.name("a cache's name", name) == name


@pytest.mark.parametrize("name", ["", ":a", "a:", "a::b", "a b", "é", 5])
def test_a_name_that_would_blur_keys_is_refused(name: Any) -> None:
    with pytest.raises(InvalidOption, match="a cache's name must be"):
        checks.name("a cache's name", name)


def test_tags_are_kept_once_and_in_order() -> None:
    assert checked_tags(["b", "a", "b"]) == ("b", "a")
    with pytest.raises(InvalidOption, match=r"write \['ab'\]"):
        checked_tags("ab")
