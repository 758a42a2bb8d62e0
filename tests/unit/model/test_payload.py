"""JSON in and out."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from stockyard import PayloadError
from stockyard.model.payload import decoder_for, encode_payload


class Struct(msgspec.Struct):
    price: float


@dataclass
class Data:
    price: float


class Model(pydantic.BaseModel):
    price: float


@pytest.mark.parametrize("kind", [Struct, Data, Model])
def test_a_typed_payload_survives_the_round_trip(kind: Any) -> None:
    text = encode_payload(kind(price=1.5), what="it")
    assert text == b'{"price":1.5}'
    assert decoder_for(kind)(text) == kind(price=1.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, b"null"),
        ({"a": None}, b'{"a":null}'),
        ({"ü": "€"}, '{"ü":"€"}'.encode()),
        ((1, 2), b"[1,2]"),
        ({"big": 2**70}, b'{"big":1180591620717411303424}'),
    ],
)
def test_plain_values_are_written_as_json(value: Any, text: bytes) -> None:
    assert encode_payload(value, what="it") == text


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda bad: bad, r"\$"),
        (lambda bad: {"a": [None, bad]}, r"\$\.a\[1\]"),
        (lambda bad: Struct(bad), r"\$\.price"),
        (lambda bad: Data(bad), r"\$\.price"),
        (lambda bad: Model(price=bad), r"\$\.price"),
        (lambda bad: {"m": Model(price=bad)}, r"\$\.m\.price"),
        (lambda bad: (1, {"x": bad}), r"\$\[1\]\.x"),
    ],
)
def test_no_number_that_json_lacks_is_written(wrap: Any, path: str, bad: float) -> None:
    with pytest.raises(PayloadError, match=rf"^it is not JSON-able: NaN or an infinite number at {path}$"):
        encode_payload(wrap(bad), what="it")


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), {object(): 1}, {"a": {1, object()}}, "\udcff", int])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError, match=r"^it is not JSON-able"):
        encode_payload(value, what="it")


@pytest.mark.parametrize("kind", [Struct, Data, Model])
@pytest.mark.parametrize("text", [b"{}", b'{"price":"dear"}', b"[]", b"null"])
def test_a_misfit_names_the_type_and_the_field(kind: Any, text: bytes) -> None:
    with pytest.raises(PayloadError, match=f"payload does not fit {kind.__name__}") as misfit:
        decoder_for(kind)(text)
    if text.startswith(b"{"):
        assert "price" in str(misfit.value)


@pytest.mark.parametrize("kind", [Any, Struct, Model])
@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"nul"])
def test_broken_text_is_an_error_of_ours(kind: Any, text: bytes) -> None:
    with pytest.raises(PayloadError):
        decoder_for(kind)(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'{"k\uDE80":["\ud83d\\","\ud83d\ude80"]}', {"k\ufffd": ["\ufffd\\", "🚀"]}),
        (rb'["\ud83d\ud83d\ude80","\\ud83d"]', ["\ufffd🚀", "\\ud83d"]),
    ],
)
def test_a_character_that_javascript_cut_is_read(text: bytes, value: Any) -> None:
    assert decoder_for(Any)(text) == value


def test_a_model_reads_a_cut_character_too() -> None:
    class Note(pydantic.BaseModel):
        text: str

    assert decoder_for(Note)(rb'{"text":"cut \ud83d"}').text == "cut \ufffd"


def test_a_type_that_json_cannot_give_is_refused_when_declared() -> None:
    with pytest.raises(PayloadError, match="cannot be read from JSON"):
        decoder_for(dict[Struct, int] | list[int] | tuple[int, ...])


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("value", [deep(100_000), endless()])
def test_what_is_nested_too_deep_is_refused_with_the_way_out(value: Any) -> None:
    with pytest.raises(PayloadError, match=r"the payload of 'x' is nested too deep: .* holds itself.*flatter"):
        encode_payload(value, what="the payload of", of="x")
