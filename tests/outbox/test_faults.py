"""Relays that die, freeze or lose replies, servers and databases that go away: no job is lost, none runs twice."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stockyard import App, Job, ReplyLost, Topology, Worker
from stockyard.outbox import Outbox
from stockyard.produce.relayed_adds import RelayedAdds
from stockyard.testing.proxy import Proxy
from tests.outbox.conftest import Relays
from tests.outbox.databases import OwnDatabase
from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.servers import OwnServer
from tests.support.waiting import eventually

NAMES = [f"{number}" for number in range(30)]


class Runs:
    """A worker of `orders` that notes which jobs it runs, and removes each once it has ended."""

    def __init__(self, app: App) -> None:
        self.names: list[str] = []
        self.worker: Worker = app.worker("orders", self._run, concurrency=1, handle_signals=False)
        self._task = asyncio.create_task(self.worker.run())

    async def _run(self, job: Job[Any]) -> None:
        self.names.append(job.name)

    async def stop(self) -> None:
        await self.worker.stop()
        await self._task


def add(outbox: Outbox, database: OwnDatabase, *names: str) -> None:
    with database.engine.begin() as connection:
        outbox.add_many(connection, "orders", [(name, {}, {"remove_on_complete": True}) for name in names])


@pytest.fixture
async def runs(app: App) -> AsyncIterator[Runs]:
    """What ran, on the server itself."""
    made = Runs(app)
    yield made
    await made.stop()


async def test_jobs_of_a_killed_relay_run_once_although_they_are_gone_when_they_are_added_again(
    database: OwnDatabase, outbox: Outbox, redis_url: str, prefix: str, relays: Relays, runs: Runs
) -> None:
    add(outbox, database, *NAMES)
    command = [sys.executable, "-m", "tests.outbox.doomed_relay", redis_url, prefix, database.url]
    command.append(outbox.table.fullname)
    with Forked(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as doomed:
        assert doomed.stdout is not None
        assert await asyncio.to_thread(doomed.stdout.readline) == "added\n"
        doomed.kill()
    await eventually(lambda: runs.names == NAMES)
    assert sum(outbox.status(database.engine).pending.values()) == len(NAMES)
    relay = relays(poll="20ms")
    await relay.start()
    await eventually(lambda: not outbox.status(database.engine).pending)
    add(outbox, database, "last")
    await eventually(lambda: runs.names[-1] == "last")
    assert runs.names == [*NAMES, "last"]


async def test_jobs_of_a_lost_reply_run_once(
    database: OwnDatabase, outbox: Outbox, topology: Topology, prefix: str, own_tcp: OwnServer, relays: Relays
) -> None:
    async with App(topology, own_tcp.url, prefix=prefix) as app, Proxy(own_tcp.url) as proxy:
        runs = Runs(app)
        async with App(topology, proxy.url, prefix=prefix, call_timeout=5) as distant:
            relay = relays(distant)
            # The script is loaded, so that the next call runs it.
            add(outbox, database, "first")
            assert await relay.relay_pending() == 1
            add(outbox, database, *NAMES)
            proxy.lose_reply(lambda request: b"outbox-" in request)
            with pytest.raises(ReplyLost):
                await relay.relay_pending()
            await eventually(lambda: runs.names == ["first", *NAMES])
            assert await app.queue("orders").count() == 0
            assert await relay.relay_pending() == len(NAMES)
            add(outbox, database, "last")
            assert await relay.relay_pending() == 1
        await eventually(lambda: runs.names[-1] == "last")
        assert runs.names == ["first", *NAMES, "last"]
        await runs.stop()


async def test_a_frozen_leader_that_wakes_adds_nothing_twice(
    database: OwnDatabase, outbox: Outbox, relays: Relays, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen, awake = asyncio.Event(), asyncio.Event()
    add_first = RelayedAdds.add_first

    async def freeze(adds: RelayedAdds, jobs: Any) -> Any:
        if not frozen.is_set():
            frozen.set()
            await awake.wait()
        return await add_first(adds, jobs)

    monkeypatch.setattr(RelayedAdds, "add_first", freeze)
    add(outbox, database, *NAMES)
    first, second = relays(lease="1s"), relays(poll="20ms", lease="1s")
    pending = asyncio.create_task(first.relay_pending())
    await frozen.wait()
    await second.start()
    await eventually(lambda: runs.names == NAMES)
    awake.set()
    assert await pending == len(NAMES)
    add(outbox, database, "last")
    await eventually(lambda: runs.names[-1] == "last")
    assert runs.names == [*NAMES, "last"]
    await eventually(lambda: outbox.status(database.engine).relayed == len(NAMES) + 1)


@pytest.fixture
def own_tcp(make_server: Any) -> OwnServer:
    """A server of this test's own that a proxy can stand before."""
    server: OwnServer = make_server(port=True)
    return server


async def test_a_relay_waits_for_a_server_that_is_away(
    database: OwnDatabase, outbox: Outbox, topology: Topology, own_server: OwnServer, relays: Relays
) -> None:
    async with App(topology, own_server.url, call_timeout=1) as app:
        relay = relays(app, poll="20ms")
        await relay.start()
        add(outbox, database, *NAMES[:10])
        await eventually(lambda: outbox.status(database.engine).relayed == 10)
        own_server.kill()
        add(outbox, database, *NAMES[10:])
        await eventually(lambda: outbox.status(database.engine).error)
        assert outbox.status(database.engine).pending == {"orders": 20}
        own_server.start()
        await eventually(lambda: outbox.status(database.engine).relayed == 30)
        await eventually(lambda: outbox.status(database.engine).error is None)
        jobs = await app.queue("orders").get_jobs("waiting", size=100, newest_first=False)
        # The server writes its file every second: what it had acknowledged less than a second before may be gone.
        assert [job.name for job in jobs][-20:] == NAMES[10:]
        await relay.stop()


async def test_a_relay_waits_for_a_server_that_is_full(
    database: OwnDatabase, outbox: Outbox, topology: Topology, own_server: OwnServer, relays: Relays
) -> None:
    async with App(topology, own_server.url) as app:
        await app.queue("orders").counts()
        with own_server.client() as client:
            client.config_set("maxmemory", "1")
            relay = relays(app, poll="20ms")
            await relay.start()
            add(outbox, database, *NAMES)
            await eventually(lambda: outbox.status(database.engine).error)
            status = await relay.status()
            assert (status.pending, status.failed) == ({"orders": 30}, 0)
            client.config_set("maxmemory", "0")
        await eventually(lambda: not outbox.status(database.engine).pending)
        jobs = await app.queue("orders").get_jobs("waiting", size=100, newest_first=False)
        assert [job.name for job in jobs] == NAMES
        await relay.stop()


async def test_a_relay_goes_on_when_its_database_is_back(
    database: OwnDatabase, outbox: Outbox, app: App, relays: Relays
) -> None:
    """The connections are cut on PostgreSQL; of SQLite, the file has no tables for a while."""
    relay = relays(poll="20ms")
    await relay.start()
    add(outbox, database, "before")
    await eventually(lambda: outbox.status(database.engine).relayed == 1)
    if database.is_postgresql:
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        await eventually(lambda: database.select(f"SELECT 1 {others} AND query LIKE 'LISTEN%'"))
        database.select(f"SELECT pg_terminate_backend(pid) {others}")
        database.engine.dispose()
    else:
        database.change("ALTER TABLE stockyard_outbox RENAME TO away")
        await eventually(lambda: database.select("SELECT error FROM stockyard_outbox_relay")[0][0])
        database.change("ALTER TABLE away RENAME TO stockyard_outbox")
    add(outbox, database, "after")
    await eventually(lambda: outbox.status(database.engine).relayed == 2)
    jobs = await app.queue("orders").get_jobs("waiting", newest_first=False)
    assert [job.name for job in jobs] == ["before", "after"]
