"""A cluster for the rows of shards: primaries without replicas, each a process, with persistence off."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from redis import Redis

from benchmarks.server import cpu_of
from stockyard import embedded
from stockyard.embedded import SetShape


class Cluster:
    """An embedded cluster; the program and its allocator are those of the other rows.

    Args:
        nodes: how many primaries it has, three or more.

    Attributes:
        url: its address.
    """

    def __init__(self, nodes: int) -> None:
        self._set = embedded.ephemeral(shape=SetShape("cluster", nodes, 0), appendonly=False)
        self.url = self._set.url
        members = embedded.status(self._set.data).members
        self._pids = [member.pid for member in members if member.pid is not None]
        self._clients: list[Any] = [Redis(member.host, member.port) for member in members]

    def flush(self) -> None:
        """Empty all nodes before a turn."""
        for client in self._clients:
            client.flushall()

    def cpu_seconds(self) -> list[float]:
        """Processor time of all threads of each node so far."""
        return [cpu_of(pid) for pid in self._pids]

    def ask(self, *command: str) -> Any:
        """Send a command to the first node and return its reply."""
        return self._clients[0].execute_command(*command)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self._set.release()
