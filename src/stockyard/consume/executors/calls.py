"""What a job in a child process may ask of its parent: methods of its port, whose arguments and results travel."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from stockyard.consume.executors.frames import Answer, Call
from stockyard.errors import StockyardError
from stockyard.model.job import Job, JobPort
from stockyard.model.payload import encode_payload

_ASKED_BY = {"get_job": "refresh"}


def call_of(method: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Call:
    """Return the frame that asks for this call.

    Raises:
        StockyardError: the method is not there in a child process.
        PayloadError: an argument is not JSON-able.
    """
    if method not in _RESULTS:
        raise StockyardError(
            f"job.{_ASKED_BY.get(method, method)}() is not there in a child process, which has no connection to "
            "the server: open the queue in the handler, and get the job from it"
        )
    given = [[_plain(arg) for arg in args], {name: _plain(value) for name, value in options.items()}]
    return Call(method, encode_payload(given, what=f"an argument of job.{method}()"))


def result_of(method: str, answer: Answer) -> Any:
    """Return what the method returned on the other side."""
    return _RESULTS[method].decode(answer.result)


async def perform(call: Call, port: JobPort) -> Answer:
    """Do what a child asks for, and return what to answer; raises what the port raises."""
    if call.method not in _RESULTS:
        raise StockyardError(f"a child process asked for {call.method!r}, which is no method for it")
    args, options = msgspec.json.decode(call.given)
    return Answer(msgspec.json.encode(await getattr(port, call.method)(*args, **options)))


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _has_job(hint: Any) -> bool:
    return Job in (hint, get_origin(hint)) or any(_has_job(arg) for arg in get_args(hint))


def _results() -> dict[str, msgspec.json.Decoder[Any]]:
    hints: dict[str, Any] = {}
    for name, method in inspect.getmembers(JobPort, inspect.isfunction):
        returned = get_type_hints(method).get("return")
        if inspect.iscoroutinefunction(method):
            hints[name] = returned
        elif get_origin(returned) is Awaitable:
            (hints[name],) = get_args(returned)
    # A job is tied to the connection of its process, and waiting for its own result a job would wait for ever.
    return {
        name: msgspec.json.Decoder(hint)
        for name, hint in hints.items()
        if not _has_job(hint) and name != "wait_for_result"
    }


_RESULTS = _results()
