"""A data folder and its users, each a process of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stockyard.embedded import SetShape, status, unpin
from tests.support.servers import EmbeddedUser
from tests.support.waiting import wait_until


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; its server has stopped when the test is over."""
    folder = tmp_path / "data"
    yield folder
    unpin(folder)
    wait_until(lambda: not status(folder).running)


@pytest.fixture
def start_user(data: Path) -> Iterator[Callable[..., EmbeddedUser]]:
    """Starts users of `data`; whoever is left when the test is over is killed."""
    with ExitStack() as ending:

        def start(shape: SetShape | None = None) -> EmbeddedUser:
            user = EmbeddedUser(data, shape)
            ending.callback(user.kill)
            return user

        yield start
