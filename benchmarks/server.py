"""The one server of a run: a process of its own on a free loopback port, with persistence off."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import ConnectionError as NoAnswer

from benchmarks.processes import SideFailed
from stockyard.embedded.allocator import build_of, environment_with, running_allocator
from stockyard.embedded.binary import find_server

_PATIENCE = 10.0


class Server:
    """A private Valkey or Redis; the program and its allocator are chosen as for `embedded://`.

    Attributes:
        url: its address, the same loopback TCP one for every side.
        version: name and version, as it reports them itself.
        allocator: its memory allocator, the same for every side.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="stockyard-bench-")
        port = _free_port()
        program = find_server()
        self.url = f"redis://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [
                *(str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""),
                *("--appendonly", "no", "--dir", self._folder.name),
            ],
            env=environment_with(build_of(program).preload),
            stdout=subprocess.DEVNULL,
        )
        self._client: Any = Redis.from_url(self.url, decode_responses=True)
        self._await_answer()
        info = self._client.info()
        self.allocator = running_allocator(self._process.pid, info["mem_allocator"])
        self.version = " ".join(
            (info.get("server_name", "redis"), info.get("valkey_version") or info["redis_version"])
        )

    def flush(self) -> None:
        """Empty the server before a side's turn."""
        self._client.flushall()

    def used_memory(self) -> int:
        """Bytes that the server has allocated, once no other client is connected."""
        deadline = time.monotonic() + _PATIENCE
        while len(self._client.client_list(_type="normal")) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        # Tables that grew are rehashed little by little in the server's idle time.
        time.sleep(1)
        return int(self._client.info("memory")["used_memory"])

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        return cpu_of(self._process.pid)

    def calls(self, command: str) -> int:
        """How often a command was run so far."""
        return int(self._client.info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))

    def completed(self, queue: str = "bench") -> int:
        """How many finished jobs the queue holds by BullMQ's protocol."""
        return int(self._client.zcard(f"bull:{queue}:completed"))

    def await_completed(self, jobs: int, queue: str = "bench") -> None:
        """Wait until so many jobs are finished, after the start of the last of them.

        Raises:
            SideFailed: it is another number.
        """
        deadline = time.monotonic() + _PATIENCE
        while (completed := self.completed(queue)) < jobs and time.monotonic() < deadline:
            time.sleep(0.02)
        if completed != jobs:
            raise SideFailed(f"{completed:,} of {jobs:,} jobs are completed on the server")

    def backlog(self, queue: str = "bench") -> int:
        """How many jobs wait in the queue, prioritized ones included."""
        return int(self._client.llen(f"bull:{queue}:wait") + self._client.zcard(f"bull:{queue}:prioritized"))

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._client.ping()
                return
            except NoAnswer:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()


def cpu_of(process: int) -> float:
    """Return the processor time of all threads of a process so far, in seconds."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
