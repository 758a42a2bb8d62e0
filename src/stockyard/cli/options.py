"""The options that several commands have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

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


def _checked_endpoint(_type: Any, tokens: Sequence[Token]) -> str:
    """Return ``HOST:PORT``; a port alone is one of this machine."""
    text = tokens[0].value
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"expected [HOST:]PORT, as in 9400 or 0.0.0.0:9400; got {text!r}")
    return f"{host or '127.0.0.1'}:{port}"


def host_and_port(endpoint: str) -> tuple[str, int]:
    """Return the two parts of an endpoint."""
    host, _, port = endpoint.rpartition(":")
    return host.strip("[]"), int(port)


RedisUrl = Annotated[
    str | None, Parameter(name="--redis-url", group=WHERE, help="Server. Defaults to $REDIS_URL, else localhost.")
]
Prefix = Annotated[
    str | None, Parameter(name="--prefix", group=WHERE, help="First part of every key. Defaults to bull.")
]
StateName = Literal["waiting", "prioritized", "delayed", "active", "completed", "failed", "waiting-children"]
"""A state whose jobs can be listed."""
EndedStateName = Literal["failed", "completed"]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, for programs.")]
Span = Annotated[str | None, Parameter(converter=_checked_duration)]
"""A duration as it is written: ``5m``, ``250ms``, seconds."""
Endpoint = Annotated[str | None, Parameter(converter=_checked_endpoint)]
"""Where to listen: ``[HOST:]PORT``; an IPv6 address in brackets."""
