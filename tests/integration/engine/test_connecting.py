"""Reaching servers: by password, database and socket; and those that will not serve."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from stockyard import App, Job, ServerRefused, ServerUnavailable, Topology
from stockyard._store.net.async_connection import AsyncConnection
from stockyard.config import Settings
from stockyard.errors import AuthenticationFailed, ServerTooOld
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

SECRET = "s3cr:et/pass@word"


async def double(job: Job[Any]) -> Any:
    return job.data * 2


def app(url: str, **settings: Any) -> App:
    topology = Topology("test")
    topology.queue("q")
    return App(topology, url, call_timeout=1, **settings)


@pytest.mark.parametrize("port", [True, False])
async def test_a_server_with_a_password_is_used_by_producers_workers_and_leases(
    make_server: Callable[..., OwnServer], port: bool
) -> None:
    server = make_server(password=SECRET, port=port)
    async with Yard(server.url, "t") as yard:
        lease = 0.3
        queue = yard.queue(lock=f"{lease}s")

        async def slow(job: Job[Any]) -> str:
            await asyncio.sleep(3 * lease)
            return "done"

        await yard.work(slow)
        job = await queue.add("x")
        assert await job.wait_for_result(25) == "done"
        assert (await job.refresh()).attempts_started == 1
        assert SECRET not in yard.app.url
        assert "***" in yard.app.url


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:wrong@"])
async def test_wrong_credentials_are_said_at_once_and_without_the_secret(
    make_server: Callable[..., OwnServer], login: str
) -> None:
    server = make_server(password=SECRET, port=True)
    async with app(f"redis://{login}127.0.0.1:{server.port}") as wrong:
        with pytest.raises(AuthenticationFailed, match="REDIS_PASSWORD") as refused:
            await wrong.queue("q").add("x")
        assert "wrong" not in str(refused.value)
        with pytest.raises(AuthenticationFailed):
            await asyncio.wait_for(wrong.worker("q", double).run(), 60)


async def test_a_database_of_its_own_keeps_its_keys(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    async with Yard(f"redis://127.0.0.1:{server.port}/3", "t") as yard:
        queue = yard.queue()
        await yard.work(double)
        assert await (await queue.add("x", 4)).wait_for_result(25) == 8
    with server.client() as client:
        assert client.dbsize() == 0
        client.select(3)
        assert client.dbsize() > 0


async def test_a_database_that_is_not_there_is_refused(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    async with app(f"redis://127.0.0.1:{server.port}/99") as wrong:
        with pytest.raises(ServerRefused, match=r"(?i)DB index is out of range"):
            await wrong.queue("q").add("x")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/at/all", "redis://no-such-host.invalid"])
async def test_a_server_that_is_not_there_is_an_error_in_the_call_timeout(url: str) -> None:
    async with app(url) as lonely:
        started = asyncio.get_running_loop().time()
        for call in (lonely.queue("q").add("x"), lonely.health(), lonely.queue("q").counts()):
            with pytest.raises(ServerUnavailable, match=r"no server at .*; start one, set REDIS_URL"):
                await call
        assert asyncio.get_running_loop().time() - started < 3 * 1 + 2


@asynccontextmanager
async def fake_server(version: str) -> AsyncIterator[str]:
    """A server that knows only how to say its version."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            parts = [await reader.readline() for _ in range(2 * int(line[1:]))][1::2]
            if parts[0].strip().upper() == b"INFO":
                text = f"# Server\r\nredis_version:{version}\r\n".encode()
                writer.write(b"$%d\r\n%s\r\n" % (len(text), text))
            else:
                writer.write(b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("version", ["5.0.14", "6.0.16", "3.2"])
async def test_a_server_that_is_too_old_is_named_with_what_is_needed(version: str) -> None:
    async with fake_server(version) as url, app(url) as old:
        with pytest.raises(ServerTooOld, match=rf"is Redis {version}; Stockyard needs Redis 6.2 or later"):
            await old.queue("q").add("x")
        with pytest.raises(ServerTooOld):
            await asyncio.wait_for(old.worker("q", double).run(), 60)


async def test_a_server_that_speaks_another_protocol_is_no_server() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with app(f"redis://127.0.0.1:{port}") as wrong:
            with pytest.raises(ServerUnavailable):
                await wrong.queue("q").add("x")


class SilentServer:
    """A server that accepts connections, answers with one text or nothing, and sees how each of them ends."""

    def __init__(self, answer: bytes = b"") -> None:
        self._answer = answer
        self.url = ""
        self.asked = asyncio.Event()
        self.ended = asyncio.Event()

    async def __aenter__(self) -> "SilentServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(1000)
        writer.write(self._answer)
        self.asked.set()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        self.ended.set()
        writer.close()


@pytest.mark.parametrize("answer", [b"", b"$21\r\nredis_version:7.4"])
async def test_a_login_that_is_cancelled_leaves_no_connection(answer: bytes) -> None:
    async with SilentServer(answer) as server:
        connection = AsyncConnection(Settings.load(server.url, dotenv=None).address)
        opening = asyncio.create_task(connection.open(60))
        await asyncio.wait_for(server.asked.wait(), 60)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await asyncio.wait_for(server.ended.wait(), 60)
        assert not connection.is_open


async def test_a_login_that_is_not_answered_leaves_no_connection() -> None:
    async with SilentServer() as server:
        connection = AsyncConnection(Settings.load(server.url, dotenv=None).address)
        with pytest.raises(ServerUnavailable, match=r"\(no answer\); start one"):
            await connection.open(0.5)
        await asyncio.wait_for(server.ended.wait(), 60)
        with pytest.raises(ServerUnavailable, match="not connected"):
            connection.write([("PING",)])


async def test_a_connection_logs_in_once_and_reads_text(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(password="s3cret", port=True)
    connection = AsyncConnection(
        Settings.load(f"redis://:s3cret@127.0.0.1:{server.port}/3", dotenv=None).address,
        client_name="here",
        reads_text=True,
    )
    await connection.open(10)
    replies = await connection.ask([("CLIENT", "ID"), ("SET", "k", b"\xff"), ("GET", "k"), ("NO", "SUCH")], 10)
    await connection.close()
    await connection.close()
    client_id, done, text, refusal = replies
    assert (done, text) == ("OK", "\N{REPLACEMENT CHARACTER}")
    assert isinstance(refusal, ServerRefused)
    with server.client() as oracle:
        calls = {name: each["calls"] for name, each in oracle.info("commandstats").items()}
        assert [calls[f"cmdstat_{name}"] for name in ("auth", "client|setname", "select")] == [1, 1, 1]
        oracle.select(3)
        assert oracle.exists("k")
        await eventually(lambda: client_id not in {int(each["id"]) for each in oracle.client_list()})


async def test_more_callers_than_connections_wait_in_line(yard: Yard) -> None:
    queue = yard.queue()
    job = await queue.add("x")
    assert set(await asyncio.gather(*(job.state() for _ in range(200)))) == {"waiting"}


async def test_a_worker_is_seen_under_its_name_by_bullmq_s_tools(yard: Yard, raw: Any, prefix: str) -> None:
    yard.queue("portfolio:high")
    await yard.work(double, queue="portfolio:high", name=None)
    await yard.work(double, queue="portfolio:high")
    assert sorted(each["name"] for each in raw.client_list() if prefix in each["name"]) == [
        f"{prefix}:portfolio:aGlnaA==",
        f"{prefix}:portfolio:aGlnaA==:w:{socket.gethostname()}-{os.getpid()}",
    ]


async def test_a_server_without_free_connections_says_so(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    with server.client() as client:
        client.config_set("maxclients", 1)
        async with app(server.url) as late:
            with pytest.raises(ServerUnavailable, match="maxclients") as refused:
                await late.queue("q").add("x")
        assert "REDIS_URL" not in str(refused.value)
        client.config_set("maxclients", 100)


async def test_a_full_server_says_what_to_do_and_nothing_of_scripts(make_server: Callable[..., OwnServer]) -> None:
    server = make_server(port=True)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        client.config_set("maxmemory-policy", "noeviction")
        async with app(server.url) as full:
            with pytest.raises(ServerRefused, match=r"the server is full.*raise maxmemory") as refused:
                await full.queue("q").add("x")
        assert not any(word in str(refused.value) for word in ("script", "@user", "OOM"))
        client.config_set("maxmemory", 0)
