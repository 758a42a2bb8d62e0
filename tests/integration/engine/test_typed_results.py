"""Results are read as what the declared handler returns."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest

from stockyard import Job, PayloadError
from tests.support.yard import Yard

if TYPE_CHECKING:
    from fractions import Fraction


class Receipt(msgspec.Struct):
    price: Decimal
    at: datetime


@dataclass
class Position:
    size: int


class Report(pydantic.BaseModel):
    lines: list[str]


PLAIN: Any = Any
NEW_YORK = ZoneInfo("America/New_York")
RESULTS: dict[str, Any] = {
    "receipt": Receipt(Decimal("1.50"), datetime(2030, 1, 1, tzinfo=UTC)),
    "positions": [Position(1), Position(2)],
    "report": Report(lines=["a"]),
    "nothing": None,
    "plain": {"n": 1},
    "unresolved": "1/2",
}


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as made:
        spec = made.topology.queue("q")

        @spec.handler
        async def receipt(job: Job[Any]) -> Receipt:
            return RESULTS["receipt"]  # type: ignore[no-any-return]

        @spec.handler
        def positions(job: Job[Any]) -> list[Position]:
            return RESULTS["positions"]  # type: ignore[no-any-return]

        @spec.handler
        async def report(job: Job[Any]) -> Report:
            return RESULTS["report"]  # type: ignore[no-any-return]

        @spec.handler
        async def nothing(job: Job[Any]) -> None: ...

        @spec.handler
        async def plain(job: Job[Any]) -> Any:
            return RESULTS["plain"]

        @spec.handler
        async def unresolved(job: Job[Any]) -> "Fraction":
            return RESULTS["unresolved"]  # type: ignore[no-any-return]

        @spec.handler
        async def wrong(job: Job[Any]) -> Receipt:
            return {"price": "much"}  # type: ignore[return-value]

        yield made


@pytest.mark.parametrize("name", RESULTS)
async def test_a_result_has_the_handler_s_return_type(yard: Yard, name: str) -> None:
    await yard.work()
    result = await (await yard.queue().add(name)).wait_for_result(25)
    assert (result, type(result)) == (RESULTS[name], type(RESULTS[name]))


async def test_a_reader_may_name_the_type(yard: Yard) -> None:
    await yard.work()
    job = await yard.queue().add("receipt")
    assert await job.wait_for_result(10, result_type=PLAIN) == {"price": "1.50", "at": "2030-01-01T00:00:00Z"}
    receipt = await job.wait_for_result(10, result_type=Receipt)
    assert receipt.price == Decimal("1.50")


async def test_a_result_of_another_type_is_said_to_be_one(yard: Yard) -> None:
    await yard.work()
    job = await yard.queue().add("wrong")
    with pytest.raises(PayloadError, match=r"the result of job 1 \('wrong'\) is not what its handler declares"):
        await job.wait_for_result(25)
    assert await job.wait_for_result(10, result_type=PLAIN) == {"price": "much"}
    assert await job.state() == "completed"


async def at_the_repeated_hour(job: Job[datetime]) -> datetime:
    return datetime.fromtimestamp(job.data.timestamp(), NEW_YORK)


@pytest.mark.parametrize("hour", [4, 5, 6, 7])
async def test_a_datetime_of_the_repeated_hour_is_a_payload_and_a_result(
    redis_url: str, prefix: str, hour: int
) -> None:
    moment = datetime(2026, 11, 1, hour, 30, tzinfo=UTC)
    async with Yard(redis_url, prefix) as yard:
        spec = yard.topology.queue("q")
        spec.handler("at")(at_the_repeated_hour)
        await yard.work()
        job = await yard.app.queue("q").add("at", moment.astimezone(NEW_YORK))
        assert await job.wait_for_result(25) == moment
