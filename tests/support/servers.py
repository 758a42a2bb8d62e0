"""Servers, and users of a server, as processes that a test may kill."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stockyard.embedded import SetShape, find_server
from tests.support.ports import free_port
from tests.support.waiting import wait_until

_USER = """
import sys
from pathlib import Path
from stockyard.embedded import SetShape, acquire
_, data, *shape = sys.argv
server = acquire(Path(data), shape=SetShape(shape[0], int(shape[1]), int(shape[2])) if shape else None)
print(server.url, flush=True)
sys.stdin.read()
"""


class OwnServer:
    """A private server: a child process on a unix socket or on a TCP port of localhost; AOF every second.

    Args:
        data: its folder.
        password: what clients must give; part of `url`. Defaults to none.
        user: who has that password, by an ``aclfile`` among the options. Defaults to everybody.
        port: whether it listens on a TCP port, which stays the same over restarts. Defaults to False.
        options: more directives of its configuration file.
        base: a configuration file that all this is laid over, instead of AOF and no eviction; but for its folder.
    """

    def __init__(
        self,
        data: Path,
        *,
        password: str | None = None,
        user: str = "",
        port: bool = False,
        options: dict[str, str] | None = None,
        base: Path | None = None,
    ) -> None:
        self.data = data
        self.port = free_port() if port else 0
        self._socket = data / "s"
        self._password = password
        self._user = user
        self._options = options or {}
        self._base = base
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f"{self._user}:{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0" if self.port else f"unix://{login}{self._socket}?db=0"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.data / "server.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, on what its folder holds, and wait until it answers."""
        assert self._process is None, "the server runs already"
        self._process = subprocess.Popen([find_server(), "-"], stdin=subprocess.PIPE)
        assert self._process.stdin is not None
        with self._process.stdin as configuration:
            configuration.write(self._configuration().encode())
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers, or fail with its log."""
        wait_until(self._is_ready)

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it cleanly, if it runs, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def client(self) -> "redis.Redis":
        """A sync client that decodes answers and tries each command once."""
        return redis.Redis.from_url(self.url, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def _is_ready(self) -> bool:
        assert self._process is not None, "the server was not started"
        if self._process.poll() is not None:
            raise AssertionError(f"the server ended with status {self._process.returncode}:\n{self.log}")
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError), self.client() as client:
            return bool(client.ping())
        return False

    def _end(self, by: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(by)
        self._process.send_signal(signal.SIGCONT)  # a paused process would not hear the polite one
        self._process.wait()
        self._process = None

    def _configuration(self) -> str:
        directives = {
            "dir": str(self.data),
            "logfile": str(self.data / "server.log"),
            "bind": "127.0.0.1",
            "port": str(self.port),
        }
        text = ""
        if self._base is None:
            directives |= {
                "save": '""',
                "appendonly": "yes",
                "appendfsync": "everysec",
                "maxmemory-policy": "noeviction",
            }
        else:
            text = re.sub(r"^dir .*\n", "", self._base.read_text(), flags=re.M)
        if not self.port:
            directives["unixsocket"] = str(self._socket)
        if self._password and not self._user:
            directives["requirepass"] = self._password
        return text + "".join(f"{name} {value}\n" for name, value in (directives | self._options).items())


class EmbeddedUser:
    """A process that holds a share of the server or set of `data` until it leaves or is killed."""

    def __init__(self, data: Path, shape: SetShape | None = None) -> None:
        asked = [shape.kind, str(shape.nodes), str(shape.replicas)] if shape else []
        self._process = subprocess.Popen(
            [sys.executable, "-c", _USER, data, *asked], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def url(self) -> str:
        """What it was given; waits until it was given something."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def leave(self) -> None:
        """End it as a program ends: without a word about the server."""
        self._process.communicate()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.communicate()
