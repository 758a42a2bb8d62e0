"""Values of types made at random come back equal, or are refused where they are written."""

import dataclasses
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stockyard import PayloadError
from stockyard.model.payload import decoder_for, encode_payload
from tests.support.fidelity import DECLARED


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    LOW = 1


class Venue(enum.StrEnum):
    KRAKEN = "kraken"


SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (str, st.text(st.characters(exclude_categories=["Cs"]))),
    (bool, st.booleans()),
    (type(None), st.none()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (bytes, st.binary()),
    (uuid.UUID, st.uuids()),
    (dt.datetime, st.datetimes(timezones=st.none() | st.just(dt.UTC))),
    (dt.date, st.dates()),
    (dt.time, st.times()),
    (dt.timedelta, st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000))),
    (Side, st.sampled_from(Side)),
    (Level, st.sampled_from(Level)),
    (Venue, st.sampled_from(Venue)),
]

Typed = tuple[Any, st.SearchStrategy[Any]]


def carriers(typed: Typed) -> list[Typed]:
    """Return a Struct, a dataclass, an attrs class, a TypedDict and a named tuple with one field of a type."""
    kind, values = typed
    struct = msgspec.defstruct("S", [("value", kind)])
    data = dataclasses.make_dataclass("D", [("value", kind)])
    made = attrs.make_class("A", {"value": attrs.field(type=kind)})

    class Table(TypedDict):
        value: kind  # type: ignore[valid-type]

    class Named(NamedTuple):
        value: kind  # type: ignore[valid-type]

    return [
        (struct, st.builds(struct, value=values)),
        (data, st.builds(data, value=values)),
        (made, st.builds(made, value=values)),
        (Table, st.fixed_dictionaries({"value": values})),
        (Named, st.builds(Named, value=values)),
    ]


def models(typed: Typed) -> list[Typed]:
    """Return a model with one field of a type under an alias."""
    kind, values = typed
    model = pydantic.create_model("M", value=(kind, pydantic.Field(alias="itsValue")))
    return [(model, st.builds(lambda value: model(itsValue=value), value=values))]


def containers(typed: Typed) -> list[Typed]:
    kind, values = typed
    found: list[Typed] = [
        (list[kind], st.lists(values, max_size=3)),  # type: ignore[valid-type]
        (tuple[kind, ...], st.lists(values, max_size=3).map(tuple)),  # type: ignore[valid-type]
        (dict[str, kind], st.dictionaries(st.text("ab"), values, max_size=3)),  # type: ignore[valid-type]
        (dict[int, kind], st.dictionaries(st.integers(), values, max_size=3)),  # type: ignore[valid-type]
    ]
    return found


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw a type up to three levels deep, and a value of it."""
    typed = draw(st.sampled_from(SCALARS))
    if draw(st.booleans()):
        typed = draw(st.sampled_from(models(typed)))
    for _ in range(draw(st.integers(0, 3))):
        typed = draw(st.sampled_from([*carriers(typed), *containers(typed)]))
    return typed[0], draw(typed[1])


CALM = settings(deadline=None, suppress_health_check=list(HealthCheck))


@CALM
@given(typed_values())
def test_whatever_type_is_declared_its_values_come_back(typed: tuple[Any, Any]) -> None:
    kind, value = typed
    for way in DECLARED:
        try:
            back = way(kind, value)
        except PayloadError:
            # pydantic has a form of its own for some: its bytes must be UTF-8.
            continue
        assert back == value


@CALM
@given(typed_values())
def test_what_a_job_accepts_its_handler_gets(typed: tuple[Any, Any]) -> None:
    kind, value = typed
    try:
        text = encode_payload(value, what="it")
    except PayloadError:
        return
    assert decoder_for(kind)(text) == value


ANYTHING = st.recursive(
    st.one_of(*(values for _, values in SCALARS)),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.lists(parts, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab1") | st.integers(0, 2), parts, max_size=3)
    ),
    max_leaves=6,
)


def as_arrays(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [as_arrays(each) for each in value]
    return {key: as_arrays(item) for key, item in value.items()} if isinstance(value, dict) else value


@CALM
@given(ANYTHING)
def test_without_a_declared_type_what_is_accepted_is_what_json_has(value: Any) -> None:
    for way in DECLARED:
        try:
            assert way(Any, value) == value
        except PayloadError:
            continue
    try:
        text = encode_payload(value, what="the result of", of="x")
    except PayloadError:
        return
    # A tuple is a list in JSON, and handlers return tuples for lists.
    assert msgspec.json.decode(text) == as_arrays(value)
