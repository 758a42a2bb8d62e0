"""JSON in and out: encodes payloads and results, decodes them to what a handler declares."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from stockyard.errors import PayloadError

T = TypeVar("T")
Decoder = Callable[[bytes], Any]
"""Turns JSON text into what the handler is given."""


def encode_payload(value: Any, *, what: str, of: str = "") -> bytes:
    """Return JSON text (UTF-8) of a plain value, Struct, dataclass, TypedDict or pydantic model.

    Args:
        value: what to encode; NaN and infinite numbers are no JSON.
        what: what value it is, for the message: ``"the payload of"``.
        of: the name that follows it there; put together only for the message.

    Raises:
        PayloadError: it is not JSON-able; the message names the type or the field.
    """
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PayloadError(f"{_named(what, of)} is not JSON-able: {error}") from error
    # msgspec writes NaN and Infinity as null; only a text with a null can hide one.
    if b"null" in text:
        path = _not_finite(msgspec.to_builtins(value, enc_hook=_foreign), "$")
        if path:
            raise PayloadError(f"{_named(what, of)} is not JSON-able: NaN or an infinite number at {path}")
    return text


def decoder_for(declared: Any) -> Decoder:
    """Return the decoder of a declared payload type; ``Any`` gives plain values.

    Raises:
        PayloadError: the type cannot be decoded from JSON.
    """
    validate = getattr(declared, "model_validate_json", None)
    if validate is not None:
        return _pydantic_decoder(declared, tolerant(validate))
    try:
        decode = tolerant(msgspec.json.Decoder(declared).decode)
    except TypeError as error:
        raise PayloadError(f"payload type {declared!r} cannot be read from JSON: {error}") from error

    def read(text: bytes) -> Any:
        try:
            return decode(text)
        except msgspec.ValidationError as error:
            name = getattr(declared, "__name__", repr(declared))
            raise PayloadError(f"payload does not fit {name}: {error}") from error
        except RecursionError as error:
            raise PayloadError("payload is nested too deep") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PayloadError(f"payload is corrupt JSON: {error}") from error

    return read


def tolerant(decode: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Return a decoder that also reads what JavaScript writes of a text that it cut within a character.

    The half of a surrogate pair that is left becomes U+FFFD, as Node itself makes of it outside JSON.
    """

    def read(text: bytes) -> T:
        try:
            return decode(text)
        except (msgspec.DecodeError, ValueError):
            mended = _ESCAPE.sub(lambda found: b"\\ufffd" if len(found[0]) == 6 else found[0], text)
            if mended == text:
                raise
        return decode(mended)

    return read


def _pydantic_decoder(declared: Any, validate: Callable[[bytes], Any]) -> Decoder:
    def read(text: bytes) -> Any:
        try:
            return validate(text)
        except ValueError as error:
            details: list[dict[str, Any]] = getattr(error, "errors", list)()
            said = "; ".join(f"{'.'.join(map(str, each['loc'])) or '$'}: {each['msg']}" for each in details)
            raise PayloadError(f"payload does not fit {declared.__name__}: {said or error}") from error

    return read


def _named(what: str, of: str) -> str:
    return f"{what} {of!r}" if of else what


def _foreign(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None and hasattr(type(value), "model_fields"):
        return dump(mode="json")
    raise TypeError(f"objects of type {type(value).__qualname__} have no JSON form")


def _not_finite(value: Any, path: str) -> str | None:
    match value:
        case float() if not math.isfinite(value):
            return path
        case dict():
            parts = ((f"{path}.{key}", item) for key, item in value.items())
        case list() | tuple():
            parts = ((f"{path}[{index}]", item) for index, item in enumerate(value))
        case _:
            return None
    return next((found for where, item in parts if (found := _not_finite(item, where))), None)


# A whole pair has 12 characters, a half 6, and any other escape counts as its first 2.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_ENCODER = msgspec.json.Encoder(enc_hook=_foreign)
