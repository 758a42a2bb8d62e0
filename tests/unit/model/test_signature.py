"""What a handler's signature asks for: resolved as it is written, or refused; never passed over."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
import pytest

from stockyard import HandlerError, Job, PayloadError
from stockyard.model.handler import Handler
from stockyard.model.signature import signature_of

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


class Order(msgspec.Struct, tag=True):
    quantity: int


class Refund(msgspec.Struct, tag=True):
    amount: int


B = TypeVar("B", bound=Order)
OrderJob = Job[Order]
Anything: Any = Any


class OwnJob(Job[Order]):
    """A job of one's own, which no worker makes."""


async def job_form(job: Job[Order]) -> None: ...
async def payload_form(order: Order) -> None: ...
async def unresolved_result(job: Job[Order]) -> Decimal: ...  # type: ignore[empty-body]
async def unresolved_rest(job: Job[Order], at: Decimal | None = None) -> None: ...
async def optional(job: Job[Order] | None) -> None: ...
async def either(job: Job[Order] | Job[Refund]) -> None: ...
async def either_payload(order: Order | Refund) -> None: ...
async def annotated(job: Annotated[Job[Order], "note"]) -> None: ...
async def aliased(job: OrderJob) -> None: ...
async def bound(job: Job[B]) -> None: ...
async def quoted(job: Job["Order"]) -> None: ...  # noqa: UP037
async def many(orders: list[Order]) -> None: ...
async def mapping(order: dict[str, int]) -> None: ...
async def anything(job: Any) -> None: ...
async def bare(job: Job) -> None: ...  # type: ignore[type-arg]
async def silent(job) -> None: ...  # type: ignore[no-untyped-def]
async def jitter(*jobs: Job[Order]) -> None: ...
async def after_another(client: str, job: Job[Order]) -> None: ...


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(*args: Any, **options: Any) -> Any:
        return await function(*args, **options)

    return inner


def connected(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(job: Any) -> Any:
        return await function(job, "connection")

    return inner


@passing
async def wrapped(job: Job[Order]) -> None: ...
@passing
@passing
async def wrapped_twice(order: Order) -> None: ...
@connected
async def given_more(job: Job[Order], connection: str) -> None: ...


class Service(Generic[T]):
    async def __call__(self, job: Job[Order]) -> None: ...
    async def method(self, job: Job[Order]) -> None: ...
    async def payload(self, order: Order) -> None: ...
    async def generic(self, job: Job[T]) -> None: ...

    @passing
    async def wrapped(self, job: Job[Order]) -> None: ...

    @classmethod
    async def of_class(cls, job: Job[Order]) -> None: ...

    @staticmethod
    async def static(job: Job[Order]) -> None: ...


service: Service[Any] = Service()


@pytest.mark.parametrize(
    ("function", "payload"),
    [
        (job_form, Order),
        (unresolved_result, Order),
        (unresolved_rest, Order),
        (optional, Order),
        (either, Order | Refund),
        (annotated, Order),
        (aliased, Order),
        (bound, Order),
        (quoted, Order),
        (jitter, Order),
        (wrapped, Order),
        (given_more, Order),
        (service, Order),
        (service.method, Order),
        (service.wrapped, Order),
        (Service.of_class, Order),
        (service.static, Order),
        (functools.partial(job_form), Order),
        (functools.partial(after_another, "client"), Order),
        (functools.partial(service), Order),
        (functools.partial(passing(after_another), "client"), Order),
        (anything, Any),
        (bare, Any),
        (silent, Any),
        (service.generic, Any),
    ],
)
def test_a_handler_that_is_given_its_job(function: Any, payload: Any) -> None:
    handler = Handler.of(function)
    assert (handler.payload, handler.takes_payload, handler.executor) == (payload, False, "async")


@pytest.mark.parametrize(
    ("function", "payload"),
    [
        (payload_form, Order),
        (either_payload, Order | Refund),
        (many, list[Order]),
        (mapping, dict[str, int]),
        (wrapped_twice, Order),
        (service.payload, Order),
    ],
)
def test_a_handler_that_is_given_its_payload(function: Any, payload: Any) -> None:
    handler = Handler.of(function)
    assert (handler.payload, handler.takes_payload) == (payload, True)


async def only_for_checkers(job: Job[Decimal]) -> None: ...
async def misspelt(job: Job[Oder]) -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def misspelt_payload(order: Oder) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def local() -> Any:
    class Local(msgspec.Struct):
        n: int

    async def of_a_local_class(job: Job[Local]) -> None: ...

    return of_a_local_class


@pytest.mark.parametrize("function", [only_for_checkers, misspelt, misspelt_payload, local(), passing(misspelt)])
def test_a_name_that_cannot_be_resolved_is_refused_where_it_is_declared(function: Any) -> None:
    with pytest.raises(HandlerError, match=r"cannot be resolved \(NameError: name '\w+' is not defined\)"):
        Handler.of(function)


async def own_job(job: OwnJob) -> None: ...
async def several_jobs(jobs: list[Job[Order]]) -> None: ...
async def mixed(job: Job[Order] | Order) -> None: ...


def renamed(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def inner(task):  # type: ignore[no-untyped-def]
        return await function(task.data)

    return inner


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (own_job, "asks for a OwnJob, and is given a Job"),
        (several_jobs, "and is given a Job"),
        (mixed, "and is given a Job"),
        (renamed(payload_form), "its parameter 'task' has no annotation"),
        (Order, "must be a function of one job"),
    ],
)
def test_what_no_handler_gets_is_refused(function: Any, reason: str) -> None:
    with pytest.raises(HandlerError, match=reason):
        Handler.of(function)


def plain_result(job: Any) -> list[Order]: ...  # type: ignore[empty-body]
def awaitable_result(job: Any) -> Awaitable[Order]: ...  # type: ignore[empty-body]
async def generic_result(job: Job[T]) -> T: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (plain_result, list[Order]),
        (awaitable_result, Order),
        (passing(plain_result), list[Order]),
        (job_form, type(None)),
        (generic_result, Any),
        (unresolved_result, Any),
        (silent, type(None)),
        (lambda job: 1, Any),
    ],
)
def test_the_declared_result_is_read_where_it_can_be(function: Any, result: Any) -> None:
    assert signature_of(function).result == result


Several = Annotated[int, msgspec.Meta(gt=3)]


async def constrained_job(job: Job[Several]) -> None: ...
async def constrained_payload(number: Several) -> None: ...
async def constrained_parts(job: Job[list[Several]]) -> None: ...


@pytest.mark.parametrize(
    ("function", "fits", "misfit"),
    [
        (constrained_job, b"4", b"3"),
        (constrained_payload, b"4", b"3"),
        (constrained_parts, b"[4]", b"[4,3]"),
    ],
)
def test_constraints_of_a_payload_are_checked(function: Any, fits: bytes, misfit: bytes) -> None:
    handler = Handler.of(function)
    assert handler.decode(fits) in (4, [4])
    with pytest.raises(PayloadError, match="Expected `int` >= 4"):
        handler.decode(misfit)


async def constrained_result(job: Job[Any]) -> Several:
    return 4


def test_constraints_of_a_result_are_checked_when_it_is_read() -> None:
    decode = Handler.of(constrained_result).decode_result
    assert decode is not None
    assert decode(b"4") == 4
    with pytest.raises(PayloadError, match="Expected `int` >= 4"):
        decode(b"3")


class Unresolved(msgspec.Struct):
    """Its field is imported for type checkers alone."""

    amount: Decimal


async def takes_unresolved(job: Job[Unresolved]) -> None: ...
async def returns_unresolved(job: Job[Any]) -> Unresolved:
    return Unresolved(None)  # type: ignore[arg-type]


def test_a_payload_type_with_a_field_that_cannot_be_resolved_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"one of its fields cannot be resolved.*'Decimal' is not defined"):
        Handler.of(takes_unresolved)


def test_a_result_type_that_cannot_be_resolved_is_read_plain() -> None:
    assert Handler.of(returns_unresolved).decode_result is None


async def jobs_batch(jobs: list[Job[Order]]) -> list[int | Exception]: ...  # type: ignore[empty-body]
async def payloads_batch(orders: Sequence[Order]) -> list[Order] | None: ...
async def bare_batch(jobs: list) -> list: ...  # type: ignore[type-arg,empty-body]
async def silent_batch(jobs): ...  # type: ignore[no-untyped-def]
async def constrained_batch(numbers: list[Several]) -> list[Several | BaseException]: ...  # type: ignore[empty-body]
async def plain_batch(jobs: list[Job]) -> dict[str, int]: ...  # type: ignore[type-arg,empty-body]
async def failing_batch(jobs: Iterable[Job[Order]]) -> list[Exception]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "payload", "takes_payload", "result"),
    [
        (jobs_batch, Order, False, int),
        (payloads_batch, Order, True, Order),
        (bare_batch, Any, False, Any),
        (silent_batch, Any, False, Any),
        (constrained_batch, Several, True, Several),
        (plain_batch, Any, False, Any),
        (failing_batch, Order, False, Any),
        (passing(jobs_batch), Order, False, int),
    ],
)
def test_a_handler_of_batches_declares_the_items_of_its_lists(
    function: Any, payload: Any, takes_payload: bool, result: Any
) -> None:
    handler = Handler.of(function, batch=10)
    assert (handler.payload, handler.takes_payload, handler.result) == (payload, takes_payload, result)
    assert (handler.batch, handler.wait_ms) == (10, 50)


@pytest.mark.parametrize("function", [job_form, payload_form, own_job])
def test_a_handler_of_batches_that_takes_no_list_is_refused(function: Any) -> None:
    with pytest.raises(HandlerError, match="has batch= and asks for a"):
        Handler.of(function, batch=10)
