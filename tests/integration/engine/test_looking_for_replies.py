"""A thread looks for the reply of a near server before it sleeps; for others it sleeps at once."""

import os
from collections.abc import Iterator

import pytest

from stockyard._aio.direct import run_to_end
from stockyard._store.net import blocking_connection
from stockyard._store.net.blocking_connection import BlockingConnection
from stockyard._store.net.blocking_pool import BlockingPool
from stockyard.config.urls import read_address


@pytest.fixture
def pool(redis_url: str) -> Iterator[BlockingPool]:
    made = BlockingPool(read_address(redis_url, "url", []))
    yield made
    made.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each look that found nothing."""
    seen: list[None] = []
    yield_turn = os.sched_yield

    def note() -> None:
        seen.append(None)
        yield_turn()

    monkeypatch.setattr(os, "sched_yield", note)
    return seen


def opened(pool: BlockingPool) -> BlockingConnection:
    """A connection that looks at its next call, whatever it did as it was opened."""
    connection, _ = run_to_end(pool.take(5))
    connection._sleeps = 0
    return connection


def ask(pool: BlockingPool, *command: str) -> object:
    connection, _ = run_to_end(pool.take(5))
    try:
        (reply,) = run_to_end(connection.ask([command], 5))
    finally:
        pool.give_back(connection)
    return reply


def test_a_near_reply_is_found_by_looking(pool: BlockingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_connection, "_LOOK", 60.0)
    connection = opened(pool)
    pool.give_back(connection)
    for _ in range(20):
        assert ask(pool, "PING") == b"PONG"
    assert connection._sleeps == 0


def test_behind_a_look_in_vain_a_hundred_calls_sleep_at_once(pool: BlockingPool, looks: list[None]) -> None:
    pool.give_back(opened(pool))
    looks.clear()
    # It comes at no moment at which anyone would look.
    assert ask(pool, "BLPOP", "nothing", "0.05") is None
    looked = len(looks)
    assert looked
    for _ in range(blocking_connection._SLEEPS):
        assert ask(pool, "PING") == b"PONG"
    assert len(looks) == looked
    assert ask(pool, "BLPOP", "nothing", "0.05") is None
    assert len(looks) > looked


def test_beside_other_threads_calls_it_sleeps_at_once(pool: BlockingPool, looks: list[None]) -> None:
    other = opened(pool)
    looks.clear()
    assert ask(pool, "BLPOP", "nothing", "0.05") is None
    assert not looks
    pool.give_back(other)
    assert ask(pool, "BLPOP", "nothing", "0.05") is None
    assert looks
