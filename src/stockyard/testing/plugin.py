"""Fixtures that pytest finds by an entry point: a server of the session, a prefix of each test, an App on them."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stockyard import App, Topology
    from stockyard.testing.app_process import AppProcess
    from stockyard.testing.clock import ManualClock

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:
    # Other plugins for asyncio, such as that of AnyIO, run fixtures that are declared like this.
    async_fixture: Any = pytest.fixture  # type: ignore[no-redef]

_URL = "stockyard_url"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that name a server."""
    parser.addini(_URL, "URL of the server of tests with Stockyard. Defaults to an embedded one.")
    group = parser.getgroup("stockyard")
    group.addoption("--stockyard-url", dest=_URL, help="URL of the server of tests with Stockyard")


@pytest.fixture(scope="session")
def stockyard_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the server of this pytest process: an embedded one, or that of ``--stockyard-url``."""
    config = request.config
    if url := config.getoption(_URL, None) or config.getini(_URL):
        yield str(url)
        return
    from stockyard import embedded

    with embedded.ephemeral(appendonly=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def stockyard_sentinel_url() -> Iterator[str]:
    """The URL of an embedded Sentinel set: a primary, its replica, three Sentinels; it takes seconds to start."""
    from stockyard import embedded

    with embedded.ephemeral(shape=embedded.SetShape("sentinel"), appendonly=False) as servers:
        yield servers.url


@pytest.fixture
def stockyard_prefix(stockyard_url: str) -> Iterator[str]:
    """A key prefix of this test alone; its keys are removed behind it."""
    from stockyard.testing.cleaning import remove_keys

    prefix = f"test-{secrets.token_hex(6)}"
    yield prefix
    remove_keys(stockyard_url, prefix)


@pytest.fixture
def stockyard_topology() -> Topology:
    """The queues under test; override this fixture in your ``conftest.py``, and return your topology."""
    pytest.fail(
        "the fixture stockyard_app needs your queues: define a fixture `stockyard_topology` in conftest.py that "
        "returns your Topology",
        pytrace=False,
    )


@pytest.fixture
def stockyard_clock() -> ManualClock:
    """The clock of ``stockyard_app``: it stands still until the test moves it. Override it for another start."""
    from stockyard.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def stockyard_app(request: pytest.FixtureRequest) -> App:
    """The App of your topology, on this test's prefix and clock.

    A test that is an ``async def`` has it opened and closed in its own loop; in any other test, use ``app.sync``,
    ``queue.sync`` and ``run_sync``.
    """
    is_async = inspect.iscoroutinefunction(getattr(request, "function", None))
    name = "_stockyard_async_app" if is_async else "_stockyard_blocking_app"
    app: App = request.getfixturevalue(name)
    return app


@async_fixture
async def stockyard_process(
    stockyard_topology: Topology, stockyard_url: str, stockyard_prefix: str, stockyard_clock: ManualClock
) -> AsyncIterator[Callable[[], Awaitable[AppProcess]]]:
    """Makes Apps that stand for processes: ``first = await stockyard_process()``; they end with the test."""
    from stockyard.testing.app_process import AppProcess

    async with AsyncExitStack() as opened:

        async def make() -> AppProcess:
            return await opened.enter_async_context(
                AppProcess(stockyard_topology, stockyard_url, prefix=stockyard_prefix, clock=stockyard_clock)
            )

        yield make


@async_fixture
async def _stockyard_async_app(_stockyard_make_app: Callable[[], App]) -> AsyncIterator[App]:
    async with _stockyard_make_app() as app:
        yield app


@pytest.fixture
def _stockyard_blocking_app(_stockyard_make_app: Callable[[], App]) -> Iterator[App]:
    app = _stockyard_make_app()
    yield app
    app.close()


@pytest.fixture
def _stockyard_make_app(
    stockyard_topology: Topology, stockyard_url: str, stockyard_prefix: str, stockyard_clock: ManualClock
) -> Callable[[], App]:
    from stockyard.testing.app_under_test import make_app

    return lambda: make_app(stockyard_topology, stockyard_url, prefix=stockyard_prefix, clock=stockyard_clock)
