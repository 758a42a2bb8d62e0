"""What a handler returned: awaited if it is awaitable, and turned into JSON text; alike on every executor."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable
from typing import Any, NamedTuple

import msgspec

from stockyard.model.handler import Handler
from stockyard.model.payload import encode_payload

CANCELLED_ITSELF = "the handler was cancelled"
"""Why an attempt failed whose handler raised CancelledError though nobody had cancelled it."""

_PLAIN = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple})
_NOTHING = b"null"


class ChildResult(NamedTuple):
    """A result that a child process has encoded.

    Attributes:
        text: JSON text.
    """

    text: bytes


def is_awaitable(result: Any) -> bool:
    """Say whether a handler left it to the caller to await, as a plain function around an ``async def`` does."""
    return type(result) not in _PLAIN and inspect.isawaitable(result)


async def awaited(result: Awaitable[Any]) -> Any:
    """Return what an awaitable gives; that may be awaitable, too."""
    value = await result
    while is_awaitable(value):
        value = await value
    return value


def result_text(result: Any, *, of: str, declared: Any = Any) -> bytes:
    """Return a result as JSON text.

    Args:
        result: what the handler returned, or a child's result.
        of: name of the job, for the message.
        declared: the type that the handler's annotation gives its result.

    Raises:
        PayloadError: it is not JSON-able, or would not come back as it was.
    """
    if result is None:
        return _NOTHING
    if type(result) is ChildResult:
        return result.text
    return encode_payload(result, what="the result of", of=of, declared=declared)


def read_result(result: Any, handler: Handler | None) -> Any:
    """Read a child's result for middleware and hooks, as the handler's annotation says.

    Returns plain values where the annotation does not fit, or does not exist; and any other result as it is.
    """
    if type(result) is not ChildResult:
        return result
    if handler is not None and handler.decode_result is not None:
        # The declared type's own code may refuse what the handler returned.
        with contextlib.suppress(Exception):
            return handler.decode_result(result.text)
    return msgspec.json.decode(result.text)
