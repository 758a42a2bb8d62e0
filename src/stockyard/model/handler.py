"""A handler as declared: its function, where it runs, and what payload its annotation asks for."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from stockyard.errors import HandlerError
from stockyard.model.job import Job
from stockyard.model.payload import Decoder, decoder_for

Executor = Literal["async", "thread", "process"]
"""In the worker's loop, in a thread of its process, or in a child process that can be killed."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What runs a job.

    Attributes:
        function: takes the job; its result is stored.
        executor: where it runs.
        payload: the declared payload type, ``Any`` for plain values.
        decode: turns the stored JSON into that type.
    """

    function: Callable[[Job[Any]], Any]
    executor: Executor
    payload: Any
    decode: Decoder

    @classmethod
    def of(cls, function: Any, executor: Executor | None = None) -> Handler:
        """Read a handler's declaration.

        Args:
            function: an ``async def`` or ``def`` of one argument, or an object with such a ``__call__``.
            executor: defaults to ``"async"`` for an ``async def`` and ``"thread"`` for a plain ``def``.

        Raises:
            HandlerError: it is no callable of one argument, or the executor cannot run it.
        """
        if not callable(function):
            raise HandlerError(f"a handler must be a function of one job; got {function!r}")
        try:
            inspect.signature(function).bind(object())
        except TypeError as error:
            raise HandlerError(f"handler {_name(function)} must take one argument, the job: {error}") from None
        except ValueError:
            pass
        is_async = _is_async(function)
        chosen = executor or ("async" if is_async else "thread")
        if chosen not in get_args(Executor):
            raise HandlerError(f"executor must be 'async', 'thread' or 'process'; got {executor!r}")
        if chosen == "async" and not is_async:
            raise HandlerError(f"handler {_name(function)} is a plain def: use executor='thread' or 'process'")
        if chosen == "thread" and is_async:
            raise HandlerError(f"handler {_name(function)} is an async def: use executor='async' or 'process'")
        if chosen == "process":
            reference(function)
        payload = _payload_type(function)
        return cls(function, chosen, payload, decoder_for(payload))


def reference(function: Any) -> str:
    """Return ``module:qualname`` of a function that a child process can import.

    Raises:
        HandlerError: it is a lambda, a local function or an instance.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not name or "<" in name:
        raise HandlerError(
            f"executor='process' needs a handler that a child process can import: a function at the top of a "
            f"module; got {function!r}"
        )
    return f"{module}:{name}"


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )


def _payload_type(function: Any) -> Any:
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    try:
        hints = typing.get_type_hints(target)
    except (NameError, TypeError):
        return Any
    hints.pop("return", None)
    for hint in hints.values():
        if get_origin(hint) is Job:
            declared = get_args(hint)[0]
            return Any if isinstance(declared, typing.TypeVar) else declared
        break
    return Any
