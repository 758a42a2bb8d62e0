"""A tag ends all entries under it at once, whoever wrote them."""

import asyncio

import pytest
import redis

from stockyard import App, InvalidOption
from tests.integration.cache.conftest import MakeApp
from tests.support.waiting import eventually


async def test_a_tag_ends_what_is_under_it(make_app: MakeApp) -> None:
    here, there = make_app().cache("c", int), make_app().cache("c", int)
    await here.set("a", 1, tags=["x", "y"])
    await there.set_many({"b": 2, "c": 3}, tags=["y"])
    await here.set("d", 4)
    assert await there.invalidate("x", "unknown") == 1
    assert await here.get_many(["a", "b", "c", "d"]) == {"b": 2, "c": 3, "d": 4}
    await here.set("a", 5, tags=["x"])
    assert await here.invalidate("y") == 1
    assert await there.get_many(["a", "b", "c", "d"]) == {"a": 5, "d": 4}
    assert await here.invalidate() == 0


async def test_the_same_tag_of_another_cache_is_another(app: App) -> None:
    left, right = app.cache("a", int), app.cache("b", int)
    await left.set("k", 1, tags=["x"])
    await right.set("k", 2, tags=["x"])
    await left.invalidate("x")
    assert (await left.get("k"), await right.get("k")) == (None, 2)


async def test_invalidating_costs_the_same_for_one_and_for_many(app: App, raw: "redis.Redis", prefix: str) -> None:
    cache = app.cache("c", int)
    await cache.set_many({str(each): each for each in range(500)}, tags=["x"])
    await cache.invalidate("x")
    # Nothing but the tag was touched: entries leave when they are next looked at.
    assert len(list(raw.scan_iter(f"{prefix}::cache:c::e:*", count=1000))) == 500
    assert await cache.get_many(map(str, range(500))) == {}
    assert list(raw.scan_iter(f"{prefix}::cache:c::e:*", count=1000)) == []


async def test_a_load_is_outdated_by_a_tag_that_falls_while_it_runs(make_app: MakeApp) -> None:
    here, there = make_app().cache("c", int), make_app().cache("c", int)
    runs = []
    go_on = asyncio.Event()

    async def load() -> int:
        runs.append(1)
        run = len(runs)
        await go_on.wait()
        return run

    before = asyncio.create_task(here.get_or_set("k", load, tags=["x"]))
    await eventually(lambda: runs)
    await there.invalidate("x")
    after = asyncio.create_task(here.get_or_set("k", load, tags=["x"]))
    await eventually(lambda: here.stats().waits == 1)
    go_on.set()
    assert (await before, await after) == (1, 2)
    assert await there.get("k") == 2


@pytest.mark.parametrize("tags", ["x", ["x", ""], [5]])
async def test_tags_are_texts(app: App, tags: object) -> None:
    with pytest.raises(InvalidOption, match="tag"):
        await app.cache("c", int).set("k", 1, tags=tags)  # type: ignore[arg-type]
