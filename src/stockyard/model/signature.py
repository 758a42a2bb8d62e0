"""What a handler's signature says: whether it takes the job or its payload, of which type, and what it returns."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import operator
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from stockyard.errors import HandlerError
from stockyard.model.job import Job

_AWAITABLES = (collections.abc.Awaitable, collections.abc.Coroutine)
_LISTS = (list, collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable)
_EMPTY = inspect.Parameter.empty
_MOST_LAYERS = 100
"""Wrappers around one function; more is one that wraps itself."""


class Signature(msgspec.Struct, frozen=True):
    """What a handler declares.

    Attributes:
        payload: type of the payload; ``Any`` for plain values.
        takes_payload: the function is called with the payload instead of the job.
        result: type of the result; ``Any`` when it is not declared or cannot be resolved.

    A handler of batches is given a list of jobs, or of payloads, and returns one of results: these types are those
    of the items.
    """

    payload: Any
    takes_payload: bool
    result: Any


def signature_of(function: Any, *, is_batch: bool = False) -> Signature:
    """Read what a handler declares; only the annotation of its first parameter has to be resolvable.

    Args:
        function: the handler.
        is_batch: it is given a list. Defaults to False.

    Raises:
        HandlerError: that annotation cannot be resolved, or asks for what no handler gets.
    """
    payload, takes_payload = _payload_of(function, is_batch)
    result = _result_of(function)
    return Signature(payload, takes_payload, _item_result(result) if is_batch else result)


def name_of(function: Any) -> str:
    """Return a function's name for messages."""
    return getattr(function, "__qualname__", None) or repr(function)


def unwrapped(function: Any) -> Any:
    """Return the plain function or method behind ``functools.partial`` objects and callable instances."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.isroutine(function) or isinstance(function, type | types.MethodWrapperType):
            return function
        elif callable(function):
            function = function.__call__
        else:
            return function


def _payload_of(function: Any, is_batch: bool) -> tuple[Any, bool]:
    name: str | None = None
    for layer in _layers(function):
        parameter = _first_parameter(layer)
        if parameter is None:
            return Any, False
        is_named = parameter.kind is not inspect.Parameter.VAR_POSITIONAL
        if parameter.annotation is not _EMPTY:
            declared = _resolved(parameter.annotation, layer, function, parameter.name)
            if is_batch:
                declared = _item(declared, function)
            payload, takes_payload = _read(declared, function)
            if takes_payload and name not in (None, parameter.name):
                raise HandlerError(
                    f"handler {name_of(function)}: its parameter {name!r} has no annotation, and the function "
                    f"that it wraps takes a {_shown(declared)} as {parameter.name!r}: annotate {name!r} with "
                    f"Job[{_shown(declared)}] or {_shown(declared)}"
                )
            return payload, takes_payload
        if is_named and name is None:
            name = parameter.name
    return Any, False


def _layers(function: Any) -> Iterator[Any]:
    """Yield the function, then what each ``functools.wraps`` in it wraps."""
    layer: Any = function
    for _ in range(_MOST_LAYERS):
        yield layer
        layer = _wrapped_by(layer)
        if layer is None:
            return


def _wrapped_by(function: Any) -> Any:
    """Return what a function wraps, with the arguments that are bound already; None if it wraps nothing."""
    if isinstance(function, functools.partial):
        inner = _wrapped_by(function.func)
        return None if inner is None else functools.partial(inner, *function.args, **function.keywords)
    plain = unwrapped(function)
    inner = getattr(plain, "__wrapped__", None)
    if inspect.ismethod(plain) and inspect.isfunction(inner):
        return inner.__get__(plain.__self__)
    return inner


def _first_parameter(function: Any) -> inspect.Parameter | None:
    """Return the parameter that gets the job; without an annotation if that was copied by ``functools.wraps``."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return None
    for parameter in signature.parameters.values():
        if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
            return None
        plain = _plain_function(function)
        inner = getattr(plain, "__wrapped__", None)
        copied = inner is not None and getattr(plain, "__annotations__", None) is getattr(
            _plain_function(inner), "__annotations__", None
        )
        return parameter.replace(annotation=_EMPTY) if copied else parameter
    return None


def _plain_function(function: Any) -> Any:
    return getattr(unwrapped(function), "__func__", unwrapped(function))


def _resolved(annotation: Any, layer: Any, function: Any, parameter: str) -> Any:
    plain = _plain_function(layer)
    holder = types.SimpleNamespace(__annotations__={"first": annotation})
    names = {each.__name__: each for each in getattr(plain, "__type_params__", ())}
    try:
        return typing.get_type_hints(holder, getattr(plain, "__globals__", {}), names, include_extras=True)[
            "first"
        ]
    except Exception as error:
        shown = annotation if isinstance(annotation, str) else _shown(annotation)
        raise HandlerError(
            f"handler {name_of(function)}: the annotation {shown!r} of {parameter!r} cannot be resolved "
            f"({type(error).__name__}: {error}), so its payload would go unchecked. Import the name at run time, "
            "not under TYPE_CHECKING, and define the type at the top of its module"
        ) from error


def _item(declared: Any, function: Any) -> Any:
    """Return what a handler of batches declares for each item of its list."""
    plain = _expanded(declared)
    if plain in (Any, object, *_LISTS):
        return Any
    if get_origin(plain) not in _LISTS:
        raise HandlerError(
            f"handler {name_of(function)} has batch= and asks for a {_shown(declared)}: it is given a list. "
            "Annotate its first parameter with list[Job[...]] of the payload's type, or list[...] of that type"
        )
    return get_args(plain)[0] if get_args(plain) else Any


def _item_result(declared: Any) -> Any:
    """Return what a handler of batches declares for each result; exceptions stand for results that are none."""
    lists = [kind for kind in _members(declared) if kind is not type(None)]
    if len(lists) != 1 or get_origin(_expanded(lists[0])) not in _LISTS:
        return Any
    (items, *_) = get_args(_expanded(lists[0])) or (Any,)
    results = [kind for kind in _members(items) if not _is_subclass(kind, BaseException)]
    return functools.reduce(operator.or_, results) if results else Any


def _members(declared: Any) -> tuple[Any, ...]:
    plain = _expanded(declared)
    return get_args(plain) if get_origin(plain) in (Union, types.UnionType) else (declared,)


def _read(declared: Any, function: Any) -> tuple[Any, bool]:
    """Return the payload type that an annotation asks for, and whether it stands for the payload itself."""
    given, declared = declared, _expanded(declared)
    if declared in (Any, object, Job):
        return Any, False
    if get_origin(declared) is Job:
        return _bound(get_args(declared)[0]), False
    if _is_subclass(get_origin(declared) or declared, Job):
        raise _no_job_of_that_kind(function, declared)
    if isinstance(declared, typing.TypeVar):
        bound = _bound(declared)
        return (Any, False) if bound is Any else _read(bound, function)
    if get_origin(declared) in (Union, types.UnionType):
        return _read_union(declared, function)
    if _mentions_job(declared):
        raise _no_job_of_that_kind(function, declared)
    # The constraints of an `Annotated` are a part of the type; the name of an alias is none.
    return (given if get_origin(given) is Annotated else declared), True


def _read_union(declared: Any, function: Any) -> tuple[Any, bool]:
    members = get_args(declared)
    jobs = [member for member in members if _mentions_job(_expanded(member))]
    if not jobs:
        return declared, True
    rest = [member for member in members if member not in jobs and member is not type(None)]
    if rest:
        raise _no_job_of_that_kind(function, declared)
    payloads = [_read(each, function)[0] for each in jobs]
    return (Any if Any in payloads else functools.reduce(operator.or_, payloads)), False


def _expanded(declared: Any) -> Any:
    """Return what an alias (``type OrderJob = Job[Order]``) or an ``Annotated`` stands for."""
    while True:
        origin = get_origin(declared)
        if origin is Annotated:
            declared = get_args(declared)[0]
        elif hasattr(declared, "__value__"):
            declared = declared.__value__
        elif hasattr(origin, "__value__"):
            declared = origin.__value__[get_args(declared)]
        else:
            return declared


def _mentions_job(declared: Any) -> bool:
    return _is_subclass(get_origin(declared) or declared, Job) or any(map(_mentions_job, get_args(declared)))


def _is_subclass(declared: Any, of: type) -> bool:
    return isinstance(declared, type) and issubclass(declared, of)


def _bound(declared: Any) -> Any:
    if not isinstance(declared, typing.TypeVar):
        return declared
    if declared.__constraints__:
        return functools.reduce(operator.or_, declared.__constraints__)
    return Any if declared.__bound__ is None else declared.__bound__


def _result_of(function: Any) -> Any:
    """Return the declared type of the result; what cannot be resolved counts as not declared."""
    *_, inner = _layers(function)
    plain = _plain_function(inner)
    annotation = getattr(plain, "__annotations__", {}).get("return", Any)
    try:
        names = {each.__name__: each for each in getattr(plain, "__type_params__", ())}
        holder = types.SimpleNamespace(__annotations__={"return": annotation})
        declared = typing.get_type_hints(holder, getattr(plain, "__globals__", {}), names, include_extras=True)[
            "return"
        ]
    except Exception:
        return Any
    if get_origin(_expanded(declared)) in _AWAITABLES:
        declared = get_args(_expanded(declared))[-1]
    plain_type = _expanded(declared)
    if isinstance(plain_type, typing.TypeVar) or plain_type in (Any, object):
        return Any
    # The constraints of an `Annotated` are a part of the type; the name of an alias is none.
    return declared if get_origin(declared) is Annotated else plain_type


def _shown(declared: Any) -> str:
    name = getattr(declared, "__name__", None)
    return name if isinstance(declared, type) and name and not get_args(declared) else repr(declared)


def _no_job_of_that_kind(function: Any, declared: Any) -> HandlerError:
    return HandlerError(
        f"handler {name_of(function)} asks for a {_shown(declared)}, and is given a Job: annotate its first "
        "parameter with Job[...] of the payload's type, or with that type itself; with batch= it is given a list"
    )
