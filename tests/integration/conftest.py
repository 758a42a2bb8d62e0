"""An app whose clock is moved by hand."""

from collections.abc import AsyncIterator

import pytest

from stockyard.model.clock import SteppedClock
from tests.support.yard import START, Yard


@pytest.fixture
def clock() -> SteppedClock:
    """A clock that stands still until it is moved."""
    return SteppedClock(START)


@pytest.fixture
async def timed(redis_url: str, prefix: str, clock: SteppedClock) -> AsyncIterator[Yard]:
    """An app on a clock that is moved by hand."""
    async with Yard(redis_url, prefix, clock=clock) as yard:
        yield yard
