"""What an index of payloads can be declared of."""

from typing import Any

import pytest

from stockyard import InvalidOption, Topology
from stockyard.model.search_index import bounds_of, checked_paths, entry_of, id_in


def test_paths_are_those_of_a_search() -> None:
    assert checked_paths(None) == ()
    assert checked_paths(["order_id", "legs.0.venue", "order_id"]) == ("order_id", "legs.0.venue")
    assert Topology("t").queue("q", indexed=("n",)).indexed == ("n",)


@pytest.mark.parametrize("wrong", ["order_id", [""], [7], ["a..b"], ["a b"], ["a:b"], [f"p{n}" for n in range(9)]])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidOption, match="indexed"):
        checked_paths(wrong)


def test_entries_of_a_value_are_between_its_bounds_and_no_others() -> None:
    least, most = bounds_of("BTC")
    for value in ("btc", "BTC"):
        assert least < entry_of(value, 1, "x") < entry_of(value, 2, "a") < most
    for other in ("btc ", "btcusdt", "bt", "btc\1"):
        assert not least < entry_of(other, 1, "x") < most
    assert id_in(entry_of("a\0b" + "c" * 500, 5, "of\0zeros")) == "of\0zeros"
