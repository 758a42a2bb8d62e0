"""How the answers of a function are named."""

from dataclasses import dataclass

import pytest

from stockyard import InvalidOption
from stockyard.cache.memo import default_key


@dataclass
class Order:
    symbol: str


def limit(account: str, order: Order | None = None, *, day: int = 0) -> None: ...


def test_the_same_arguments_are_one_key_however_they_are_given() -> None:
    key = default_key(limit)
    assert key("a") == key(account="a", day=0) == key("a", None)
    assert key("a", Order("X")) != key("a", Order("Y"))
    assert key("a").endswith('test_memo.limit:{"account":"a","order":null,"day":0}')


def test_arguments_that_have_no_text_need_a_key_of_their_own() -> None:
    with pytest.raises(InvalidOption, match="say key=lambda"):
        default_key(limit)(object())
