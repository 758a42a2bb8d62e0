"""A pinned server needs no user."""

from pathlib import Path

import redis

from stockyard.embedded import acquire, pin, status, unpin
from tests.support.waiting import wait_until


def test_a_pinned_server_stays_without_users_until_it_is_unpinned(data: Path) -> None:
    started = pin(data)
    assert (started.running, started.pinned) == (True, True)
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        client.set("k", "v")
    # A guardian that overlooked the pin would stop the server now, and this user would get another one.
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["process_id"] == started.pid
    stopped = unpin(data)
    assert (stopped.running, stopped.pinned, stopped.pid) == (False, False, None)


def test_unpinning_leaves_the_server_to_its_users(data: Path) -> None:
    started = pin(data)
    with acquire(data):
        left = unpin(data)
        assert (left.running, left.pinned, left.pid) == (True, False, started.pid)
    wait_until(lambda: not status(data).running)


def test_pinning_a_server_in_use_keeps_it(data: Path) -> None:
    with acquire(data):
        before = status(data).pid
        assert pin(data).pid == before
    with acquire(data):
        assert status(data).pid == before


def test_unpinning_twice_is_fine(data: Path) -> None:
    pin(data)
    unpin(data)
    assert not unpin(data).running


def test_a_status_starts_nothing_and_creates_nothing(data: Path) -> None:
    found = status(data)
    assert (found.running, found.pinned, found.version, found.allocator, found.memory, found.clients) == (
        False,
        False,
        None,
        None,
        None,
        None,
    )
    assert not data.exists()


def test_a_status_describes_the_running_server(data: Path) -> None:
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        client.ping()
        found = status(data)
        assert found.data == server.data
        assert found.url == server.url
        assert found.version is not None
        assert int(found.version.split(".")[0]) >= 6
        assert found.allocator
        assert found.memory is not None
        assert found.memory > 0
        assert found.clients == 1
