"""Handlers that every executor must treat alike, as `def` and as `async def`, importable by child processes."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stockyard import Delay, Job, PayloadError, Requeue, UnrecoverableError


@dataclass
class Order:
    symbol: str
    quantity: int


@dataclass
class Ack:
    order: str


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NoText(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class Unpicklable(Exception):
    """One that cannot be rebuilt from its arguments either."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")
        self.handle = lambda: code


class Panic(BaseException):
    """As native extensions raise it."""


class CardRefused(UnrecoverableError):
    pass


class ServerError(Exception):
    """Named like one of Stockyard's own."""


class HalfMade(Delay):
    """A signal whose duration is missing."""

    def __init__(self) -> None:
        Exception.__init__(self, "half made")


seen: ContextVar[str] = ContextVar("seen", default="nothing")


def both(name: str, body: Callable[[Job[Any]], Any]) -> None:
    """Define `name_plain` and `name_async`, at the top of this module, with this body."""

    def plain(job: Job[Any]) -> Any:
        return body(job)

    async def asynchronous(job: Job[Any]) -> Any:
        return body(job)

    for suffix, function in (("plain", plain), ("async", asynchronous)):
        function.__qualname__ = function.__name__ = f"{name}_{suffix}"
        globals()[function.__name__] = function


def _raise(error: BaseException) -> Callable[[Job[Any]], Any]:
    def body(job: Job[Any]) -> Any:
        raise error

    return body


def _context(job: Job[Any]) -> str:
    before = seen.get()
    seen.set(job.id)
    return before


def _chained(job: Job[Any]) -> Any:
    try:
        raise Unprintable
    except Unprintable as error:
        raise ValueError("outer") from error


class _Later:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return "awaited"


async def _twice() -> Coroutine[Any, Any, str]:
    async def inner() -> str:
        return "awaited"

    return inner()


both("context", _context)
both("unprintable", _raise(Unprintable()))
both("no_text", _raise(NoText()))
both("unpicklable", _raise(Unpicklable(code=5)))
both("panic", _raise(Panic("index out of bounds")))
both("key_error", _raise(KeyError("nope")))
both("surrogate", _raise(ValueError("no such file: \udcff")))
both("unrecoverable", _raise(UnrecoverableError("card refused")))
both("refused", _raise(CardRefused("no funds")))
both("server_error", _raise(ServerError("theirs")))
both("payload_error", _raise(PayloadError("not ours")))
both("group", _raise(ExceptionGroup("several", [ValueError("a"), KeyError("b")])))
both("cancelled", _raise(asyncio.CancelledError()))
both("chained", _chained)
both("wrong_delay", _raise(Delay("soon")))
both("half_made", _raise(HalfMade()))
both("not_json", lambda job: object())
both("generator", lambda job: (number for number in range(3)))
both("awaitable", lambda job: _Later())
both("awaitable_twice", lambda job: _twice())
both("data", lambda job: [type(job.data).__name__, str(job.data)])


def _first_delayed(job: Job[Any]) -> int:
    if job.attempts_started == 1:
        raise Delay(timedelta(milliseconds=1))
    if job.attempts_started == 2:
        raise Requeue
    return job.attempts_started


both("moved", _first_delayed)


def order_plain(job: Job[Order]) -> Ack:
    assert isinstance(job.data, Order), job.data
    return Ack(f"{job.data.quantity} {job.data.symbol}")


async def order_async(job: Job[Order]) -> Ack:
    return order_plain(job)


def quantity_plain(order: Order) -> int:
    return order.quantity


async def quantity_async(order: Order) -> int:
    return order.quantity


def order_fails_plain(job: Job[Order]) -> None:
    raise UnrecoverableError("no")


async def order_fails_async(job: Job[Order]) -> None:
    raise UnrecoverableError("no")


def updates_plain(job: Job[Order]) -> None:
    job.sync.update_data({"symbol": "ETH", "quantity": 2})  # type: ignore[arg-type]


async def updates_async(job: Job[Order]) -> None:
    await job.update_data({"symbol": "ETH", "quantity": 2})  # type: ignore[arg-type]


def _traced(function: Callable[[Job[Any]], Any]) -> Callable[[Job[Any]], Any]:
    """Wrap as programs do who forget that a handler may be an `async def`."""

    @functools.wraps(function)
    def wrapper(job: Job[Any]) -> Any:
        seen.set("set by the wrapper")
        return function(job)

    return wrapper


@_traced
async def wrapped_plain(job: Job[Any]) -> str:
    await asyncio.sleep(0)
    return seen.get()


async def wrapped_async(job: Job[Any]) -> Any:
    return wrapped_plain(job)


def hang_plain(job: Job[Any]) -> None:
    import time

    time.sleep(job.data)


async def hang_async(job: Job[Any]) -> None:
    await asyncio.sleep(job.data)


@_traced
async def hang_wrapped_plain(job: Job[Any]) -> None:
    await asyncio.sleep(job.data)


def generates(job: Job[Any]) -> Any:
    yield 1


async def generates_async(job: Job[Any]) -> Any:
    yield 1


class Generates:
    def __call__(self, job: Job[Any]) -> Any:
        yield 1
