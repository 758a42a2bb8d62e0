"""Servers behind TLS that ask clients for a certificate: what works, and what those are told who are refused."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stockyard import App, ConfigError, Job, ServerUnavailable, Topology
from stockyard.cli import main
from stockyard.errors import TlsFailed
from tests.support.documents import ROOT, run_commands, shell_blocks
from tests.support.forked import Forked
from tests.support.servers import OwnServer
from tests.support.tls import Authority, TlsFront
from tests.support.waiting import eventually
from tests.support.yard import Yard

PASSWORD = "s3cret-of-the-server"


class Place:
    """A server behind TLS, and the files of those who may and may not use it."""

    def __init__(self, front: TlsFront, folder: Path, ours: Authority) -> None:
        self.front = front
        self.folder = folder
        self.files = {
            "ca": ours.certificate,
            "cert": folder / "ours" / "client.crt",
            "key": folder / "ours" / "client.key",
        }

    def url(self, host: str = "127.0.0.1", **files: Path | None) -> str:
        """The URL with our files, or with others in their place."""
        chosen = {name: path for name, path in {**self.files, **files}.items() if path is not None}
        return self.front.url(host, **chosen)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority(folder / "ours"), Authority(folder / "theirs")
    ours.issue("client")
    theirs.issue("client")
    server = OwnServer(folder, password=PASSWORD, port=True)
    server.start()
    with TlsFront(server.url, ours.certificate, *ours.issue("server", "IP:127.0.0.1")) as front:
        yield Place(front, folder, ours)
    server.stop()


async def echo(job: Job[Any]) -> Any:
    return job.data


async def test_everything_works_over_it(place: Place) -> None:
    async with Yard(place.url(), "works") as yard:
        lease = 0.3
        queue = yard.queue(lock=f"{lease}s")

        async def slow(job: Job[Any]) -> Any:
            await asyncio.sleep(2.5 * lease)
            return job.data

        async with yard.app.events("q") as events:
            await yard.work(slow)
            job = await queue.add("x", 1)
            assert await job.wait_for_result(25) == 1
            # Its lease is kept by the child, which has to get in, too.
            assert (await job.refresh()).attempts_started == 1
            assert (await anext(events)).job_id == job.id  # type: ignore[attr-defined]
        cache = yard.app.cache("near", near="1h")
        await cache.set("a", 1)

        async def is_near() -> bool:
            return bool(await cache.get("a") == cache.peek("a") == 1)

        await eventually(is_near)
        assert {each.severity for each in await yard.app.check_server() if each.check == "version"} == {"ok"}


def test_the_command_line_works_over_it(place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = ["--redis-url", place.url(), "--prefix=command", "--app=tests.integration.cli.shop:shop"]
    environment = {**os.environ, "REDIS_URL": place.url(), "STOCKYARD_PREFIX": "command"}
    command = [sys.executable, "-m", "stockyard.cli", "worker", "tests.integration.cli.shop:shop", "--queue=mail"]
    with (tmp_path / "log").open("w") as log:
        worker = Forked[bytes](command, cwd=ROOT, env=environment, stderr=log)
    try:
        assert main(["job", "add", "mail", "welcome", "--wait", "10s", *said]) == 0
        assert capsys.readouterr().out.strip() == str(worker.pid)
    finally:
        worker.terminate()
        worker.wait()


def test_closing_leaves_no_socket_to_a_server_that_does_not_say_goodbye(place: Place) -> None:
    with contextlib.ExitStack() as ending:

        async def look() -> None:
            async with Yard(place.url(), "closing") as yard:
                await yard.queue().counts()
                ending.enter_context(place.front.held())

        asyncio.run(look())
        # What was left open would be told of here.
        gc.collect()


REFUSALS: dict[str, tuple[dict[str, str | None], str, str]] = {
    "another authority": ({"ca": "theirs/ca.crt"}, "127.0.0.1", r"not trusted \(self-signed.*name the file"),
    "no authority": ({"ca": None}, "127.0.0.1", r"not trusted \(self-signed.*\?ca=/path/ca.crt"),
    "no certificate": (
        {"cert": None, "key": None},
        "127.0.0.1",
        r"does not accept this client's certificate .*required.*cert=/path/client.crt&key=/path/client.key",
    ),
    "a certificate of somebody else's": (
        {"cert": "theirs/client.crt", "key": "theirs/client.key"},
        "127.0.0.1",
        r"does not accept this client's certificate .*unknown ca",
    ),
    "another name": ({}, "localhost", r"another server's certificate .*'localhost'.*connect by a name that it is"),
    "a key that belongs to another": (
        {"key": "theirs/client.key"},
        "127.0.0.1",
        r"key values mismatch.*PEM files",
    ),
    "no key": ({"key": None}, "127.0.0.1", r"do not serve \(no pem\).*the key belongs to the certificate"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_says_what_to_do(place: Place, case: str, caplog: pytest.LogCaptureFixture) -> None:
    files, host, said = REFUSALS[case]
    url = place.url(host, **{name: place.folder / path if path else None for name, path in files.items()})
    topology = Topology("test")
    topology.queue("q")
    async with App(topology, url) as app:
        for call in (
            app.queue("q").add("x"),
            app.health(),
            app.worker("q", echo, handle_signals=False).run(),
        ):
            with pytest.raises(TlsFailed, match=said) as refused:
                await asyncio.wait_for(call, 5)
            assert PASSWORD not in str(refused.value)
    assert PASSWORD not in caplog.text


async def test_the_page_s_commands_make_certificates_that_serve(
    tmp_path: Path, make_server: Callable[..., OwnServer]
) -> None:
    _, certificates = shell_blocks(ROOT / "docs" / "operations" / "security.md")
    run_commands(certificates, tmp_path)
    mine = {"ca": tmp_path / "ca.crt", "cert": tmp_path / "client.crt", "key": tmp_path / "client.key"}
    # As Python from 3.13 on checks them by default.
    strictly = ["openssl", "verify", "-x509_strict", "-CAfile", str(mine["ca"])]
    subprocess.run([*strictly, str(tmp_path / "server.crt"), str(mine["cert"])], check=True, capture_output=True)
    server = make_server(port=True)
    with TlsFront(server.url, mine["ca"], tmp_path / "server.crt", tmp_path / "server.key") as front:
        async with App(Topology("test"), front.url("127.0.0.1", **mine)) as app:
            assert await app.check_server()


def test_files_that_are_not_there_are_named_before_anything_is_tried(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"ca must name a file .*/nowhere") as wrong:
        App(Topology("test"), place.url(ca=Path("/nowhere")))
    assert PASSWORD not in str(wrong.value)


async def test_a_key_with_a_passphrase_is_refused_instead_of_asking_the_terminal(place: Place) -> None:
    locked = place.folder / "locked.key"
    command = [
        "openssl",
        "ec",
        "-in",
        str(place.files["key"]),
        "-aes256",
        "-passout",
        "pass:x",
        "-out",
        str(locked),
    ]
    subprocess.run(command, check=True, capture_output=True)
    async with App(Topology("test"), place.url(key=locked)) as app:
        with pytest.raises(TlsFailed, match="has no passphrase"):
            await asyncio.wait_for(app.check_server(), 5)


async def test_a_server_that_does_not_speak_tls_is_no_server(
    place: Place, make_server: Callable[..., OwnServer]
) -> None:
    plain = make_server(port=True).url.replace("redis://", "rediss://")
    topology = Topology("test")
    topology.queue("q")
    async with App(topology, plain, call_timeout=0.3) as app:
        with pytest.raises(ServerUnavailable, match="does it speak TLS at this port"):
            await app.queue("q").add("x")


def test_blocking_calls_speak_it_too_and_say_what_is_wrong(place: Place, tmp_path: Path) -> None:
    topology = Topology("test")
    topology.queue("q")
    app = App(topology, place.url(), prefix="blocking")
    queue = app.queue("q").sync
    assert [queue.add("x", "y" * 100_000).id for _ in range(3)] == ["1", "2", "3"]
    stored = queue.get_job("2")
    assert stored is not None
    assert len(stored.data) == 100_000
    app.close()
    for url, said in (
        (place.url(ca=None), "is not trusted"),
        (place.url(cert=None, key=None), "does not accept this client's certificate"),
        (place.url("localhost"), "shows another server's certificate"),
    ):
        wrong = App(topology, url, prefix="blocking", call_timeout=5)
        with pytest.raises(TlsFailed, match=said):
            wrong.queue("q").sync.add("x")
        wrong.close()


@pytest.mark.parametrize("way", ["loop", "thread"])
async def test_a_refusal_is_read_though_a_reset_came_before_it(place: Place, way: str) -> None:
    """A server's word that it wants a certificate may be lost by a reset: the server is listened to once more."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    lenient, strict = (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2))
    for context in (lenient, strict):
        context.load_cert_chain(place.folder / "ours" / "server.crt", place.folder / "ours" / "server.key")
    strict.load_verify_locations(place.files["ca"])
    strict.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        plain, _ = listener.accept()
        secured = lenient.wrap_socket(plain, server_side=True)
        secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        secured.close()
        plain, _ = listener.accept()
        with plain, contextlib.suppress(ssl.SSLError):
            strict.wrap_socket(plain, server_side=True)

    serving = threading.Thread(target=serve)
    serving.start()
    url = f"rediss://127.0.0.1:{listener.getsockname()[1]}/0?ca={place.files['ca']}"
    topology = Topology("test")
    topology.queue("q")
    try:
        async with App(topology, url) as app:
            with pytest.raises(TlsFailed, match=r"does not accept this client's certificate"):
                await (
                    app.queue("q").add("x") if way == "loop" else asyncio.to_thread(app.queue("q").sync.add, "x")
                )
    finally:
        serving.join(30)
        listener.close()
