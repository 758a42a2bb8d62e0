"""`stockyard server`: the embedded server, pinned and let go."""

from pathlib import Path

import pytest

from stockyard.cli import main
from stockyard.embedded import status, unpin


def test_a_started_server_stays_until_it_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    here = f"--data={data}"
    assert main(["server", "status", here]) == 1
    try:
        assert main(["server", "start", here]) == 0
        assert status(data).running
        capsys.readouterr()
        assert main(["server", "status", here]) == 0
        assert f"unix://{data}/valkey.sock" in capsys.readouterr().out
    finally:
        assert main(["server", "stop", here]) == 0
        unpin(data)
    assert not status(data).running


def test_the_commands_agree_on_the_folder_of_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REDIS_URL", f"embedded://{data}")
    try:
        assert main(["server", "start"]) == 0
        assert str(data) in capsys.readouterr().out
        assert main(["server", "status"]) == 0
        assert main(["server", "stop"]) == 0
        assert main(["server", "status"]) == 1
        assert not status(data).running
    finally:
        unpin(data)


def test_a_folder_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert main(["server", "start", f"--data={tmp_path}"]) == 2
    assert "holds files that are no server's data" in capsys.readouterr().err
