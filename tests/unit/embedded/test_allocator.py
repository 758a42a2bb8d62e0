"""Which allocator a server program is started with."""

import logging
import sys
from pathlib import Path

import pytest

from stockyard.embedded.allocator import ServerBuild, build_of, running_allocator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")

ABSENT = "/nowhere/libmalloc.so"


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCKYARD_SERVER_ALLOCATOR", raising=False)
    monkeypatch.delenv("LD_PRELOAD", raising=False)


def program(path: Path, allocator: str = "libc", status: int = 0) -> Path:
    """A program that says what a server says, and with which preload."""
    path.write_text(
        f"#!/bin/sh\necho $LD_PRELOAD >> {path}.log\n"
        f"echo 'Server v=9.1.2 sha=0:1 malloc={allocator} bits=64'\nexit {status}\n"
    )
    path.chmod(0o755)
    return path


def preloads(server: Path) -> list[str]:
    """With what the program was tried, in this order."""
    return Path(f"{server}.log").read_text().splitlines()


@pytest.fixture
def library() -> str:
    """A library that loads into any program."""
    return next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so" in line)


def test_a_library_that_loads_is_taken(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", library)
    assert build_of(program(tmp_path / "server")) == ServerBuild(9, "libc", library)
    assert not caplog.records


@pytest.mark.parametrize("content", [None, "no library"], ids=["absent", "broken"])
def test_one_that_does_not_load_is_passed_over_with_a_warning(
    tmp_path: Path, content: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "libmalloc.so"
    if content is not None:
        broken.write_text(content)
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", str(broken))
    assert build_of(program(tmp_path / "server")) == ServerBuild(9, "libc")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert str(broken) in warning.getMessage()


def test_off_tries_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", "off")
    server = program(tmp_path / "server")
    assert build_of(server) == ServerBuild(9, "libc")
    assert preloads(server) == [""]


def test_a_preload_of_the_environment_stays(tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", library)
    server = program(tmp_path / "server")
    assert build_of(server).preload is None
    assert preloads(server) == [library]


def test_a_program_with_an_allocator_of_its_own_keeps_it(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCKYARD_SERVER_ALLOCATOR", library)
    assert build_of(program(tmp_path / "server", "jemalloc-5.3.0")) == ServerBuild(9, "jemalloc-5.3.0")


def test_other_systems_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    server = program(tmp_path / "server")
    assert build_of(server) == ServerBuild(9, "libc")
    assert preloads(server) == [""]


def test_by_default_it_is_the_package_s_and_then_the_system_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cmeel")
    server = program(tmp_path / "server", status=1)
    assert build_of(server) == ServerBuild()
    packaged, system, none = preloads(server)
    assert packaged.endswith("cmeel.prefix/lib/libmimalloc.so")
    assert Path(packaged).is_file()
    assert (system, none) == ("libjemalloc.so.2", "")


def test_a_program_that_says_nothing_is_started_as_it_is(tmp_path: Path) -> None:
    assert build_of(tmp_path / "absent") == ServerBuild()


def test_an_allocator_that_cannot_be_seen_is_the_one_built_in() -> None:
    assert running_allocator(0, "libc") == "libc"
