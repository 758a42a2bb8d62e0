"""A real PostgreSQL as a child process, on a unix socket in a folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.support.waiting import wait_until

_UNPRIVILEGED = ("postgres", "nobody")
"""Users that the server runs as when the tests run as root, which PostgreSQL refuses; the first there is."""

_NEW = "-U stockyard -A trust -E UTF8 --locale=C --no-sync --no-instructions".split()
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_wal_size=64MB")


class PostgresServer:
    """A started server with one database, `stockyard`; everybody on the machine's socket may log in to it."""

    def __init__(self) -> None:
        self._programs = _programs()
        # Directly below the folder for such, as the path of a socket may have no more than 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="stockyard-pg-"))
        self._user = _user()
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        data = str(self.folder / "data")
        made = subprocess.run(
            [self._programs / "initdb", "-D", data, *_NEW],
            user=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
        options = [f"-c{each}" for each in ("listen_addresses=", f"unix_socket_directories={self.folder}", *_FAST)]
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", data, *options], user=self._user, cwd=self.folder, stderr=log
            )
        wait_until(self._is_ready)
        with psycopg.connect(f"host={self.folder} user=stockyard dbname=postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE stockyard")

    @property
    def conninfo(self) -> str:
        """How psycopg connects."""
        return f"host={self.folder} user=stockyard dbname=stockyard"

    @property
    def url(self) -> str:
        """How others connect."""
        return f"postgresql://stockyard@/stockyard?host={self.folder}"

    def stop(self) -> None:
        """End it, with its connections, and remove its folder."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        shutil.rmtree(self.folder)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            psycopg.connect(f"host={self.folder} user=stockyard dbname=postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _programs() -> Path:
    """Return the folder of the server's programs, of the newest version."""
    folders = [Path(os.environ["POSTGRESQL"])] if "POSTGRESQL" in os.environ else []
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    folders += [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError("no PostgreSQL: run `make postgresql`, which `make test` does by itself")


def _user() -> str | None:
    if os.getuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in known)
