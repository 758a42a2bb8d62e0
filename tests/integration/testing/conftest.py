"""The queues that the kit's own tests use, and its fixtures on the server of all tests."""

import pytest

from stockyard import Topology


@pytest.fixture(scope="session")
def stockyard_url(redis_url: str) -> str:
    """The server of all tests of this process."""
    return redis_url


@pytest.fixture
def stockyard_topology() -> Topology:
    """A topology of each test's own; it declares the queues that it needs."""
    return Topology("kit")
