"""Places in a durable channel."""

import pytest

from stockyard.pubsub.tail import place_of


@pytest.mark.parametrize(("earlier", "later"), [("9-0", "10-0"), ("10-9", "10-10"), ("10", "10-1"), ("0-0", "1")])
def test_places_are_in_the_order_of_the_messages(earlier: str, later: str) -> None:
    assert place_of(earlier) < place_of(later)
