"""A job that the declared handlers of its queue could not run is refused where it is added, unless told not to."""

from collections.abc import AsyncIterator
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from stockyard import Flow, HandlerError, Job, PayloadError
from tests.support.yard import Yard


class Order(msgspec.Struct):
    symbol: str
    quantity: int = 1


class Refund(pydantic.BaseModel):
    amount: int


class Row(TypedDict):
    symbol: str


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as made:
        made.queue("plain")
        spec = made.topology.queue("q")

        @spec.handler
        async def place(job: Job[Order]) -> None: ...

        @spec.handler
        async def refund(refund: Refund) -> None: ...

        @spec.handler
        async def note(row: Row) -> None: ...

        @spec.handler
        async def anything(job: Job[Any]) -> None: ...

        yield made


FITTING: list[tuple[str, Any]] = [
    ("place", Order("BTC")),
    ("place", {"symbol": "BTC", "quantity": 2}),
    ("refund", Refund(amount=3)),
    ("refund", {"amount": 3}),
    ("note", {"symbol": "BTC"}),
    ("anything", [1, None]),
]
UNFIT: list[tuple[str, Any, type[Exception], str]] = [
    ("plce", Order("BTC"), HandlerError, "no handler for job name 'plce'; did you mean 'place'"),
    (
        "place",
        {"symbol": 7},
        PayloadError,
        r"job 'place' of queue 'q' would fail: payload does not fit Order.*symbol",
    ),
    ("place", [1], PayloadError, "does not fit Order"),
    ("place", Refund(amount=3), PayloadError, "missing required field `symbol`"),
    ("refund", {"amount": "much"}, PayloadError, "does not fit Refund: amount"),
    ("note", {}, PayloadError, "does not fit Row"),
]


async def added(yard: Yard, how: str, name: str, data: Any, **switch: Any) -> None:
    queue = yard.queue()
    match how:
        case "add":
            await queue.add(name, data, **switch)
        case "add_many":
            await queue.add_many([("anything",), (name, data)], **switch)
        case "flow":
            await yard.app.flows.add(Flow("root", "plain", children=[Flow(name, "q", data)]), **switch)
        case "flows":
            await yard.app.flows.add_many([Flow("root", "plain"), Flow(name, "q", data)], **switch)
        case "schedule":
            await yard.app.schedules("q").upsert("s", every="1h", name=name, data=data, **switch)


WAYS = ["add", "add_many", "flow", "flows", "schedule"]


async def counted(yard: Yard) -> tuple[int, int]:
    return await yard.queue().count(), await yard.queue("plain").count()


@pytest.mark.parametrize("how", WAYS)
async def test_what_fits_is_added(yard: Yard, how: str) -> None:
    for name, data in FITTING:
        await added(yard, how, name, data)


@pytest.mark.parametrize("how", WAYS)
async def test_what_does_not_is_refused_and_nothing_is_written(yard: Yard, how: str) -> None:
    for name, data, error, said in UNFIT:
        with pytest.raises(error, match=said):
            await added(yard, how, name, data)
    assert await counted(yard) == (0, 0)


@pytest.mark.parametrize("how", WAYS)
async def test_a_producer_that_knows_more_adds_it(yard: Yard, how: str) -> None:
    for name, data, *_ in UNFIT:
        await added(yard, how, name, data, check=False)
    assert (await counted(yard))[0] > 0


@pytest.mark.parametrize("how", WAYS)
async def test_a_queue_may_leave_it_to_others(redis_url: str, prefix: str, how: str) -> None:
    async with Yard(redis_url, prefix) as yard:
        yard.queue("plain")
        spec = yard.topology.queue("q", check=False)

        @spec.handler
        async def place(job: Job[Order]) -> None: ...

        await added(yard, how, "other", [1])
        with pytest.raises(HandlerError, match="no handler for job name"):
            await added(yard, how, "other", [1], check=True)


async def test_a_queue_without_declared_handlers_takes_all(yard: Yard) -> None:
    await yard.queue("plain").add("whatever", [1])
