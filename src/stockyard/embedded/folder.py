"""Names the files of a data folder and keeps the folder its owner's alone."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stockyard.embedded import guardian
from stockyard.embedded.project import default_data
from stockyard.errors import EmbeddedServerError

_LINKS = 40
_SOCKET_PATH_LIMIT = 100  # bytes; the kernels' own limits are 104 (BSD, macOS) and 108 (Linux)


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder: an absolute path without symbolic links, so that all its users mean the same files."""

    path: Path

    @classmethod
    def at(cls, data: Path | None, kind: str = "") -> "Folder":
        """Name the folder `data`, or the one of this user's project when it is `None`.

        Args:
            data: its path.
            kind: `sentinel` or `cluster` for that of the project's set.

        Raises:
            EmbeddedServerError: a symbolic link of another user leads there.
        """
        path = Path(os.path.abspath((default_data(kind) if data is None else data).expanduser()))
        _refuse_foreign_links(path)
        return cls(path.resolve())

    @property
    def socket(self) -> Path:
        """The server's unix socket: in the folder, or in a short place when the folder's path is too long."""
        socket = self.path / "valkey.sock"
        if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
            return socket
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return _short_place() / f"{digest}.sock"

    @property
    def url(self) -> str:
        """The server's URL for a Redis client."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def users_lock(self) -> Path:
        """Held shared by every user."""
        return self.path / guardian.USERS_LOCK

    @property
    def start_lock(self) -> Path:
        """Held by the user that looks for a guardian."""
        return self.path / guardian.START_LOCK

    @property
    def pin_mark(self) -> Path:
        """Exists while the server is to outlive its users."""
        return self.path / guardian.PIN_MARK

    @property
    def is_guarded(self) -> bool:
        """Whether a guardian runs, and with it a server or the start of one."""
        self.check()
        try:
            return guardian.is_locked(self.path / guardian.GUARDIAN_LOCK)
        except OSError as error:
            raise self.unusable(error) from error

    def prepare(self) -> None:
        """Create what is missing and close the folder to all other users.

        Raises:
            EmbeddedServerError: the folder holds other things, is another user's, can be changed by others, or
                cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened() as folder:
                self._check(folder)
                if "locks" not in (names := os.listdir(folder)) and names and "locks" not in os.listdir(folder):
                    raise EmbeddedServerError(
                        f"{self.path} holds files that are no server's data: give embedded:// a new or empty "
                        "folder"
                    )
                os.fchmod(folder, 0o700)
                try:
                    os.mkdir("locks", 0o700, dir_fd=folder)
                except FileExistsError:
                    _refuse_planted(os.stat("locks", dir_fd=folder, follow_symlinks=False), self.path / "locks")
            if self.socket.parent != self.path:
                _make_short_place(self.socket.parent)
        except OSError as error:
            raise self.unusable(error) from error

    def open_lock(self, path: Path) -> int:
        """Open one of the folder's lock files or its pin.

        Raises:
            EmbeddedServerError: something else was put in its place.
        """
        try:
            return guardian.open_lock(path)
        except OSError as error:
            raise EmbeddedServerError(
                f"{path} is no file of an embedded server of yours ({error.strerror}): remove it, or give "
                "embedded:// another folder"
            ) from error

    def check(self) -> None:
        """Refuse a folder that others can change; one that does not exist is fine.

        Raises:
            EmbeddedServerError: it belongs to another user, or others may write to it.
        """
        try:
            with self._opened() as folder:
                self._check(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.unusable(error) from error
        if self.socket.parent != self.path and self.socket.parent.is_dir():
            _check_short_place(self.socket.parent)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _check(self, descriptor: int) -> None:
        """Judge the folder that is open, not one that may be put in its place meanwhile."""
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{self.path} belongs to another user (uid {found.st_uid}, this process is {os.geteuid()}): give "
                "embedded:// a folder of yours"
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise EmbeddedServerError(
                f"{self.path} can be written by other users (mode {stat.S_IMODE(found.st_mode):04o}), who may "
                "have put files or links into it: see what it holds, then `chmod 700` it, or name another folder"
            )
        for parent in self.path.parents:
            mode = parent.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise EmbeddedServerError(
                    f"{parent}, above the data folder {self.path}, can be written by all users, who could replace "
                    "that folder: name a folder elsewhere"
                )

    def unusable(self, error: OSError) -> EmbeddedServerError:
        """Return the error that says why the system refuses this folder."""
        return EmbeddedServerError(
            f"{self.path} cannot be an embedded server's data folder ({error.strerror}): "
            "give embedded:// a folder that you own and can write"
        )

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of the server's log."""
        try:
            with os.fdopen(guardian.open_own(self.path / guardian.LOG, os.O_RDONLY), errors="replace") as log:
                return "\n".join(log.read().splitlines()[-lines:]) or "(no log)"
        except OSError:
            return "(no log)"


def _refuse_foreign_links(path: Path, depth: int = 0) -> None:
    """Refuse a path over a symbolic link that another user made, as anybody can in /tmp."""
    for part in reversed((path, *path.parents)):
        try:
            found = part.lstat()
        except OSError:
            return
        if not stat.S_ISLNK(found.st_mode):
            continue
        if found.st_uid not in (0, os.geteuid()) or depth > _LINKS:
            raise EmbeddedServerError(
                f"{part}, on the way to a data folder, is a symbolic link of another user (uid {found.st_uid}): "
                "give embedded:// a path without it"
            )
        _refuse_foreign_links(Path(os.path.abspath(part.parent / part.readlink())), depth + 1)


def _refuse_planted(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"{path} must be a folder of yours; there is a link or a file: remove it, or give "
            "embedded:// another folder"
        )


def _short_place() -> Path:
    # Not TMPDIR or XDG_RUNTIME_DIR: these differ between a login and a service of the same user, who must meet.
    return Path("/tmp") / f"stockyard-{os.geteuid()}"  # noqa: S108 - its owner is checked before use


def _make_short_place(place: Path) -> None:
    place.mkdir(mode=0o700, exist_ok=True)
    _check_short_place(place)


def _check_short_place(place: Path) -> None:
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{place} must be a folder of yours with mode 0700: another user made it; remove it or use a "
            f"data folder with a shorter path (up to {_SOCKET_PATH_LIMIT - len('/valkey.sock')} bytes)"
        )
