"""Names the files of a data folder and keeps the folder its owner's alone."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stockyard.embedded import guardian
from stockyard.errors import EmbeddedServerError

_SOCKET_PATH_LIMIT = 100  # bytes; the kernels' own limits are 104 (BSD, macOS) and 108 (Linux)


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder: an absolute path without symbolic links, so that all its users mean the same files."""

    path: Path

    @classmethod
    def at(cls, data: Path | None) -> "Folder":
        """Name the folder `data`, or the default one of this user when it is `None`."""
        return cls((_default_path() if data is None else data).expanduser().resolve())

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
        return guardian.is_locked(self.path / guardian.GUARDIAN_LOCK)

    def prepare(self) -> None:
        """Create what is missing and close the folder to everybody else.

        Raises:
            EmbeddedServerError: the folder holds other things, belongs to somebody else or cannot be made.
        """
        locks = self.path / "locks"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not locks.is_dir() and any(self.path.iterdir()) and not locks.is_dir():
                raise EmbeddedServerError(
                    f"{self.path} holds files that are no server's data: give embedded:// a new or empty folder"
                )
            self.path.chmod(0o700)
            locks.mkdir(mode=0o700, exist_ok=True)
            if self.socket.parent != self.path:
                _make_short_place(self.socket.parent)
        except OSError as error:
            raise EmbeddedServerError(
                f"{self.path} cannot be an embedded server's data folder ({error.strerror}): "
                "give embedded:// a folder that you own and can write"
            ) from error

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of the server's log."""
        try:
            text = (self.path / guardian.LOG).read_text(errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])


def _default_path() -> Path:
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home) / "stockyard"


def _short_place() -> Path:
    # Not TMPDIR or XDG_RUNTIME_DIR: these differ between a login and a service of the same user, who must meet.
    return Path("/tmp") / f"stockyard-{os.getuid()}"  # noqa: S108 - its owner is checked before use


def _make_short_place(place: Path) -> None:
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{place} must be a folder of yours with mode 0700: somebody else made it; remove it or use a "
            f"data folder with a shorter path (up to {_SOCKET_PATH_LIMIT - len('/valkey.sock')} bytes)"
        )
