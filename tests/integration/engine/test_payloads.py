"""What a handler is given: the type that it declares, or a failure that names the field."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
import redis

from stockyard import Job, JobFailed, PayloadError
from tests.support.yard import Yard


class FillStruct(msgspec.Struct):
    symbol: str
    size: float = 1.0


@dataclass
class FillDataclass:
    symbol: str
    size: float = 1.0


class FillDict(TypedDict):
    symbol: str
    size: NotRequired[float]


class FillModel(pydantic.BaseModel):
    symbol: str
    size: float = 1.0


async def take_struct(job: Job[FillStruct]) -> list[Any]:
    return [type(job.data).__name__, job.data.symbol, job.data.size]


async def take_dataclass(job: Job[FillDataclass]) -> list[Any]:
    return [type(job.data).__name__, job.data.symbol, job.data.size]


async def take_dict(job: Job[FillDict]) -> list[Any]:
    return [type(job.data).__name__, job.data["symbol"], job.data.get("size", 1.0)]


async def take_model(job: Job[FillModel]) -> list[Any]:
    return [type(job.data).__name__, job.data.symbol, job.data.size]


class Customer(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    notes: pydantic.Json[list[str]] = pydantic.Field(default="[]", validate_default=True)


class Basket(msgspec.Struct):
    buyer: Customer
    price: Decimal


CUSTOMER = Customer.model_validate({"userId": 7, "notes": '["a"]'})


async def take_basket(job: Job[list[Basket]]) -> Any:
    assert job.data == [Basket(CUSTOMER, Decimal("1.10"))]
    await job.update_progress(job.data[0])
    await job.update_data(job.data)
    return job.data[0].buyer


async def test_models_in_containers_come_to_the_handler_as_they_were(yard: Yard) -> None:
    queue = yard.queue()
    await yard.work(take_basket)
    job = await queue.add("x", [Basket(CUSTOMER, Decimal("1.10"))])
    assert await job.wait_for_result(25) == {"userId": 7, "notes": '["a"]'}
    done = await job.refresh()
    assert done.data == [{"buyer": {"userId": 7, "notes": '["a"]'}, "price": "1.10"}]
    assert done.progress == done.data[0]


class Login(pydantic.BaseModel):
    password: pydantic.SecretStr


async def test_what_would_not_come_back_is_refused_at_every_door(yard: Yard) -> None:
    queue = yard.queue()
    secret = Login(password=pydantic.SecretStr("hunter2"))
    job = await queue.add("x", delay="1h")
    schedules = yard.app.schedules("q")
    doors: list[Callable[[Any], Awaitable[Any]]] = [
        lambda value: queue.add("x", value),
        lambda value: queue.add_many([("x", value)]),
        lambda value: job.update_progress(value),
        lambda value: job.update_data(value),
        lambda value: schedules.upsert("s", every="1h", name="x", data=value),
    ]
    for value, said in ((secret, "secret has no faithful"), ({"at": datetime.now(UTC)}, r"\$\.at is a datetime")):
        for door in doors:
            with pytest.raises(PayloadError, match=said) as refused:
                await door(value)
            assert "hunter2" not in str(refused.value)
    assert (await queue.count("waiting"), await queue.count("delayed")) == (0, 1)


async def take_prices(job: Job[dict[int, Decimal]]) -> set[Decimal]:
    return set(job.data.values())


async def test_a_bare_value_comes_back_where_the_declared_type_is_known(yard: Yard) -> None:
    queue = yard.queue()
    queue.spec.router.add("x", take_prices)
    await yard.work()
    job = await queue.add("x", {1: Decimal("1.10"), 2: Decimal("1.1")})
    assert set(await job.wait_for_result(25)) in ({"1.10"}, {"1.1"}, {Decimal("1.1")})
    with pytest.raises(PayloadError, match="key 1 of type int"):
        await queue.add("another", {1: Decimal("1.10")})


async def take_plain(job: Job[Any]) -> list[Any]:
    return [type(job.data).__name__, job.data["symbol"], job.data.get("size", 1.0)]


def take_in_thread(job: Job[FillStruct]) -> list[Any]:
    return [type(job.data).__name__, job.data.symbol, job.data.size]


async def given_the_payload(fill: FillStruct) -> list[Any]:
    return [type(fill).__name__, fill.symbol, fill.size]


def given_the_payload_in_thread(fill: FillDataclass) -> list[Any]:
    return [type(fill).__name__, fill.symbol, fill.size]


def given_the_payload_in_a_child(fill: FillModel) -> list[Any]:
    return [type(fill).__name__, fill.symbol, fill.size]


TYPED = [take_struct, take_dataclass, take_dict, take_model, take_in_thread]


@pytest.mark.parametrize(
    "payload", [FillStruct("BTC"), FillDataclass("BTC"), FillModel(symbol="BTC"), {"symbol": "BTC"}]
)
@pytest.mark.parametrize("handler", [*TYPED, take_plain])
async def test_any_producer_s_payload_fits_any_declaration(yard: Yard, handler: Any, payload: Any) -> None:
    queue = yard.queue()
    await yard.work(handler)
    kind, symbol, size = await (await queue.add("fill", payload)).wait_for_result(25)
    expected = {take_struct: "FillStruct", take_dataclass: "FillDataclass", take_model: "FillModel"}
    expected |= {take_in_thread: "FillStruct"}
    assert (kind, symbol, size) == (expected.get(handler, "dict"), "BTC", 1.0)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (given_the_payload, "FillStruct"),
        (given_the_payload_in_thread, "FillDataclass"),
        (given_the_payload_in_a_child, "FillModel"),
    ],
)
async def test_a_handler_annotated_with_the_payload_s_type_is_given_the_payload(
    yard: Yard, handler: Any, kind: str
) -> None:
    queue = yard.queue()
    await yard.work(handler, executor="process" if kind == "FillModel" else None)
    job = await queue.add("fill", {"symbol": "BTC"})
    assert await job.wait_for_result(60) == [kind, "BTC", 1.0]
    with pytest.raises(JobFailed, match="payload does not fit Fill"):
        await (await queue.add("fill", {"symbol": 7})).wait_for_result(60)


@pytest.mark.parametrize("handler", TYPED)
@pytest.mark.parametrize("payload", [{"symbol": 7}, {"size": 2}, {"symbol": "BTC", "size": "much"}, None, [1]])
async def test_a_payload_that_does_not_fit_fails_at_once_and_names_the_field(
    yard: Yard, handler: Any, payload: Any
) -> None:
    queue = yard.queue(attempts=5)
    await yard.work(handler)
    job = await queue.add("fill", payload)
    with pytest.raises(JobFailed, match="payload does not fit Fill") as failed:
        await job.wait_for_result(25)
    if isinstance(payload, dict):
        assert ("size" if payload.get("size") == "much" else "symbol") in str(failed.value)
    done = await job.refresh()
    assert (done.attempts_made, done.attempts_started) == (1, 1)


async def test_a_corrupt_payload_fails_its_job_and_the_worker_goes_on(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue = yard.queue(attempts=3)
    bad = [await queue.add("bad", {"symbol": "BTC"}) for _ in range(4)]
    raw.hset(f"{prefix}:q:{bad[0].id}", "data", "{not json")
    raw.hset(f"{prefix}:q:{bad[1].id}", "opts", "[1")
    raw.hset(f"{prefix}:q:{bad[2].id}", "timestamp", "yesterday")
    raw.hset(f"{prefix}:q:{bad[3].id}", "data", b"\xff\xfe")
    good = await queue.add("good", {"symbol": "BTC"})
    await yard.work(take_plain)

    assert await good.wait_for_result(25) == ["dict", "BTC", 1.0]
    for job, said in zip(bad, ["corrupt JSON", "'opts'", "corrupt job record", "corrupt JSON"], strict=True):
        with pytest.raises(JobFailed, match=said):
            await job.wait_for_result(25)
        done = await job.refresh()
        assert done.attempts_made == 1


async def test_a_job_whose_key_is_no_hash_keeps_nobody_else_from_running(
    yard: Yard, raw: "redis.Redis", prefix: str
) -> None:
    queue = yard.queue()
    before, broken, after = [await queue.add("x", {"symbol": "BTC"}) for _ in range(3)]
    raw.delete(f"{prefix}:q:{broken.id}")
    raw.set(f"{prefix}:q:{broken.id}", "text")
    await yard.work(take_plain, concurrency=10)
    assert await before.wait_for_result(5) == ["dict", "BTC", 1.0]
    assert await after.wait_for_result(5) == ["dict", "BTC", 1.0]


async def test_a_record_that_is_gone_is_passed_over(yard: Yard, raw: "redis.Redis", prefix: str) -> None:
    queue = yard.queue()
    gone, good = await queue.add("gone"), await queue.add("good", {"symbol": "BTC"})
    raw.delete(f"{prefix}:q:{gone.id}")
    await yard.work(take_plain)
    assert await good.wait_for_result(25) == ["dict", "BTC", 1.0]
    assert raw.llen(f"{prefix}:q:active") == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "the result of 'x' is not JSON-able"),
        (float("nan"), "NaN or an infinite number"),
        ("\udcff", "not JSON-able"),
        ({"deep": [object()]}, "not JSON-able"),
        (b"bytes", r"would not come back as it is: \$ is a bytes"),
        ({"price": Decimal(1)}, r"would not come back as it is: \$\.price is a Decimal"),
    ],
)
async def test_a_result_that_is_no_json_fails_the_job_without_a_retry(yard: Yard, value: Any, said: str) -> None:
    queue = yard.queue(attempts=3)

    async def give(job: Job[Any]) -> Any:
        return value

    await yard.work(give)
    job = await queue.add("x")
    with pytest.raises(JobFailed, match=said):
        await job.wait_for_result(25)
    done = await job.refresh()
    assert (done.attempts_made, done.return_value) == (1, None)


@pytest.mark.parametrize(
    "value", [None, 0, "", "text", [], {"a": [1.5, None, True]}, FillStruct("BTC"), [FillModel(symbol="BTC")]]
)
async def test_a_result_comes_back_as_json(yard: Yard, value: Any) -> None:
    queue = yard.queue()

    async def give(job: Job[Any]) -> Any:
        return value

    await yard.work(give)
    job = await queue.add("x")
    expected = msgspec.json.decode(msgspec.json.encode(value, enc_hook=FillModel.model_dump))
    assert await job.wait_for_result(25) == expected
    assert (await job.refresh()).return_value == expected
