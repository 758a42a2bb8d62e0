"""Apps that remember, on this test's own keys."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from stockyard import App, Settings, Topology
from tests.integration.cache.programs import CacheProcess

MakeApp = Callable[..., App]
Start = Callable[..., CacheProcess]


@pytest.fixture
async def make_app(redis_url: str, prefix: str) -> AsyncIterator[MakeApp]:
    """Makes apps, which are processes of their own as far as a cache can tell; they are closed with the test."""
    async with AsyncExitStack() as ending:

        def make(url: str = redis_url, **settings: Any) -> App:
            app = App(Topology("test"), settings=Settings.load(url, prefix=prefix, dotenv=None, **settings))
            ending.push_async_callback(app.aclose)
            return app

        yield make


@pytest.fixture
async def app(make_app: MakeApp) -> App:
    return make_app()


@pytest.fixture
def start(redis_url: str, prefix: str) -> Iterator[Start]:
    """Starts processes that use a cache, with the arguments of ``CacheProcess``; they end with the test."""
    with ExitStack() as ending:

        def call(what: str, *arguments: object, url: str = redis_url) -> CacheProcess:
            return ending.enter_context(CacheProcess(url, prefix, what, *arguments))

        yield call
