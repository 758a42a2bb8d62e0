"""A database for each test, with an outbox, an app and relays on them."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from stockyard import App, Topology
from stockyard.outbox import Outbox, OutboxRelay
from tests.outbox.databases import KINDS, Opener, OwnDatabase
from tests.support.postgresql import PostgresServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """The PostgreSQL of all tests of this process that want one."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OwnDatabase]:
    """An empty database of this test's own."""
    if request.param == "sqlite":
        made = OwnDatabase(f"sqlite:///{tmp_path / 'shop.db'}")
    else:
        schema = f"t_{secrets.token_hex(4)}"
        made = OwnDatabase(request.getfixturevalue("postgresql").url, f"{schema}.")
        made.change(f"CREATE SCHEMA {schema}")
    yield made
    await made.aclose()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, database: OwnDatabase) -> Opener:
    """Opens one kind of connection to the database."""
    if request.param == "async psycopg" and not database.is_postgresql:
        pytest.skip("psycopg speaks to PostgreSQL alone")
    return KINDS[request.param]


@pytest.fixture(params=["session", "async session", "plain", "async psycopg"])
def some_kind(request: pytest.FixtureRequest, database: OwnDatabase) -> Opener:
    """Opens a connection of some kinds, one for each of the ways that operations are run."""
    if request.param == "async psycopg" and not database.is_postgresql:
        pytest.skip("psycopg speaks to PostgreSQL alone")
    return KINDS[request.param]


@pytest.fixture
def topology() -> Topology:
    """Three queues."""
    shop = Topology("shop")
    for name in ("orders", "mail", "ledger"):
        shop.queue(name)
    return shop


@pytest.fixture
def outbox(topology: Topology, database: OwnDatabase) -> Outbox:
    """The outbox, with its tables."""
    made = Outbox(topology, f"{database.schema}stockyard_outbox")
    made.create_table(database.engine)
    return made


@pytest.fixture
async def app(topology: Topology, redis_url: str, prefix: str) -> AsyncIterator[App]:
    """The queues on this process's server."""
    async with App(topology, redis_url, prefix=prefix) as app:
        yield app


class Relays:
    """Makes relays of the outbox, which end with the test."""

    def __init__(self, app: App, database: OwnDatabase, outbox: Outbox) -> None:
        self._app = app
        self._database = database
        self._outbox = outbox
        self._made: list[OutboxRelay] = []

    def __call__(self, app: App | None = None, *, engine: Any = None, **options: Any) -> OutboxRelay:
        database = self._database.engine if engine is None else engine
        relay = OutboxRelay(app or self._app, database, self._outbox, **options)
        self._made.append(relay)
        return relay

    async def stop(self) -> None:
        for relay in self._made:
            await relay.stop()


@pytest.fixture
async def relays(app: App, database: OwnDatabase, outbox: Outbox) -> AsyncIterator[Relays]:
    """Makes relays of the outbox."""
    made = Relays(app, database, outbox)
    yield made
    await made.stop()
