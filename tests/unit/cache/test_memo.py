"""How the answers of a function are named."""

import datetime as dt
import enum
import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest

from stockyard import InvalidOption
from stockyard.cache.default_key import DefaultKeys, canonical


def default_key(function: Callable[..., Any]) -> Callable[..., str]:
    return DefaultKeys().of(function)


@dataclass
class Order:
    symbol: str


@dataclass
class Quote:
    symbol: str


class StructOrder(msgspec.Struct):
    symbol: str


class ModelOrder(pydantic.BaseModel):
    symbol: str


class TupleOrder(NamedTuple):
    symbol: str


class Side(enum.Enum):
    A = 1


class OtherSide(enum.Enum):
    A = 1


class Level(enum.IntEnum):
    A = 1


class Name(str):
    pass


class Exchange:
    def price(self) -> None: ...


def limit(account: str, order: Order | None = None, *, day: int = 0, **more: Any) -> None: ...


def test_the_same_arguments_are_one_key_however_they_are_given() -> None:
    key = default_key(limit)
    assert key("a") == key(account="a", day=0) == key("a", None)
    assert key("a", x=1, y=2) == key("a", y=2, x=1)
    assert key("a", Order("X")) != key("a", Order("Y"))
    assert key("a").endswith('test_memo.limit(account="a",order=None,day=0,more={})')


DIFFERENT = [
    None,
    1,
    True,
    1.0,
    "1",
    Decimal(1),
    b"1",
    bytearray(b"1"),
    Name("1"),
    Side.A,
    OtherSide.A,
    Level.A,
    [1],
    (1,),
    {1},
    frozenset({1}),
    {1: 1},
    {"1": 1},
    [[1], 2],
    [[1, 2]],
    ["1,2"],
    ["1", "2"],
    Order("1"),
    Quote("1"),
    StructOrder("1"),
    ModelOrder(symbol="1"),
    TupleOrder("1"),
    ("1",),
    {"symbol": "1"},
    dt.date(2026, 1, 1),
    dt.datetime(2026, 1, 1),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    "2026-01-01",
    dt.timedelta(1),
    86400.0,
    uuid.UUID(int=1),
    str(uuid.UUID(int=1)),
    PurePosixPath("1"),
    Order,
    Quote,
    int,
    limit,
    "",
    [],
    {},
]


def test_arguments_of_different_type_or_value_are_different_keys() -> None:
    texts = [canonical(value) for value in DIFFERENT]
    twins = [(a, b) for at, a in enumerate(DIFFERENT) for b in DIFFERENT[:at] if canonical(a) == canonical(b)]
    assert not twins
    assert len(set(texts)) == len(DIFFERENT)


def test_equal_sets_and_dicts_are_one_key() -> None:
    names = ["pear", "apple", "fig", "plum"]
    assert canonical(set(names)) == canonical({*names[2:], *names[:2]})
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": [2], "a": 1})
    assert canonical([{"b", "a"}, {2, 1}]) == canonical([{"a", "b"}, {1, 2}])


def test_a_method_that_two_classes_inherit_has_two_names() -> None:
    @dataclass
    class Base:
        symbol: str

        def price(self) -> None: ...

    class One(Base): ...

    class Two(Base): ...

    key = default_key(Base.price)
    assert len({key(kind("X")) for kind in (Base, One, Two)}) == 3


class Plain:
    """No fields tell one from another."""


def around() -> Callable[[], int]:
    number = 1
    return lambda: number


@pytest.mark.parametrize("argument", [object(), Plain(), around(), lambda: 1, iter([]), Exchange(), [Plain()]])
def test_arguments_that_have_no_name_need_a_key_of_their_own(argument: Any) -> None:
    with pytest.raises(InvalidOption, match="say key=lambda"):
        default_key(limit)(argument)


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def test_an_argument_that_holds_itself_is_refused() -> None:
    with pytest.raises(InvalidOption, match="too deep"):
        default_key(limit)(endless())


@pytest.mark.parametrize("function", [lambda: 1, functools.partial(limit, "a")])
def test_a_function_without_a_name_needs_a_key(function: Any) -> None:
    with pytest.raises(InvalidOption, match="no name of its own"):
        default_key(function)


def test_two_functions_of_one_name_do_not_share_their_answers() -> None:
    def rated(rate: int) -> Callable[[int], int]:
        def price(amount: int) -> int:
            return amount * rate

        return price

    def free() -> Callable[[int], int]:
        def price(amount: int) -> int:
            return amount

        return price

    keys = DefaultKeys()
    assert keys.of(free())(1) == keys.of(free())(1)
    keys.of(rated(1))
    assert keys.of(rated(1))(5)
    with pytest.raises(InvalidOption, match="two functions of this cache are called"):
        keys.of(rated(2))
