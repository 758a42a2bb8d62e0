"""The embedded server's allocator: preloaded for the server alone, and never in the way of a start."""

import os
import sys
from pathlib import Path

import pytest
import redis

from stockyard.embedded import acquire, pin, status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCKYARD_SERVER", raising=False)
    monkeypatch.delenv("STOCKYARD_SERVER_ALLOCATOR", raising=False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)


def test_the_server_alone_runs_on_the_package_s(data: Path) -> None:
    pytest.importorskip("cmeel")
    started = pin(data)
    assert started.allocator == "mimalloc"
    assert started.pid
    guardian = int(Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()[1])
    for process in (guardian, os.getpid()):
        assert "mimalloc" not in Path(f"/proc/{process}/maps").read_text()
        assert b"LD_PRELOAD" not in Path(f"/proc/{process}/environ").read_bytes()


def test_a_restarted_server_runs_on_it_again(data: Path) -> None:
    pytest.importorskip("cmeel")
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        client.set("k", "v")
        before = status(data)
        assert before.pid
        os.kill(before.pid, 9)
        with acquire(data):
            after = status(data)
    assert (after.pid != before.pid, after.allocator) == (True, "mimalloc")


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF broken"], ids=["absent", "empty", "broken"])
def test_a_library_that_does_not_load_does_not_keep_the_server_from_starting(
    data: Path, tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "libmalloc.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", str(library))
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        assert client.ping()
        assert status(data).allocator == client.info("memory")["mem_allocator"]


def test_it_can_be_switched_off(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", "off")
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        assert status(data).allocator == client.info("memory")["mem_allocator"]


def test_the_server_keeps_no_histogram_of_each_command(data: Path) -> None:
    with acquire(data) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("latency-tracking")["latency-tracking"] == "no"
