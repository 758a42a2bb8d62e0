"""A handler as declared: its function, where it runs, and what payload its annotation asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, get_args

import msgspec

from stockyard.errors import HandlerError, InvalidOption, PayloadError
from stockyard.model import checks
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.job import Job
from stockyard.model.payload import Decoder, decoder_for
from stockyard.model.retry_rule import RetryRule
from stockyard.model.signature import name_of, signature_of, unwrapped

Executor = Literal["async", "thread", "process"]
"""In the worker's loop, in a thread of its process, or in a child process that can be killed."""

LARGEST_BATCH = 10_000
_BATCH_WAIT: Duration = "50ms"


class Handler(msgspec.Struct, frozen=True):
    """What runs a job.

    Attributes:
        function: takes the job, or its payload; its result is stored.
        executor: where it runs.
        payload: the declared payload type, ``Any`` for plain values.
        decode: turns the stored JSON into that type.
        takes_payload: the function is given ``job.data`` instead of the job. Defaults to False.
        result: the declared type of its result, ``Any`` when there is none.
        decode_result: turns a stored result into that type, or None when there is none.
        retries: which exceptions are retried; None is all.
        batch: jobs of one call at most; the function is given a list of them. 0 calls it for each job.
        wait_ms: how long the first job of a batch waits for others.
    """

    function: Callable[[Any], Any]
    executor: Executor
    payload: Any
    decode: Decoder
    takes_payload: bool = False
    result: Any = Any
    decode_result: Decoder | None = None
    retries: RetryRule | None = None
    batch: int = 0
    wait_ms: int = 0

    @classmethod
    def of(
        cls,
        function: Any,
        executor: Executor | None = None,
        retries: RetryRule | None = None,
        *,
        batch: int | None = None,
        wait: Duration | None = None,
    ) -> Handler:
        """Read a handler's declaration.

        Args:
            function: an ``async def`` or ``def`` of one argument, or an object with such a ``__call__``. Annotated
                with ``Job[Order]`` or not at all it is given the job; with another type, such as ``Order``, the
                payload.
            retries: which exceptions are retried. Defaults to all.
            executor: defaults to ``"async"`` for an ``async def`` and ``"thread"`` for a plain ``def``.
            batch: jobs of one call at most; the function is given a list, ``list[Job[Order]]`` or ``list[Order]``.
                Defaults to a call for each job.
            wait: how long the first job of a batch waits for others. Defaults to 50 ms.

        Raises:
            HandlerError: it is no callable of one argument, its annotation cannot be resolved, or the executor
                cannot run it.
            InvalidOption: there is no such executor, or ``batch`` or ``wait`` is out of its range.
            PayloadError: the declared payload type cannot be read from JSON.
        """
        if not callable(function) or isinstance(function, type):
            raise HandlerError(f"a handler must be a function of one job; got {function!r}")
        try:
            inspect.signature(function, follow_wrapped=False).bind(object())
        except TypeError as error:
            raise HandlerError(f"handler {name_of(function)} must take one argument, the job: {error}") from None
        except ValueError:
            pass
        if _is_generator(function):
            raise HandlerError(
                f"handler {name_of(function)} is a generator: a job has one result, so use `return`, not `yield`"
            )
        if executor is not None:
            checks.one_of("executor", executor, get_args(Executor))
        is_async = _is_async(function)
        chosen = executor if executor is not None else "async" if is_async else "thread"
        if chosen == "async" and not is_async:
            raise HandlerError(f"handler {name_of(function)} is a plain def: use executor='thread' or 'process'")
        if chosen == "thread" and is_async:
            raise HandlerError(f"handler {name_of(function)} is an async def: use executor='async' or 'process'")
        size, wait_ms = _batching(function, chosen, batch, wait)
        if chosen == "process":
            reference(function)
        declared = signature_of(function, is_batch=size > 0)
        return cls(
            function,
            chosen,
            declared.payload,
            decoder_for(declared.payload),
            declared.takes_payload,
            declared.result,
            _result_decoder(declared.result),
            retries,
            size,
            wait_ms,
        )

    def argument(self, job: Job[Any]) -> Any:
        """Return what the function is called with, of a job whose payload is decoded."""
        return job.data if self.takes_payload else job


def _batching(function: Any, executor: Executor, batch: Any, wait: Any) -> tuple[int, int]:
    """Return how many jobs a call has at most, and how long the first waits in ms; 0 and 0 for one job a call."""
    if batch is None:
        if wait is not None:
            raise InvalidOption("wait is how long the first job of a batch waits for others: give batch=, too")
        return 0, 0
    size = checks.whole("batch", batch, least=1, most=LARGEST_BATCH)
    if executor == "process":
        raise HandlerError(
            f"handler {name_of(function)} has batch={size} and executor='process': a child process is given one "
            "job at a time. Make it an `async def`, or a plain `def`, which runs in a thread"
        )
    return size, milliseconds(_BATCH_WAIT if wait is None else wait, option="wait")


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


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(unwrapped(function))


def _is_generator(function: Any) -> bool:
    target = unwrapped(function)
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def _result_decoder(result: Any) -> Decoder | None:
    try:
        return None if result is Any else decoder_for(result)
    except PayloadError:
        # A result is stored as JSON whatever is declared: what cannot be read back as its type is read plain.
        return None
