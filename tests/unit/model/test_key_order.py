"""What a queue declares of keys: its defaults, and what it refuses."""

from typing import Any

import pytest

from stockyard.errors import InvalidOption
from stockyard.model.key_order import KeyOrder
from stockyard.topology import QueueSpec

ORDERED = KeyOrder(is_ordered=True)


@pytest.mark.parametrize(
    ("queue", "options", "order"),
    [
        ("q", {}, None),
        ("q", {"ordered": False}, None),
        ("q", {"ordered": True}, ORDERED),
        ("q", {"ordered": True, "key_concurrency": 1}, ORDERED),
        ("q", {"ordered": True, "on_retry": "pass"}, KeyOrder(is_ordered=True, passes=True)),
        ("q", {"ordered": True, "on_poison": "park"}, KeyOrder(is_ordered=True, parks=True)),
        ("execution:orders", {"ordered": True}, KeyOrder(is_ordered=True, parks=True)),
        ("execution:orders", {"ordered": True, "on_poison": "skip"}, ORDERED),
        ("q", {"key_concurrency": 3}, KeyOrder(is_ordered=False, concurrency=3)),
        ("execution:orders", {"key_concurrency": 3}, KeyOrder(is_ordered=False, concurrency=3)),
        ("q", {"key_weights": {"A": 2}}, KeyOrder(is_ordered=False, weights=(("A", 2),))),
    ],
)
def test_what_is_declared(queue: str, options: dict[str, Any], order: KeyOrder | None) -> None:
    assert KeyOrder.of(queue, options) == order
    assert QueueSpec.declare(queue, **options).key_order == order


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ordered": 1}, "ordered must be True or False"),
        ({"on_retry": "pass"}, "on_retry of queue 'q' is for jobs in order"),
        ({"key_concurrency": 2, "on_poison": "park"}, "on_poison of queue 'q' is for jobs in order"),
        ({"ordered": True, "key_concurrency": 2}, "is ordered, so that one job of a key runs at a time"),
        ({"ordered": True, "key_weights": {"A": 2}}, "is ordered, so that one job of a key runs at a time"),
        ({"ordered": True, "on_retry": "wait"}, "on_retry must be one of 'hold', 'pass'"),
        ({"ordered": True, "on_poison": "stop"}, "on_poison must be one of 'park', 'skip'"),
        ({"key_concurrency": 0}, "key_concurrency must be a whole number"),
        ({"key_weights": {"A": 0}}, "the weight of key 'A' must be a whole number"),
        ({"key_weights": 3}, "key_weights must be whole numbers by name"),
        ({"ordered": True, "shards": 2}, "has shards, and ordered needs one slot"),
        ({"ordered": True, "on_poison": "park", "remove_on_fail": True}, "would remove that job"),
        ({"ordered": True, "max_length": 9}, "has max_length and keys in lines"),
        ({"ordered": True, "coalesce": "latest"}, "has coalesce and keys in lines"),
    ],
)
def test_what_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidOption, match=reason):
        QueueSpec.declare("q", **options)
