"""Names the answers of a function by its name and its arguments, so that different calls have different names."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import inspect
import json
import types
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from stockyard.errors import InvalidOption

_TEXTS = (Decimal, uuid.UUID, dt.datetime, dt.date, dt.time, PurePath)
_ADVICE = "say key=lambda …: … to name its answers"


class DefaultKeys:
    """The default keys of one cache's functions; two functions that would share their answers are refused."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}

    def of(self, function: Callable[..., Any]) -> Callable[..., str]:
        """Return what names the answers of a function.

        Raises:
            InvalidOption: it has no name of its own, or one like it was given before.
        """
        name = qualified_name(function)
        if name is None or "<lambda>" in name:
            raise InvalidOption(f"{function!r} has no name of its own: {_ADVICE}")
        known = self._functions.get(name)
        if known is not None and "<locals>" in name and not _is_same(known, function):
            raise InvalidOption(
                f"two functions of this cache are called {name}, with other code or other variables around them: "
                f"each must name its answers; {_ADVICE}"
            )
        self._functions[name] = function
        return default_key(function, name)


def default_key(function: Callable[..., Any], name: str) -> Callable[..., str]:
    """Return what names answers by a function's name and all of its arguments.

    Arguments differ by type as well as by value: 1, True, 1.0, "1" and Decimal(1) are five keys, and equal
    fields of two classes or equal values of two enums are two. Equal sets and equal dicts are one key; so are
    calls that differ in the order of keywords, or in whether a default is written out.
    """
    signature = inspect.signature(function)

    def key(*args: Any, **kwargs: Any) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            return f"{name}({','.join(f'{each}={canonical(value)}' for each, value in bound.arguments.items())})"
        except RecursionError as error:
            raise InvalidOption(f"the arguments of {name} are nested too deep; {_ADVICE}") from error
        except _Nameless as error:
            raise InvalidOption(f"the arguments of {name} have no name: {error}; {_ADVICE}") from error

    return key


class _Nameless(Exception):
    """Nothing distinguishes the value from others."""


def canonical(value: Any) -> str:
    """Return a text that equal values of one type share, and no others; raises _Nameless where there is none."""
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return repr(value)
    if kind is str:
        return json.dumps(value)
    if kind is float:
        # Told from an int by its point or exponent.
        return repr(value)
    if isinstance(value, enum.Enum):
        return f"{_kind(value)}.{value.name or value.value!r}"
    if kind in (list, tuple):
        parts = ",".join(map(canonical, value))
        return f"[{parts}]" if kind is list else f"({parts},)"
    if kind in (set, frozenset):
        return f"{kind.__name__}{{{','.join(sorted(map(canonical, value)))}}}"
    if kind is dict:
        return f"{{{','.join(sorted(f'{canonical(key)}:{canonical(item)}' for key, item in value.items()))}}}"
    if kind in (bytes, bytearray):
        return f"{kind.__name__}:{value.hex()}"
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return f"<{_named(value)}>"
    if isinstance(value, types.MethodType):
        return f"<{_named(value.__func__)} of {canonical(value.__self__)}>"
    if isinstance(value, dt.timedelta):
        return f"{_kind(value)}({value.days},{value.seconds},{value.microseconds})"
    if isinstance(value, dt.datetime | dt.time):
        return f"{_kind(value)}({json.dumps(f'{value.isoformat()} {value.fold} {value.tzinfo!r}')})"
    if isinstance(value, _TEXTS):
        return f"{_kind(value)}({json.dumps(str(value))})"
    return f"{_kind(value)}({','.join(f'{name}={canonical(item)}' for name, item in _fields(value))})"


def qualified_name(thing: Any) -> str | None:
    """Return the module and name of a function or class, or None."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    return f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else None


def _kind(value: Any) -> str:
    return _named(type(value))


def _named(thing: Any) -> str:
    name = qualified_name(thing)
    if name is None or "<lambda>" in name:
        raise _Nameless(f"{thing!r} has no name of its own")
    if getattr(thing, "__closure__", None):
        raise _Nameless(f"{name} depends on the variables around it")
    return name


def _fields(value: Any) -> list[tuple[str, Any]]:
    """Return what an object with declared fields is made of."""
    kind = type(value)
    names: Any = None
    if dataclasses.is_dataclass(kind):
        names = [each.name for each in dataclasses.fields(kind)]
    elif hasattr(kind, "__struct_fields__"):
        names = kind.__struct_fields__
    elif hasattr(kind, "model_fields"):
        beside = [(name, getattr(value, name, None)) for name in ("__pydantic_extra__", "__pydantic_private__")]
        return [(name, getattr(value, name)) for name in kind.model_fields] + [each for each in beside if each[1]]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attr.name for attr in kind.__attrs_attrs__]
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        names = kind._fields
    else:
        plain: type[Any]
        for plain in (str, int, float, list, tuple, dict):
            if isinstance(value, plain) and not getattr(value, "__dict__", None):
                return [("value", plain(value))]
        raise _Nameless(f"a {kind.__qualname__} has no fields that distinguish it from others")
    missing = [name for name in names if not hasattr(value, name)]
    if missing:
        raise _Nameless(f"a {kind.__qualname__} lacks its field {missing[0]!r}")
    return [(name, getattr(value, name)) for name in names]


def _is_same(one: Any, other: Any) -> bool:
    one, other = inspect.unwrap(one), inspect.unwrap(other)
    if one is other:
        return True
    if getattr(one, "__code__", one) != getattr(other, "__code__", other):
        return False
    if getattr(one, "__defaults__", None) != getattr(other, "__defaults__", None):
        return False
    around, around_other = ([_inside(cell) for cell in each.__closure__ or ()] for each in (one, other))
    return all(a is b for a, b in zip(around, around_other, strict=True))


def _inside(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # A variable that has no value yet.
        return cell
