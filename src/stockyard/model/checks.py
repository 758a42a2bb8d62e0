"""Checks of arguments, one for each kind: a value that fits is returned, another raises ``InvalidOption``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from stockyard._suggestion import suggestion
from stockyard.errors import InvalidOption
from stockyard.model.duration import Duration, milliseconds

T = TypeVar("T")
_NAME = re.compile(r"[\w.-]+(:[\w.-]+)*", re.ASCII)
_STREAM_ID = re.compile(r"\d{1,19}(-\d{1,19})?", re.ASCII)


def refuse_unknown(given: Iterable[str], known: Iterable[str], *, what: str = "option", of: str = "") -> None:
    """Refuse names that nothing knows; the message names the nearest that is known.

    Args:
        given: the names that were given.
        known: the names there are.
        what: what they name, for the message.
        of: whose they are, for the message: ``"queue 'mail'"``.

    Raises:
        InvalidOption: one is not known.
    """
    names = tuple(known)
    for name in given:
        if name not in names:
            raise InvalidOption(f"unknown {what} {name!r}{f' of {of}' if of else ''}{suggestion(name, names)}")


def named_arguments(what: str = "option", *, of: str = "") -> Callable[[type[T]], type[T]]:
    """Let a class refuse keyword arguments that it does not take as ``refuse_unknown`` does, with its error."""

    def decorate(kind: type[T]) -> type[T]:
        make = kind.__init__
        code = make.__code__
        known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

        @functools.wraps(make)
        def checked(self: T, *args: Any, **named: Any) -> None:
            refuse_unknown(named, known, what=what, of=of)
            make(self, *args, **named)

        kind.__init__ = checked  # type: ignore[assignment]
        return kind

    return decorate


def whole(option: str, value: Any, *, least: int = 0, most: int | None = None, hint: str = "") -> int:
    """Return a whole number within its range; True and False are none.

    Args:
        option: the option's name, for the message.
        value: what was given.
        least: the smallest there may be. Defaults to 0.
        most: the largest there may be. Defaults to no limit.
        hint: what else to know or do, for the end of the message.

    Raises:
        InvalidOption: it is no whole number, or out of its range.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        extent = f", {least:,} or more" if most is None else f" from {least:,} to {most:,}"
        raise InvalidOption(f"{option} must be a whole number{extent}; got {shown(value)}{_added(hint)}")
    found: int = value
    return found


def number(
    option: str, value: Any, *, least: float, most: float | None = None, below: float | None = None
) -> float:
    """Return a number within its range; True and False are none.

    Args:
        option: the option's name, for the message.
        value: what was given.
        least: the smallest there may be.
        most: the largest there may be. Defaults to no limit.
        below: what it must stay below. Defaults to no limit.

    Raises:
        InvalidOption: it is no number, or out of its range.
    """
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= least
    if not fits or (most is not None and value > most) or (below is not None and value >= below):
        extent = f"from {least:g} to {most:g}" if most is not None else f"of {least:g} or more"
        if below is not None:
            extent = f"from {least:g} to below {below:g}"
        raise InvalidOption(f"{option} must be a number {extent}; got {shown(value)}")
    return float(value)


def positive_ms(option: str, value: Duration, *, least: int = 1, hint: str = "") -> int:
    """Return a duration in milliseconds, of which it has some.

    Args:
        option: the option's name, for the message.
        value: what was given.
        least: milliseconds that it has at least. Defaults to 1.
        hint: what else to know or do, for the end of the message.

    Raises:
        InvalidOption: it is no duration, or too short.
    """
    amount = milliseconds(value, option=option)
    if amount < least:
        raise InvalidOption(f"{option} must be {least} ms or longer; got {shown(value)}{_added(hint)}")
    return amount


def flag(option: str, value: Any) -> bool:
    """Return True or False.

    Raises:
        InvalidOption: it is neither.
    """
    if not isinstance(value, bool):
        raise InvalidOption(f"{option} must be True or False; got {shown(value)}")
    return value


def one_of(option: str, value: T, known: Iterable[Any]) -> T:
    """Return a value that is one of those known.

    Raises:
        InvalidOption: it is none of them.
    """
    names = tuple(known)
    if value not in names:
        listed = ", ".join(repr(str(name)) for name in names)
        raise InvalidOption(f"{option} must be one of {listed}; got {shown(value)}")
    return value


def function(option: str, value: T) -> T:
    """Return what can be called.

    Raises:
        InvalidOption: it cannot.
    """
    if not callable(value):
        raise InvalidOption(f"{option} must be a function; got {shown(value)}")
    return value


def several(option: str, value: Iterable[T], *, of: str, example: str = "") -> tuple[T, ...]:
    """Return all of several values; one text is not several.

    Args:
        option: the option's name, for the message.
        value: what was given.
        of: what they are, for the message: ``"ids"``.
        example: a list that fits, for the message. Defaults to that of the text that was given.

    Raises:
        InvalidOption: it is one value, and not several.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        hint = f"write {example or f'[{shown(value)}]'}" if isinstance(value, str) else ""
        raise InvalidOption(f"{option} must be a list of {of}; got {shown(value)}{_added(hint)}")
    return tuple(value)


def by_name(option: str, value: Any, *, of: str) -> Mapping[Any, Any]:
    """Return a mapping; what it holds is not looked into.

    Args:
        option: the option's name, for the message.
        value: what was given.
        of: what it holds by name, for the message: ``"values"``.

    Raises:
        InvalidOption: it is no mapping.
    """
    if not isinstance(value, Mapping):
        raise InvalidOption(f"{option} must be {of} by name, {{'name': …}}; got {shown(value)}")
    return value


def instance(option: str, value: T, kind: type) -> T:
    """Return a value that is of a class.

    Raises:
        InvalidOption: it is not.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        raise InvalidOption(f"{option} must be {article} {kind.__name__}; got {shown(value)}")
    return value


def place(option: str, value: Any) -> int:
    """Return a place in a list, from 0; below 0 it counts from the end.

    Raises:
        InvalidOption: it is no whole number.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidOption(f"{option} must be a whole number; got {shown(value)}")
    return value


def text(what: str, value: Any, *, longest: int | None = None) -> str:
    """Return text that is not empty and can be sent.

    Args:
        what: what value it is, for the message: ``"job_id"``.
        value: what was given.
        longest: characters at most. Defaults to no limit.

    Raises:
        InvalidOption: it is no text, empty, too long, or has a lone surrogate.
    """
    if not is_text(value) or (longest is not None and len(value) > longest):
        extent = "" if longest is None else f" of at most {longest} characters"
        raise InvalidOption(f"{what} must be non-empty text{extent}{_surrogates(value)}; got {shown(value)}")
    return str(value)


def line(what: str, value: Any) -> str:
    """Return text that can be sent; it may be empty. The errors are those of ``text``."""
    if not isinstance(value, str) or not is_sendable(value):
        raise InvalidOption(f"{what} must be text{_surrogates(value)}; got {shown(value)}")
    return str(value)


def name(what: str, value: Any) -> str:
    """Return what can be a part of keys, as the name of a cache or a channel.

    Raises:
        InvalidOption: it has other characters, or ':' elsewhere than between them.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidOption(
            f"{what} must be letters, digits, '_', '.', '-', and single ':' between them; got {shown(value)}"
        )
    return value


def stream_id(option: str, value: Any, *, of: str) -> str:
    """Return the id of an entry of a stream.

    Args:
        option: the option's name, for the message.
        value: what was given.
        of: what the stream is made of, for the message: ``"a message"``.

    Raises:
        InvalidOption: it is none.
    """
    if not isinstance(value, str) or not _STREAM_ID.fullmatch(value):
        raise InvalidOption(f"{option} must be the id of {of}, or '0-0' to begin; got {shown(value)}")
    return value


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


def shown(value: Any) -> str:
    """Return a value as a message quotes it, cut when it is long."""
    quoted = ascii(value)
    return quoted if len(quoted) <= 80 else f"{quoted[:80]}…"


def _surrogates(value: Any) -> str:
    if isinstance(value, str) and not is_sendable(value):
        return " without lone surrogates, which UTF-8 cannot hold"
    return ""


def _added(hint: str) -> str:
    return f": {hint}" if hint else ""
