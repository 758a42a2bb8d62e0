"""Values of a cache as text on the server, and back."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from stockyard.model.payload import Codec as TypeCodec

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
        self._codec: TypeCodec[T] = TypeCodec(declared)

    def encode(self, value: T | None) -> bytes:
        """Return a value's text.

        Raises:
            PayloadError: it is not JSON-able, or would not come back as the declared type and as it was.
        """
        return b"" if value is None else self._codec.encode(value, what="a value of cache", of=self._cache)

    def decode(self, text: bytes) -> T:
        """Return the value of a text.

        Raises:
            PayloadError: it does not fit the declared type (any more).
        """
        return self._codec.decode(text) if text else cast("T", None)
