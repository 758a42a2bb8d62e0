"""Text that every server and peer can hold: UTF-8 has no form for the half of a surrogate pair."""

from __future__ import annotations

from typing import Any

from stockyard.errors import InvalidOption


def is_text(value: Any) -> bool:
    """Whether it is text that is not empty and can be sent: UTF-8 has no lone surrogates."""
    return isinstance(value, str) and bool(value) and is_sendable(value)


def is_sendable(value: str) -> bool:
    """Whether UTF-8 can hold the text."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_text(what: str, value: Any) -> str:
    """Return text that is not empty and can be sent.

    Args:
        what: what value it is, for the message: ``"job_id"``.
        value: what was given.

    Raises:
        InvalidOption: it is no text, empty, or has a lone surrogate.
    """
    if not is_text(value):
        raise InvalidOption(f"{what} must be non-empty text{_hint(value)}; got {shown(value)}")
    return str(value)


def checked_line(what: str, value: Any) -> str:
    """Return text that can be sent; it may be empty. The errors are those of ``checked_text``."""
    if not isinstance(value, str) or not is_sendable(value):
        raise InvalidOption(f"{what} must be text{_hint(value)}; got {shown(value)}")
    return str(value)


def shown(value: Any) -> str:
    """Return a value as a message quotes it, cut when it is long."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _hint(value: Any) -> str:
    return " without lone surrogates, which UTF-8 cannot hold" if isinstance(value, str) and value else ""
