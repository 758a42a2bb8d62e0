"""`stockyard cache`: what the caches hold, and dropping it."""

import asyncio

import pytest

from stockyard import App, Topology
from tests.integration.cli.conftest import Run
from tests.support.servers import OwnServer


def fill(url: str, prefix: str) -> None:
    async def write() -> None:
        async with App(Topology("t"), url, prefix=prefix) as app:
            await app.cache("risk").set_many({"a": 1, "b": 2}, tags=["x"])
            await app.cache("quotes").set("a", 1)

    asyncio.run(write())


def test_what_caches_hold_is_shown(run: Run, redis_url: str, prefix: str) -> None:
    fill(redis_url, prefix)
    told = run("cache", "stats", "--json").json()
    assert isinstance(told, dict)
    assert [(each["name"], each["entries"]) for each in told["caches"]] == [("quotes", 1), ("risk", 2)]
    shown = run("cache", "stats").out
    assert "risk" in shown
    assert f"{sum(each['bytes'] for each in told['caches']):,} of {told['budget']:,} bytes" in shown


def test_caches_are_dropped_by_name_or_all(run: Run, redis_url: str, prefix: str) -> None:
    fill(redis_url, prefix)
    assert run("cache", "drop", "risk", "--json").json() == {"risk": 2}
    assert run("cache", "drop", "risk", "--json").json() == {"risk": 0}
    fill(redis_url, prefix)
    assert run("cache", "drop", "--all", "--json").json() == {"quotes": 1, "risk": 2}
    assert "0 of" in run("cache", "stats").out


def test_all_caches_of_a_server_that_keeps_no_account_are_dropped(
    run: Run, own_server: OwnServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(own_server.url, prefix)
    monkeypatch.setenv("CACHE_REDIS_URL", own_server.url)
    assert run("cache", "stats", "--json").json() == {"budget": None, "caches": []}
    assert run("cache", "drop", "--all", "--json").json() == {"quotes": 1, "risk": 2}
    assert run("cache", "drop", "--all", "--json").json() == {}


def test_nothing_is_dropped_beside_a_name_that_can_be_none(run: Run, redis_url: str, prefix: str) -> None:
    fill(redis_url, prefix)
    assert run("cache", "drop", "risk", "a::b").status == 2
    assert run("cache", "drop", "risk", "--json").json() == {"risk": 2}
