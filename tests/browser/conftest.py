"""What the browser tests share: Chromium, Bull Board on the platform's queues, and our App on the same keys."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from stockyard.trading import QueueName
from stockyard.trading.queues import declare_platform
from tests.browser.board import Board, BoardServer
from tests.support.yard import Yard

_ARGUMENTS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()
# Nothing is fetched from elsewhere. Routes in the browser would switch its cache off.
_HERE_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            # One browser serves all tests, so they share its loop.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.browser)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium, without a window."""
    names = (os.environ.get("CHROMIUM", "chromium"), "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise RuntimeError("no Chromium found: run `make browser` first, or name one by CHROMIUM=/path/to/chrome")
    expect.set_options(timeout=15_000)
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=path, args=[*_ARGUMENTS, _HERE_ALONE])
        yield chromium
        await chromium.close()


@pytest.fixture(scope="session")
def board_server(redis_url: str) -> Iterator[BoardServer]:
    """Bull Board on the seven queues, for all tests of this process."""
    with BoardServer(redis_url, list(QueueName)) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """The page of all tests: it keeps the board's program, which takes long to fetch and to compile."""
    async with await browser.new_context(reduced_motion="reduce") as context:
        page = await context.new_page()
        page.set_default_timeout(15_000)
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def board(page: Page, board_server: BoardServer, prefix: str) -> AsyncIterator[Board]:
    """Bull Board on this test's prefix, as somebody finds it who has never been there."""
    board_server.show(prefix)
    yield Board(page, board_server.url)
    await page.evaluate("localStorage.clear()")
    await page.goto("about:blank")


@pytest_asyncio.fixture(loop_scope="session")
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    """Our App and workers on the seven queues."""
    async with Yard(redis_url, prefix, topology=declare_platform()) as yard:
        yield yard
