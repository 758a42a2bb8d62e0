"""Which folder is meant, and which folder is refused."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stockyard.embedded import acquire, guardian, pin, status, unpin
from stockyard.embedded.folder import Folder
from stockyard.errors import EmbeddedServerError


def test_the_default_is_in_the_users_data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Folder.at(None).path.parent == tmp_path / "stockyard/projects"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Folder.at(None).path.parent == tmp_path / ".local/share/stockyard/projects"


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git", "setup.py", ".env"])
def test_the_default_is_one_for_all_folders_of_a_project_and_of_no_other(
    mark: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {}
    for place in ("one/app", "two/app", "one/app/src/deep", "two/app/tests"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        if place.endswith("app"):
            (folder / mark).touch()
        monkeypatch.chdir(folder)
        found[place] = Folder.at(None).path
        assert found[place].name.startswith("app-")
    assert found["one/app"] == found["one/app/src/deep"] != found["two/app"] == found["two/app/tests"]


def test_settings_of_a_subfolder_do_not_split_a_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / ".env").touch()
    monkeypatch.chdir(tmp_path)
    project = Folder.at(None)
    monkeypatch.chdir(tmp_path / "worker")
    assert Folder.at(None) == project


def test_without_a_project_the_working_directory_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        folders.append(Folder.at(None))
    assert folders[0] != folders[1]


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


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
NOBODY = 65534


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as it was used before."""
    folder = tmp_path / "data"
    Folder.at(folder).prepare()
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file that must stay as it is."""
    file = tmp_path / "victim"
    file.write_text("precious")
    yield file
    assert file.read_text() == "precious"


def uses(data: Path) -> None:
    """Start a server there, pin it, and let it go, as far as that is allowed."""
    with contextlib.suppress(EmbeddedServerError):
        acquire(data, timeout=0.5).release()
    with contextlib.suppress(EmbeddedServerError):
        pin(data, timeout=0.5)
    with contextlib.suppress(EmbeddedServerError):
        unpin(data)


@needs_root
@pytest.mark.parametrize("use", [acquire, pin, unpin, status])
def test_a_folder_of_another_user_is_refused(data: Path, use: Callable[[Path], object]) -> None:
    os.chown(data, NOBODY, NOBODY)
    before = sorted(os.listdir(data))
    with pytest.raises(EmbeddedServerError, match=r"belongs to another user \(uid 65534"):
        use(data)
    assert sorted(os.listdir(data)) == before


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
@pytest.mark.parametrize("use", [acquire, pin, unpin, status])
def test_a_folder_that_others_can_write_is_refused(data: Path, mode: int, use: Callable[[Path], object]) -> None:
    data.chmod(mode)
    with pytest.raises(EmbeddedServerError, match=r"can be written by other users .*chmod 700"):
        use(data)
    assert data.stat().st_mode & 0o7777 == mode


def test_a_folder_that_others_could_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(EmbeddedServerError, match="who could replace"):
        acquire(shared / "data")


@needs_root
def test_a_link_of_another_user_is_not_followed(tmp_path: Path, data: Path) -> None:
    planted = tmp_path / "planted"
    planted.symlink_to(data)
    assert Folder.at(planted) == Folder.at(data)
    os.chown(planted, NOBODY, NOBODY, follow_symlinks=False)
    for path in (planted, planted / "deeper"):
        with pytest.raises(EmbeddedServerError, match="is a symbolic link of another user"):
            Folder.at(path)


@pytest.mark.parametrize(
    "name", ["locks/users", "locks/start", "locks/guardian", "locks/server", "pinned", "server.log"]
)
@pytest.mark.parametrize("kind", ["link", "dangling", "fifo"])
def test_nothing_that_was_planted_in_the_place_of_a_file_is_opened(
    data: Path, victim: Path, name: str, kind: str, tmp_path: Path
) -> None:
    place = data / name
    if kind == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(victim if kind == "link" else tmp_path / "new")
    with pytest.raises((EmbeddedServerError, OSError)):
        guardian.open_own(place, os.O_RDWR)
    uses(data)
    assert not (tmp_path / "new").exists()


def test_a_link_in_the_place_of_the_locks_is_refused(tmp_path: Path) -> None:
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    data.mkdir(mode=0o700)
    (data / "locks").symlink_to(elsewhere)
    with pytest.raises(EmbeddedServerError, match="there is a link or a file"):
        acquire(data)
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_the_sockets_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, place = tmp_path / "elsewhere", tmp_path / "place"
    elsewhere.mkdir(mode=0o700)
    place.symlink_to(elsewhere)
    monkeypatch.setattr("stockyard.embedded.folder._short_place", lambda: place)
    with pytest.raises(EmbeddedServerError, match="must be a folder of yours with mode 0700"):
        Folder(tmp_path / ("x" * 100)).prepare()
