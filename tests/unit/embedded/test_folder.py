"""Which folder is meant, and which folder is refused."""

import os
from pathlib import Path

import pytest

from stockyard.embedded.folder import Folder
from stockyard.errors import EmbeddedServerError


def test_the_default_is_the_users_data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Folder.at(None).path == tmp_path / "stockyard"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Folder.at(None).path == tmp_path / ".local/share/stockyard"


def test_a_short_path_holds_its_socket_and_a_long_one_has_it_elsewhere() -> None:
    assert Folder(Path("/srv/data")).socket == Path("/srv/data/valkey.sock")
    one, two = Folder(Path("/srv") / ("x" * 100) / "one"), Folder(Path("/srv") / ("x" * 100) / "two")
    assert len(os.fsencode(one.socket)) < 104
    assert one.socket != two.socket


def test_a_url_escapes_what_would_end_its_path() -> None:
    assert Folder(Path("/srv/a b?#%")).url == "unix:///srv/a%20b%3F%23%25/valkey.sock"


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    before = tmp_path.stat().st_mode
    with pytest.raises(EmbeddedServerError, match="new or empty folder"):
        Folder.at(tmp_path).prepare()
    assert tmp_path.stat().st_mode == before
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(EmbeddedServerError, match="cannot be an embedded server's data folder"):
        Folder.at(file).prepare()


def test_a_short_place_that_others_can_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = tmp_path / "place"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr("stockyard.embedded.folder._short_place", lambda: open_to_all)
    with pytest.raises(EmbeddedServerError, match="must be a folder of yours with mode 0700"):
        Folder(tmp_path / ("x" * 100)).prepare()
