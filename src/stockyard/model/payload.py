"""JSON in and out: encodes payloads and results, decodes them to what a handler declares."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import msgspec

from stockyard.errors import PayloadError
from stockyard.model.fidelity import SCALARS, difference, infinite_at, is_equal, is_plain, lossy_part

T = TypeVar("T")
Decoder = Callable[[bytes], Any]
"""Turns JSON text into what the handler is given."""


def encode_payload(value: Any, *, what: str, of: str = "", declared: Any = Any) -> bytes:
    """Return JSON text (UTF-8) of a value whose reader declares its type elsewhere, or reads plain JSON.

    Accepted is what JSON has by itself, and any object with fields (Struct, dataclass, attrs class, named tuple,
    pydantic model) that its own type reads back as it was, in lists and dicts too. A tuple is a list in JSON.

    Args:
        value: what to encode.
        what: what value it is, for the message: ``"the payload of"``.
        of: the name that follows it there; put together only for the message.
        declared: the type that its reader declares, where that is known: what this type reads back as it was is
            accepted too.

    Raises:
        PayloadError: it is not JSON-able, or would not come back as it was; the message names the part and why.
    """
    try:
        text = _ENCODER.encode(value)
    except UNENCODABLE as error:
        raise _not_json(error, what, of) from error
    if b"null" in text:
        _refuse_infinite(value, what, of)
    kind = type(value)
    if kind is dict:
        # The usual payload, told at the cost of a look at each of its parts.
        for key, item in value.items():
            if type(key) is not str or type(item) not in SCALARS:
                break
        else:
            return text
    elif kind in SCALARS:
        return text
    if _is_read_back(value, text):
        return text
    try:
        lossy = None if is_plain(value) else _lossy(value, "$", text)
    except RecursionError as error:
        raise PayloadError(f"{_named(what, of)} {_TOO_DEEP}") from error
    if lossy and not _comes_back(value, text, declared):
        raise PayloadError(f"{_named(what, of)} would not come back as it is: {lossy}; {_way_out(lossy)}")
    return text


def json_of(value: Any, *, what: str, of: str = "") -> bytes:
    """Return JSON text of a value, whatever a reader would make of it; arguments as for ``encode_payload``.

    Raises:
        PayloadError: it is not JSON-able; the message names the type or the field.
    """
    try:
        text = _ENCODER.encode(value)
    except UNENCODABLE as error:
        raise _not_json(error, what, of) from error
    if b"null" in text:
        _refuse_infinite(value, what, of)
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
        decode = tolerant(msgspec.json.Decoder(declared, dec_hook=_made).decode)
        unknown = _unknown_type(msgspec.inspect.type_info(declared))
    except NameError as error:
        raise PayloadError(
            f"payload type {declared!r} cannot be read from JSON: one of its fields cannot be resolved ({error}). "
            "Import the name at run time, not under TYPE_CHECKING, and define the type at the top of its module"
        ) from error
    except TypeError as error:
        if (adapter := _adapter(declared)) is not None:
            return _pydantic_decoder(declared, tolerant(adapter.validate_json))
        raise PayloadError(f"payload type {declared!r} cannot be read from JSON: {error}") from error
    if unknown is not None:
        raise PayloadError(
            f"payload type {declared!r} cannot be read from JSON: nothing is known of {unknown!r}; declare "
            "a Struct, dataclass, attrs class, TypedDict or pydantic model, or what JSON has"
        )

    def read(text: bytes) -> Any:
        try:
            return decode(text)
        except msgspec.ValidationError as error:
            raise PayloadError(f"payload does not fit {_name_of(declared)}: {error}") from error
        except RecursionError as error:
            raise PayloadError(f"payload {_TOO_DEEP}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PayloadError(f"payload is corrupt JSON: {error}") from error

    return read


class TypedCodec(Generic[T]):
    """JSON of one declared type: what it encodes it decodes as it was.

    Args:
        declared: the type; ``Any`` for what JSON has by itself.
        what: what its values are, for messages: ``"a value of cache"``.
        of: the name that follows it there.
        none_is_empty: None is the empty text, whatever the type. Defaults to False.

    Raises:
        PayloadError: the type cannot be read from JSON.
    """

    def __init__(self, declared: Any, *, what: str, of: str = "", none_is_empty: bool = False) -> None:
        self._is_any = declared is Any or declared is object
        self._name = _name_of(declared)
        self._what, self._of = what, of
        self._none_is_empty = none_is_empty
        self._read: Callable[[bytes], T] = decoder_for(declared)

    def decode(self, text: bytes) -> T:
        """Return the value of a text.

        Raises:
            PayloadError: it does not fit the declared type (any more).
        """
        if not text and self._none_is_empty:
            return cast("T", None)
        return self._read(text)

    def encode(self, value: T | None) -> bytes:
        """Return a value's text.

        Plain JSON that fits the declared type is a value of it: a dict becomes the Struct that is declared.

        Raises:
            PayloadError: it is not JSON-able, does not fit the type, or would not come back as it was.
        """
        if value is None and self._none_is_empty:
            return b""
        what, of = self._what, self._of
        text = json_of(value, what=what, of=of)
        if self._is_any and type(value) in SCALARS:
            return text
        try:
            if self._is_any and is_plain(value):
                return text
            back = self._read(text)
            if is_equal(value, back):
                return text
            changed = difference(value, back, "$", converts=is_plain(value))
        except RecursionError as error:
            raise PayloadError(f"{_named(what, of)} {_TOO_DEEP}") from error
        except PayloadError as error:
            raise PayloadError(f"{_named(what, of)} would not be read back: {error}") from error
        if changed:
            where = "" if self._is_any else f" by {self._name}"
            raise PayloadError(
                f"{_named(what, of)} would not come back as it is{where}: {changed}; {_way_out(changed)}"
            )
        return text


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
            raise PayloadError(f"payload does not fit {_name_of(declared)}: {_problems(error)}") from error

    return read


def _problems(error: ValueError) -> str:
    details: list[dict[str, Any]] = getattr(error, "errors", list)()
    message = "; ".join(f"{'.'.join(map(str, detail['loc'])) or '$'}: {detail['msg']}" for detail in details)
    return message or str(error)


def _named(what: str, of: str) -> str:
    return f"{what} {of!r}" if of else what


def _name_of(declared: Any) -> str:
    return getattr(declared, "__name__", None) or repr(declared)


def _lossy(value: Any, path: str, text: bytes | None = None) -> str | None:
    """Return what is lossy in a value whose reader is not known; an object with fields is read by its own type."""

    def own(part: Any, where: str) -> str | None:
        sent = text if part is value and text is not None else _ENCODER.encode(part)
        try:
            return difference(part, _own_decoder(type(part))(sent), where, converts=False)
        except PayloadError as error:
            return f"{where} is a {type(part).__qualname__} that its own type would not read ({error})"

    return lossy_part(value, path, own)


def _not_json(error: BaseException, what: str, of: str) -> PayloadError:
    if isinstance(error, RecursionError):
        return PayloadError(f"{_named(what, of)} {_TOO_DEEP}")
    return PayloadError(f"{_named(what, of)} is not JSON-able: {error}")


def _refuse_infinite(value: Any, what: str, of: str) -> None:
    """msgspec writes NaN and Infinity as null; only a text with a null can hide one."""
    path = infinite_at(msgspec.to_builtins(value, enc_hook=_parts_of), "$")
    if path:
        raise PayloadError(f"{_named(what, of)} is not JSON-able: NaN or an infinite number at {path}")


def _is_read_back(value: Any, text: bytes) -> bool:
    """Say whether nested JSON, or a Struct of a known type, comes back as it was; else the long way decides."""
    kind = type(value)
    decode = _PLAIN.decode if kind is dict or kind is list else _known_structs.get(kind)
    try:
        return decode is not None and is_equal(value, decode(text))
    except (msgspec.MsgspecError, RecursionError):
        return False


def _comes_back(value: Any, text: bytes, declared: Any) -> bool:
    if declared is Any:
        return False
    try:
        return difference(value, decoder_for(declared)(text), "$", converts=False) is None
    except PayloadError:
        return False


def _own_decoder(kind: type) -> Decoder:
    decode = _own_decoders.get(kind)
    if decode is None:
        if len(_own_decoders) > 1000:
            _own_decoders.clear()
            _known_structs.clear()
        decode = _own_decoders[kind] = decoder_for(kind)
        if issubclass(kind, msgspec.Struct):
            _known_structs[kind] = msgspec.json.Decoder(kind, dec_hook=_made).decode
    return decode


def _way_out(lossy: str) -> str:
    if "Secret" in lossy:
        return (
            "a secret has no faithful JSON form: send a reference and let the reader look it up, or give the "
            "field a serializer that reveals it"
        )
    return (
        "declare a type that reads it back, or convert it to text, numbers, lists and dicts with text keys first"
    )


def _foreign(value: Any) -> Any:
    dump = getattr(value, "model_dump_json", None)
    if dump is None or not hasattr(type(value), "model_fields"):
        raise TypeError(f"objects of type {type(value).__qualname__} have no JSON form")
    text = dump(by_alias=True, round_trip=True, warnings=False)
    if "NaN" in text or "Infinity" in text:
        # A model may be set up to write what is no JSON.
        msgspec.json.decode(text)
    return msgspec.Raw(text.encode())


def _parts_of(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None and hasattr(type(value), "model_fields"):
        return dump(mode="json", by_alias=True, round_trip=True, warnings=False)
    raise TypeError(f"objects of type {type(value).__qualname__} have no JSON form")


def _made(kind: Any, value: Any) -> Any:
    """Make a model that stands within another type."""
    if kind is object:
        return value
    if not hasattr(kind, "model_validate_json"):
        raise TypeError(f"nothing is known of {kind!r}")
    try:
        return kind.model_validate_json(msgspec.json.encode(value))
    except ValueError as error:
        raise ValueError(_problems(error)) from error


def _adapter(declared: Any) -> Any:
    """Return pydantic's reader of a type that only pydantic can read, such as a union of models, or None."""
    if "pydantic" not in sys.modules:
        return None
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(declared) if _has_model(declared) else None
    except Exception:  # pydantic has an exception for each kind of type that it cannot read
        return None


def _has_model(declared: Any) -> bool:
    parts = getattr(declared, "__args__", ())
    return hasattr(declared, "model_validate_json") or any(map(_has_model, parts))


def _unknown_type(info: Any) -> Any:
    """Return the first type within a type that nothing can be made of, or None."""
    seen: set[int] = set()
    waiting = [info]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list | tuple):
            waiting.extend(each)
        elif isinstance(each, msgspec.inspect.CustomType):
            if each.cls is not object and not hasattr(each.cls, "model_validate_json"):
                return each.cls
        elif isinstance(each, msgspec.inspect.Type | msgspec.inspect.Field) and id(each) not in seen:
            seen.add(id(each))
            waiting.extend(getattr(each, name) for name in each.__struct_fields__ if name not in _VALUES)
    return None


_own_decoders: dict[type, Decoder] = {}
_known_structs: dict[type, Decoder] = {}
_VALUES = ("cls", "default", "default_factory", "extra", "extra_json_schema", "values", "tag")

# A whole pair has 12 characters, a half 6, and any other escape counts as its first 2.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_ENCODER = msgspec.json.Encoder(enc_hook=_foreign)
_PLAIN: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_TOO_DEEP = (
    "is nested too deep: a list or dict holds itself, or there are hundreds of levels. Make it flatter, as a list "
    "of parts that name their parent, or send a reference"
)
UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)
