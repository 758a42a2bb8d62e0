"""What a page is sent while it is watched, and what that costs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from stockyard import Job
from stockyard.dashboard import Dashboard
from stockyard.dashboard.views import failures
from tests.integration.dashboard.conftest import Open, Page
from tests.support.boards import served
from tests.support.waiting import eventually
from tests.support.yard import Yard


class Stream:
    """The events of one tab."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def until(self, text: str) -> list[tuple[str, str]]:
        """Return the events up to the first that holds a text."""
        events: list[tuple[str, str]] = []
        name, data = "", []
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data.append(line.removeprefix("data: "))
            elif not line and name:
                events.append((name, "\n".join(data)))
                if text in events[-1][1]:
                    return events
                name, data = "", []
        raise AssertionError(f"the stream ended without {text!r}: {events}")


@asynccontextmanager
async def watching(address: str, path: str) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=address, timeout=30) as client,
        client.stream("GET", path) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert "unsafe" not in reply.headers["content-security-policy"]
        yield Stream(reply.aiter_lines())


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yield yard


async def test_a_change_reaches_a_page_that_is_watched(yard: Yard) -> None:
    queue = yard.queue("q")
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, watching(address, "/stream/queue?name=q&state=waiting") as stream:
        first = await stream.until('id="bounds"')
        assert {name for name, _ in first} == {"fragment"}
        await queue.add("job", {"symbol": "BTCUSDT"}, job_id="fresh")
        later = await stream.until("fresh")
        for name, html in later:
            if name == "fragment":
                assert Page(html).elements[0][1]["id"]
        # What did not change is not sent again.
        assert not any('id="head"' in html for _, html in later)


async def test_twenty_tabs_cost_one_look_and_closing_ends_it(yard: Yard) -> None:
    yard.queue("q")
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address:
        async with AsyncExitStack() as tabs:
            for _ in range(20):
                stream = await tabs.enter_async_context(watching(address, "/stream/overview"))
                await stream.until('id="queues"')
            assert board.watched == 1
        await eventually(lambda: board.watched == 0)


async def test_a_search_goes_on_over_the_stream(yard: Yard) -> None:
    queue = yard.queue("q")
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(1500)])
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, watching(address, "/stream/search?q=data.n:3") as stream:
        events = await stream.until("all of them")
    page = Page(events[-1][1])
    assert page.text.startswith("1 found; 1,500 of 1,500 jobs looked at")


async def test_what_an_index_has_is_on_the_page_at_once_in_whatever_queue(yard: Yard, visit: Open) -> None:
    await yard.queue("a").add_many([("job", {"n": n}) for n in range(3000)])
    queue = yard.queue("b", indexed=["n"])
    await queue.add_many([("job", {"n": n}, {"job_id": f"b{n}"}) for n in range(3000)])
    text = (await visit().see("/search?q=data.n:7")).text
    assert "b7" in text.split()
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, watching(address, "/stream/search?q=data.n:7") as stream:
        events = await stream.until("all of them")
    assert Page(events[-1][1]).text.startswith("2 found; 6,000 of 6,000 jobs looked at")


async def test_a_page_that_is_not_there_has_no_stream(yard: Yard) -> None:
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/stream/nothing")).status_code == 404
        assert (await client.get("/stream/failures?queue=none")).status_code == 404


async def test_failures_are_grouped_from_look_to_look(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(failures, "_PAGE", 4)
    monkeypatch.setattr(failures, "_STEP_SECONDS", 0.0)
    queue = yard.queue("q", attempts=1)
    await queue.add_many([("job", {"n": n}, {"job_id": f"j{n}"}) for n in range(10)])

    async def fail(job: Job[Any]) -> None:
        raise ValueError(f"order {job.data['n']} has no margin")

    async def are_failed() -> bool:
        return await queue.count("failed") == 10

    await yard.work(fail, "q", concurrency=10)
    await eventually(are_failed)
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
        page = Page((await client.get("/failures")).text)
        assert "0 kinds of failure among 0 failed jobs, so far …" in page.text
        monkeypatch.setattr(failures, "_FIRST_SECONDS", 0.001)
        monkeypatch.setattr(failures, "_STEP_SECONDS", 60.0)
        async with watching(address, "/stream/failures") as stream:
            events = await stream.until("among 10 failed jobs")
        assert "1 kind of failure among 10 failed jobs" in Page(events[-1][1]).text
        monkeypatch.setattr(failures, "_FIRST_SECONDS", 60.0)
        page = Page((await client.get("/failures?queue=q")).text)
        assert "1 kind of failure among 10 failed jobs" in page.text
        assert not any("data-stream" in each for each in page.all("div"))


async def test_trouble_is_said_and_passes(yard: Yard) -> None:
    queue = yard.queue("q")
    board = Dashboard(yard.app, unprotected=True)
    async with served(board) as address, watching(address, "/stream/job?queue=q&id=new") as stream:
        events = await stream.until("has no job")
        assert events[-1][0] == "state"
        await queue.add("job", job_id="new")
        assert [name for name, _ in await stream.until('id="options"')][-1] == "fragment"
