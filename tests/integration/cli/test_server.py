"""`stockyard server`: the embedded server, pinned and let go."""

from pathlib import Path

import msgspec
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


def test_a_set_of_the_project_is_found_without_naming_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    data = None
    try:
        assert main(["server", "start", "--cluster", "3", "--replicas", "0", "--json"]) == 0
        started = msgspec.json.decode(capsys.readouterr().out)
        data = Path(started["data"])
        assert data.name.endswith("-cluster")
        assert (started["running"], started["problem"]) == (True, None)
        assert [member["role"] for member in started["members"]] == ["primary"] * 3
        assert main(["server", "status"]) == 0
        shown = capsys.readouterr().out
        assert started["url"] in shown
        assert f"127.0.0.1:{started['members'][2]['port']}" in shown
        monkeypatch.setenv("REDIS_URL", "embedded+cluster://?replicas=0")
        assert main(["server", "status"]) == 0
        assert main(["server", "stop"]) == 0
        assert "does not run" in capsys.readouterr().out
        assert main(["server", "status"]) == 1
    finally:
        unpin(data or tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--sentinel", "--cluster", "3"], "--sentinel and --cluster start different sets: give one of them"),
        (["--replicas", "1"], "--replicas belongs to --cluster"),
        (["--cluster", "2"], "nodes of 'cluster' must be from 3 to 50; got 2"),
    ],
)
def test_a_set_that_cannot_be_is_refused(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["server", "start", *arguments]) == 2
    assert problem in capsys.readouterr().err
