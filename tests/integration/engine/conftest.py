"""The app that the engine's tests add to and work with."""

from collections.abc import AsyncIterator

import pytest

from tests.support.yard import Yard


@pytest.fixture
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    """An app with this test's prefix on the session's server."""
    async with Yard(redis_url, prefix) as yard:
        yield yard
