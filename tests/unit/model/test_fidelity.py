"""What is written is what is read: through jobs, results, caches and channels, values come back or are refused."""

import collections
import dataclasses
import datetime as dt
import enum
import math
import uuid
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from stockyard import PayloadError
from stockyard.model.payload import TypedCodec, decoder_for, encode_payload
from tests.support.fidelity import DECLARED, through_cache, through_handler


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    LOW = 1


class Venue(enum.StrEnum):
    KRAKEN = "kraken"


class Aliased(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    tags: pydantic.Json[list[int]] = pydantic.Field(default="[]", validate_default=True)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.user_id


class Closed(pydantic.BaseModel, extra="forbid"):
    at: dt.datetime
    price: Decimal

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def year(self) -> int:
        return self.at.year


class Safe(pydantic.BaseModel):
    password: pydantic.SecretStr


class Renamed(msgspec.Struct, rename="camel", omit_defaults=True, tag=True):
    user_id: int
    note: str = ""


class WithoutEquality(msgspec.Struct, eq=False):
    user: Aliased
    amount: Decimal = Decimal(1)


@dataclasses.dataclass
class Order:
    user: Aliased
    lines: list[Renamed]
    side: Side | None = None


@attrs.define
class Fill:
    price: Decimal
    order: Order


class Pair(NamedTuple):
    left: Decimal
    right: Aliased


class Row(TypedDict):
    user: Aliased
    at: dt.datetime


USER = Aliased.model_validate({"userId": 7, "tags": "[1,2]"})
MOMENT = dt.datetime(2026, 3, 1, 12, 30, 1, 5, tzinfo=dt.timezone(dt.timedelta(hours=2)))
ORDER = Order(USER, [Renamed(1), Renamed(2, "x")], Side.SELL)


@pytest.mark.parametrize("way", [through_handler, *DECLARED])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Aliased, USER),
        (Closed, Closed(at=MOMENT, price=Decimal("1.10"))),
        (list[Aliased], [USER, USER]),
        (dict[str, Aliased], {"a": USER}),
        (Aliased | None, USER),
        (Aliased | None, None),
        (Aliased | Closed, Closed(at=MOMENT, price=Decimal(1))),
        (list[Aliased | Closed], [USER, Closed(at=MOMENT, price=Decimal(1))]),
        (Renamed, Renamed(1, "x")),
        (WithoutEquality, WithoutEquality(USER)),
        (Order, ORDER),
        (list[Order], [ORDER]),
        (Fill, Fill(Decimal("1.50"), ORDER)),
        (Pair, Pair(Decimal("0.1"), USER)),
        (dict[str, list[Pair]], {"a": [Pair(Decimal("0.1"), USER)]}),
        (int, 2**80),
        (dict[str, list[float]], {"a": [1e22, -0.0, 0.1, 5e-324]}),
    ],
)
def test_a_value_of_the_declared_type_comes_back_equal(way: Any, kind: Any, value: Any) -> None:
    back = way(kind, value)
    assert type(back) is type(value)
    assert back == value or msgspec.to_builtins(back, enc_hook=repr) == msgspec.to_builtins(value, enc_hook=repr)


@pytest.mark.parametrize("way", DECLARED)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Decimal, Decimal("1.10")),
        (bytes, b"\xff\x00"),
        (uuid.UUID, uuid.UUID(int=5)),
        (dt.datetime, MOMENT),
        (dt.timedelta, dt.timedelta(days=-1, microseconds=1)),
        (set[int], {3, 1}),
        (frozenset[Side], frozenset({Side.BUY, Side.SELL})),
        (tuple[int, str], (1, "a")),
        (dict[int, Side], {1: Side.SELL}),
        (dict[uuid.UUID, Decimal], {uuid.UUID(int=1): Decimal("0.10")}),
        (Row, {"user": USER, "at": MOMENT}),
        (Any, {"a": [1, None, True, {"b": "ü"}]}),
        (object, {"a": [1]}),
        (list[object], [{"a": [1]}]),
        (Any, Venue.KRAKEN),
        (Any, Level.LOW),
    ],
)
def test_a_bare_value_needs_its_type_declared(way: Any, kind: Any, value: Any) -> None:
    assert way(kind, value) == value


NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
FIRST = dt.datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK)
SECOND = FIRST.replace(fold=1)
"""Half past one comes twice that night; the law of Python finds neither equal to a datetime of another zone."""
LEFT_OUT = dt.datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK)


class Traded(msgspec.Struct, frozen=True):
    at: dt.datetime


@dataclasses.dataclass(frozen=True)
class Quoted:
    at: dt.datetime


class Modelled(pydantic.BaseModel):
    at: dt.datetime
    before: list[dt.datetime]


def instants(value: Any) -> Any:
    """Return the moments in a value, in place of its datetimes."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {instants(key): instants(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return frozenset(map(instants, value))
    if isinstance(value, list | tuple):
        return tuple(map(instants, value))
    names = [name for name in ("at", "before") if hasattr(value, name)]
    return (type(value), *(instants(getattr(value, name)) for name in names)) if names else value


@pytest.mark.parametrize("moment", [FIRST, SECOND, LEFT_OUT], ids=["first", "second", "left out"])
@pytest.mark.parametrize(
    ("kind", "made"),
    [
        (dt.datetime, lambda at: at),
        (list[dt.datetime], lambda at: [at, MOMENT]),
        (tuple[dt.datetime, int], lambda at: (at, 1)),
        (dict[str, dt.datetime], lambda at: {"at": at}),
        (dict[dt.datetime, dt.datetime], lambda at: {MOMENT: at, at: MOMENT}),
        (set[dt.datetime], lambda at: {at, MOMENT}),
        (frozenset[tuple[dt.datetime, str]], lambda at: frozenset({(at, "a"), (MOMENT, "b")})),
        (set[Traded], lambda at: {Traded(at), Traded(MOMENT)}),
        (Traded, Traded),
        (Quoted, Quoted),
        (Modelled, lambda at: Modelled(at=at, before=[at])),
        (list[Quoted | None], lambda at: [None, Quoted(at)]),
    ],
)
@pytest.mark.parametrize("way", DECLARED)
def test_a_datetime_of_the_hour_that_a_zone_repeats_or_leaves_out_comes_back(
    way: Any, kind: Any, made: Callable[[dt.datetime], Any], moment: dt.datetime
) -> None:
    value = made(moment)
    back = way(kind, value)
    assert type(back) is type(value)
    assert instants(back) == instants(value)


def test_one_moment_under_two_keys_is_refused() -> None:
    with pytest.raises(PayloadError, match="read as another value"):
        through_cache(dict[dt.datetime, int], {FIRST: 1, FIRST.astimezone(dt.UTC): 2})


@pytest.mark.parametrize("way", DECLARED)
@pytest.mark.parametrize(
    "value",
    [
        Decimal(1),
        {"price": Decimal(1)},
        [MOMENT],
        (1, 2),
        {1: "a"},
        {1: "a", "1": "b"},
        {"tags": {"a"}},
        b"x",
        uuid.UUID(int=1),
        Side.BUY,
        USER,
        [ORDER],
        Renamed(1),
    ],
)
def test_what_plain_json_would_bring_back_otherwise_is_refused(way: Any, value: Any) -> None:
    with pytest.raises(PayloadError, match=r"would not come back as it is: \$.*; declare a type"):
        way(Any, value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Decimal(1), r"\$ is a Decimal"),
        ({"price": Decimal(1)}, r"\$\.price is a Decimal"),
        ({"deep": [{"at": MOMENT}]}, r"\$\.deep\[0\]\.at is a datetime"),
        ({"a": {1: "x"}}, r"\$\.a has the key 1 of type int"),
        ([{1, 2}], r"\$\[0\] is a set"),
        ({"raw": b"x"}, r"\$\.raw is a bytes"),
        ({"id": uuid.UUID(int=1)}, r"\$\.id is an? UUID"),
        ({"side": Side.BUY}, r"\$\.side is a Side"),
        (Renamed(1, Decimal(1)), r"\$ is a Renamed that its own type would not read|\$\.note is a Decimal"),  # type: ignore[arg-type]
        ([Renamed("one")], r"\$\[0\] is a Renamed that its own type would not read"),  # type: ignore[arg-type]
    ],
)
def test_a_job_refuses_what_no_reader_without_a_type_can_bring_back(value: Any, place: str) -> None:
    with pytest.raises(PayloadError, match=place):
        encode_payload(value, what="the payload of", of="x")


@pytest.mark.parametrize(
    "value", [Safe(password=pydantic.SecretStr("hunter2")), [Safe(password=pydantic.SecretStr("hunter2"))]]
)
@pytest.mark.parametrize(
    "write", [lambda value: encode_payload(value, what="it"), lambda v: through_cache(type(v), v)]
)
def test_a_secret_is_refused_with_the_way_out_and_not_told(value: Any, write: Any) -> None:
    with pytest.raises(PayloadError, match=r"password.*(secret has no faithful|Secret)") as refused:
        write(value if not isinstance(value, list) else value[0])
    assert "hunter2" not in str(refused.value)


class Hidden(pydantic.BaseModel):
    shown: int
    lost: int = pydantic.Field(default=1, exclude=True)
    _private: int = pydantic.PrivateAttr(default=1)


def test_what_a_model_leaves_out_is_refused_unless_it_comes_back_by_itself() -> None:
    assert through_cache(Hidden, Hidden(shown=1)) == Hidden(shown=1)
    with pytest.raises(PayloadError, match=r"\$\.lost is an int"):
        through_cache(Hidden, Hidden(shown=1, lost=2))
    changed = Hidden(shown=1)
    changed._private = 2
    with pytest.raises(PayloadError, match="_private"):
        encode_payload(changed, what="it")


def test_aliases_that_differ_for_writing_and_reading_are_refused() -> None:
    class Both(pydantic.BaseModel):
        a: int = pydantic.Field(validation_alias="in", serialization_alias="out")

    with pytest.raises(PayloadError, match="its own type would not read"):
        encode_payload(Both.model_validate({"in": 1}), what="it")


class Animal(msgspec.Struct):
    name: str


class Dog(Animal):
    tricks: int = 0


def test_a_subclass_that_the_declared_type_would_cut_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"\$\[0\] is a Dog and would be read as an Animal"):
        through_cache(list[Animal], [Dog("rex", 3)])


class Small(TypedDict):
    a: int


def test_plain_json_that_fits_becomes_the_declared_type() -> None:
    assert through_cache(Renamed, {"type": "Renamed", "userId": 3}) == Renamed(3)
    assert through_cache(set[int], [1, 1, 2]) == {1, 2}
    with pytest.raises(PayloadError, match=r"would be read as another value"):
        through_cache(Small, {"a": 1, "dropped": 2})


class Unknown:
    """Nothing says what it is made of."""


@pytest.mark.parametrize("kind", [complex, Unknown, list[Unknown], dict[str, type], Row | list[Unknown]])
def test_a_type_that_nothing_can_be_read_into_is_refused_when_it_is_declared(kind: Any) -> None:
    with pytest.raises(PayloadError, match="cannot be read from JSON"):
        decoder_for(kind)


@pytest.mark.parametrize("bad", [math.nan, math.inf, Decimal("NaN"), Decimal("sNaN")])
@pytest.mark.parametrize("way", DECLARED)
def test_what_is_not_equal_to_itself_is_refused(way: Any, bad: Any) -> None:
    with pytest.raises(PayloadError):
        way(type(bad), bad)


def test_dicts_of_other_kinds_are_plain_when_they_equal_plain_ones() -> None:
    for value in (collections.OrderedDict(a=1), collections.defaultdict(int, a=1), collections.Counter("a")):
        assert msgspec.json.decode(encode_payload(value, what="it")) == value
        assert through_cache(Any, value) == value


def test_codec_is_one_for_all() -> None:
    codec: TypedCodec[Aliased] = TypedCodec(Aliased, what="it")
    assert codec.encode(USER) == encode_payload(USER, what="it") == b'{"userId":7,"tags":"[1,2]"}'
