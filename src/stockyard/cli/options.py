"""The options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token

from stockyard.errors import InvalidOption
from stockyard.model.duration import milliseconds

WHERE = Group("Where", sort_key=10)


def _checked_duration(_type: Any, tokens: Sequence[Token]) -> str:
    """Return a duration as text; a bare number is seconds."""
    text = tokens[0].value
    if text.replace(".", "", 1).isdecimal():
        text += "s"
    try:
        milliseconds(text, option="it")
    except InvalidOption:
        raise ValueError(f"expected a duration such as 250ms, 30s or 1h30m, or seconds; got {text!r}") from None
    return text


RedisUrl = Annotated[
    str | None, Parameter(name="--redis-url", group=WHERE, help="Server. Defaults to $REDIS_URL, else localhost.")
]
Prefix = Annotated[
    str | None, Parameter(name="--prefix", group=WHERE, help="First part of every key. Defaults to bull.")
]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, for programs.")]
Span = Annotated[str | None, Parameter(converter=_checked_duration)]
"""A duration as it is written: ``5m``, ``250ms``, seconds."""
