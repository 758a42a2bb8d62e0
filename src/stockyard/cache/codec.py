"""Values of a cache as text on the server, and back."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from stockyard.errors import PayloadError
from stockyard.model.payload import decoder_for, encode_payload

T = TypeVar("T")


class Codec(Generic[T]):
    """JSON in the declared type; nothing (None) is the empty text, whatever the type.

    Args:
        cache: the cache's name, for messages.
        declared: the type; ``Any`` for plain values.

    Raises:
        PayloadError: the type cannot be read from JSON.
    """

    def __init__(self, cache: str, declared: Any) -> None:
        self._cache = cache
        self._read = decoder_for(declared)
        self._is_typed = declared is not Any

    def encode(self, value: T | None) -> bytes:
        """Return a value's text.

        Raises:
            PayloadError: it is not JSON-able, or would not be read back as the declared type.
        """
        if value is None:
            return b""
        text = encode_payload(value, what="a value of cache", of=self._cache)
        # Being of the type is not enough: a Struct does not look at what it is made of.
        if self._is_typed:
            try:
                self._read(text)
            except PayloadError as error:
                raise PayloadError(f"a value of cache {self._cache!r} would not be read back: {error}") from error
        return text

    def decode(self, text: bytes) -> T:
        """Return the value of a text.

        Raises:
            PayloadError: it does not fit the declared type (any more).
        """
        return cast("T", self._read(text)) if text else cast("T", None)
