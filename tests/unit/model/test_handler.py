"""What a handler's declaration says of it."""

import functools
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

import pytest

from stockyard import HandlerError, Job
from stockyard.model.handler import Handler, reference

T = TypeVar("T")


@dataclass
class Order:
    symbol: str


class Row(TypedDict):
    symbol: str


async def typed(job: Job[Order]) -> None: ...
def plain(job: Job[Row]) -> None: ...
async def bare(job: Job) -> None: ...  # type: ignore[type-arg]
async def silent(job) -> None: ...  # type: ignore[no-untyped-def]
async def listed(job: Job[list[Order]]) -> None: ...
async def optional(job: Job[Order], extra: int = 0) -> None: ...


class Service(Generic[T]):
    async def __call__(self, job: Job[Order]) -> None: ...
    def method(self, job: Job[Row]) -> None: ...
    async def generic(self, job: Job[T]) -> None: ...


@pytest.mark.parametrize(
    ("function", "executor", "payload"),
    [
        (typed, "async", Order),
        (plain, "thread", Row),
        (bare, "async", Any),
        (silent, "async", Any),
        (listed, "async", list[Order]),
        (optional, "async", Order),
        (Service(), "async", Order),
        (Service().method, "thread", Row),
        (Service().generic, "async", Any),
        (functools.partial(typed), "async", Order),
        (lambda job: None, "thread", Any),
    ],
)
def test_executor_and_payload_are_read_from_the_function(function: Any, executor: str, payload: Any) -> None:
    handler = Handler.of(function)
    assert (handler.executor, handler.payload) == (executor, payload)


@pytest.mark.parametrize("function", [None, 5, "f", object(), lambda: None, lambda a, b: None])
def test_what_takes_no_job_is_no_handler(function: Any) -> None:
    with pytest.raises(HandlerError, match=r"must be a function of one job|must take one argument"):
        Handler.of(function)


def test_a_child_process_needs_a_name_to_import() -> None:
    assert reference(plain) == f"{__name__}:plain"
    unnamed: list[Any] = [lambda job: None, Service(), functools.partial(plain)]
    for function in unnamed:
        with pytest.raises(HandlerError, match="child process can import"):
            reference(function)
