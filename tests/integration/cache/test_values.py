"""What is written comes back as the declared type, for as long as it may."""

import asyncio
from dataclasses import dataclass

import msgspec
import pydantic
import pytest
import redis

from stockyard import App, Cache, InvalidOption, PayloadError
from tests.integration.cache.conftest import MakeApp
from tests.support.waiting import eventually


class Approval(msgspec.Struct, frozen=True):
    account: str
    limit: int


@dataclass(frozen=True)
class Quote:
    symbol: str
    price: float


class Account(pydantic.BaseModel):
    name: str


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Approval, Approval("a", 5)),
        (Quote, Quote("BTCUSDT", 1.5)),
        (Account, Account(name="ada")),
        (list[Approval], [Approval("a", 1)]),
        (dict[str, int], {"a": 1}),
        (str, "text"),
        (bool, False),
    ],
)
async def test_a_value_comes_back_as_its_type(app: App, declared: type, value: object) -> None:
    cache: Cache[object] = app.cache("c", declared)
    assert await cache.set("k", value)
    assert await cache.get("k") == value


async def test_plain_values_need_no_type(app: App) -> None:
    cache = app.cache("c")
    await cache.set("k", {"a": [1, None, "é"]})
    assert await cache.get("k") == {"a": [1, None, "é"]}


async def test_nothing_is_a_value_and_a_missing_one_is_the_default(app: App) -> None:
    cache = app.cache("c", Approval)
    await cache.set("k", None)
    assert await cache.get("k", "default") is None
    assert await cache.get("other", "default") == "default"
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.hit_rate) == (1, 1, 0.5)


async def test_a_value_that_does_not_fit_is_refused_at_the_door(app: App) -> None:
    cache = app.cache("c", Approval)
    with pytest.raises(PayloadError, match=r"cache 'c' would not be read back.*limit"):
        await cache.set("k", {"account": "a"})  # type: ignore[arg-type]
    with pytest.raises(PayloadError, match="not JSON-able"):
        await app.cache("d").set("k", object())


@pytest.mark.parametrize(
    ("declared", "value"),
    [(Approval, Approval("a", "5")), (int, True), (Quote, Quote(1, 2))],  # type: ignore[arg-type]
)
async def test_being_of_the_type_is_not_enough(app: App, declared: type, value: object) -> None:
    cache: Cache[object] = app.cache("c", declared)
    with pytest.raises(PayloadError, match="cache 'c' would not be read back"):
        await cache.set("k", value)


@pytest.mark.parametrize("key", ["", "\ud800", 5])
async def test_a_key_that_cannot_be_one_is_refused_and_the_others_answered(app: App, key: str) -> None:
    cache = app.cache("c", int)
    await cache.set("k", 1)
    answers = await asyncio.gather(cache.get(key), cache.get("k"), return_exceptions=True)
    assert isinstance(answers[0], InvalidOption)
    assert answers[1] == 1
    with pytest.raises(InvalidOption, match="a tag must be non-empty text"):
        await cache.set("k", 1, tags=[key])
    with pytest.raises(InvalidOption, match=r"a tag must be non-empty text; got \['a'\]"):
        await cache.invalidate(["a"])  # type: ignore[arg-type]


async def test_a_value_of_another_type_than_now_declared_is_a_miss(make_app: MakeApp) -> None:
    await make_app().cache("c", str).set("k", "text")
    cache = make_app().cache("c", Approval)
    assert await cache.get("k") is None

    async def load() -> Approval:
        return Approval("a", 1)

    assert await cache.get_or_set("k", load) == Approval("a", 1)
    assert await cache.get("k") == Approval("a", 1)


async def test_a_value_expires(app: App) -> None:
    cache = app.cache("c", jitter=0)
    await cache.set("k", 1, "50ms")
    assert await cache.get("k") == 1

    async def is_gone() -> bool:
        return await cache.get("k") is None

    await eventually(is_gone)


async def test_times_to_live_are_spread(app: App, raw: "redis.Redis", prefix: str) -> None:
    await app.cache("c", ttl="1000s").set_many({str(each): each for each in range(50)})
    left = [raw.pttl(f"{prefix}::cache:c::e:{each}") for each in range(50)]
    assert 899_000 < min(left) < 980_000
    assert 1_020_000 < max(left) <= 1_100_000
    await app.cache("d", ttl="1000s", jitter=0).set_many({str(each): each for each in range(50)})
    assert min(raw.pttl(f"{prefix}::cache:d::e:{each}") for each in range(50)) > 990_000


async def test_many_at_once(app: App) -> None:
    cache = app.cache("c", int)
    assert await cache.set_many({str(each): each for each in range(1000)}) == 1000
    assert await cache.get_many([*map(str, range(998, 1002)), "998"]) == {"998": 998, "999": 999}
    assert await cache.get_many([]) == {}
    assert await cache.delete("1", "2", "none") == 2
    assert await cache.clear() == 998
    assert await cache.get("3") is None


async def test_caches_are_apart(app: App) -> None:
    left, right = app.cache("a"), app.cache("a:b")
    await left.set("b:k", 1)
    await right.set("k", 2)
    assert (await left.get("b:k"), await right.get("k")) == (1, 2)
    assert await left.clear() == 1
    assert await right.get("k") == 2


async def test_one_name_is_one_cache(app: App) -> None:
    cache = app.cache("c", Approval, ttl="1m")
    assert app.cache("c") is cache
    assert app.cache("c", Approval, ttl="1m") is cache
    with pytest.raises(InvalidOption, match="declared before with type"):
        app.cache("c", Quote)
    with pytest.raises(InvalidOption, match="declared before"):
        app.cache("c", Approval, ttl="2m")


def test_code_without_a_loop_blocks(make_app: MakeApp) -> None:
    cache = make_app().cache("c", int)
    assert cache.sync.set("k", 5)
    assert cache.sync.get_or_set("k", lambda: 6) == 5
    assert cache.sync.get_or_set("other", lambda key: len(key)) == 5
    assert cache.sync.get_many(["k", "other"]) == {"k": 5, "other": 5}


async def test_what_all_caches_hold_is_told(app: App) -> None:
    await app.cache("a").set("k", 1)
    await app.cache("b").set_many({"k": 1, "l": 2})
    usage = await app.caches.usage()
    assert [(each.name, each.entries, each.evictions) for each in usage] == [("a", 1, 0), ("b", 2, 0)]
    assert usage[1].bytes == app.cache("b").stats().bytes > 2 * 300
    assert {name: each.entries for name, each in app.caches.stats().items()} == {"a": 1, "b": 2}
