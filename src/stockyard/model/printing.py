"""Text of exceptions, whatever they are: one that cannot be printed is named by its class."""

from __future__ import annotations

import traceback


def printed(error: BaseException) -> str:
    """Return ``KeyError: 'nope'``: the class and the message, or the class alone where there is no message."""
    text = message_of(error)
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def message_of(error: BaseException) -> str:
    """Return the message; empty when the exception cannot say it."""
    try:
        text = str(error)
    except BaseException:  # __str__ is anybody's code
        return ""
    return storable(text)


def traceback_of(error: BaseException) -> str:
    """Return the traceback as text; the class and the message where it cannot be made."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # as above; a chain of causes may also be too deep
        text = f"{printed(error)}\n"
    return storable(text)


def storable(text: str) -> str:
    """Return the text without lone surrogates, which file names may bring along and UTF-8 cannot hold."""
    return text.encode(errors="backslashreplace").decode()
