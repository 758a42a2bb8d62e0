"""Apps that publish and read, on this test's own keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from stockyard import App, Settings, Topology

MakeApp = Callable[..., App]


@pytest.fixture
async def make_app(redis_url: str, prefix: str) -> AsyncIterator[MakeApp]:
    """Makes apps, which are processes of their own as far as a channel can tell; they are closed with the test."""
    async with AsyncExitStack() as ending:

        def make(url: str = redis_url, **settings: Any) -> App:
            app = App(Topology("test"), settings=Settings.load(url, prefix=prefix, dotenv=None, **settings))
            ending.push_async_callback(app.aclose)
            return app

        yield make


@pytest.fixture
async def app(make_app: MakeApp) -> App:
    return make_app()
