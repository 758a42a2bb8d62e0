"""A Sentinel set and a cluster of real processes, whose members a test may kill, freeze and start again."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stockyard.embedded import SetShape, find_server, probe, readiness
from stockyard.embedded.allocator import build_of
from stockyard.embedded.launch import member_options
from stockyard.embedded.layout import BUS, HOST, Layout, Member
from stockyard.embedded.set_folder import make_files
from tests.support.ports import free_ports
from tests.support.waiting import wait_until

_PR_SET_PDEATHSIG = 1
_ELECTED = re.compile("Failover election won|Taking over the (?:master|primary)")
_prctl: Callable[..., int] | None = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass
class Node:
    """One process of a set; ``pid`` is that of its last start."""

    name: str
    host: str
    port: int
    pid: int = 0


class ServerSet(ABC):
    """Processes that form one set. Nothing restarts them but the test; they end with this process.

    Args:
        data: a new folder of its own.
        shape: what it is made of.
        options: more directives for the nodes that hold data.

    Attributes:
        url: for clients.
        nodes: those that hold data, the first primaries first.
        sentinels: those that watch them; none in a cluster.
    """

    def __init__(self, data: Path, shape: SetShape, *, options: dict[str, str] | None = None) -> None:
        self._data = data
        members = len(shape.roles())
        # Of this worker's own, so that no other takes the port of a member that is away for a while.
        first = free_ports(members, bus=BUS if shape.kind == "cluster" else 0)
        self._layout = Layout.new(shape, list(range(first, first + members)))
        self._members = {member.name: member for member in self._layout.members}
        self._build = build_of(find_server())
        self._options = [part for name, value in (options or {}).items() for part in (f"--{name}", value)]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = self._layout.url
        self.nodes = [_node(member) for member in self._layout.nodes]
        self.sentinels = [_node(member) for member in self._layout.sentinels]
        make_files(self._layout, data)

    def start(self) -> None:
        """Start all that do not run, and wait until the set is whole."""
        for node in self._all():
            if node.name not in self._processes:
                self._start(node)
        self.wait_ready()

    def stop(self) -> None:
        """End all processes and wait until they are gone."""
        for node in reversed(self._all()):
            self._end(node, signal.SIGKILL)

    def wait_ready(self) -> None:
        """Wait until all members run, agree on who is primary, and every replica is linked."""
        wait_until(lambda: not readiness.missing(self._layout, within=1), within=30, every=0.05)

    def kill(self, node: Node) -> None:
        """End a node by SIGKILL and wait until it is gone; it stays so until ``restart``."""
        self._end(node, signal.SIGKILL)

    def restart(self, node: Node) -> None:
        """Start a node on what its folder holds, ending it first if it runs, and wait until it answers."""
        self._end(node, signal.SIGTERM)
        self._start(node)
        wait_until(lambda: probe.answers((node.host, node.port), within=1), within=15)

    def freeze(self, node: Node) -> None:
        """Stop a node by SIGSTOP: connections stay open and nothing is answered."""
        os.kill(node.pid, signal.SIGSTOP)

    def thaw(self, node: Node) -> None:
        """Let a node go on after ``freeze``."""
        os.kill(node.pid, signal.SIGCONT)

    def client(self, node: Node, *, timeout: float = 2.0) -> redis.Redis:
        """Return a sync client of one node that decodes replies and tries each command once."""
        return redis.Redis(
            node.host, node.port, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=timeout
        )

    def log(self, node: Node) -> str:
        """Return what a node has logged."""
        return (self._data / node.name / "server.log").read_text(errors="replace")

    def primaries(self) -> list[Node]:
        """Return the nodes that say they are primaries now."""
        return [node for node in self.nodes if self.is_primary(node)]

    def is_primary(self, node: Node) -> bool:
        """Say whether a node answers, and says that it is a primary."""
        return probe.info((node.host, node.port), within=1).get("role") == "master"

    def replica_of(self, primary: Node) -> Node:
        """Return a node that follows a primary."""
        for node in self.nodes:
            facts = probe.info((node.host, node.port), within=1)
            if facts.get("role") == "slave" and facts["master_port"] == str(primary.port):
                return node
        raise AssertionError(f"{primary.name} has no replica")

    @abstractmethod
    def primary_of(self, key: str) -> Node:
        """Return the node that serves a key, as the first member that answers sees it."""

    @abstractmethod
    def failovers(self) -> int:
        """Return how many failovers there were since the start, by the members' logs."""

    def is_known_as_primary(self, node: Node) -> bool:
        """Say whether clients that ask now are led to a new primary alone."""
        return self.is_primary(node)

    def rejoin(self, old: Node, new: Node) -> None:
        """Return when a node that runs again follows the one that has taken its place, and the set is whole."""
        self.wait_ready()

    def _all(self) -> list[Node]:
        return [*self.nodes, *self.sentinels]

    def _start(self, node: Node) -> None:
        member = self._members[node.name]
        options = member_options(self._layout, member, self._data, self._build)
        more = [] if member.role == "sentinel" else self._options
        with (self._data / node.name / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [find_server(), *options, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,
            )
        self._processes[node.name] = process
        node.pid = process.pid

    def _end(self, node: Node, by: signal.Signals) -> None:
        process = self._processes.pop(node.name, None)
        if process is not None:
            process.send_signal(by)
            process.send_signal(signal.SIGCONT)  # a frozen process would not hear the polite one
            process.wait()


class SentinelSet(ServerSet):
    """One primary, one replica and three Sentinels that call the primary ``primary``."""

    service = "primary"

    def __init__(self, data: Path, *, options: dict[str, str] | None = None) -> None:
        super().__init__(data, SetShape("sentinel"), options=options)

    def primary_of(self, key: str) -> Node:
        return self.primary()

    def primary(self) -> Node:
        """Return the node that the first Sentinel that answers calls the primary."""
        named = next(filter(None, map(self.primary_by, self.sentinels)), None)
        assert named is not None, "no Sentinel answers"
        return named

    def primary_by(self, sentinel: Node) -> Node | None:
        """Return the node that a Sentinel calls the primary; None when it does not answer."""
        facts = probe.info((sentinel.host, sentinel.port), within=1)
        seen = dict(part.partition("=")[::2] for part in facts.get("master0", "").split(","))
        return next((node for node in self.nodes if seen.get("address") == f"{node.host}:{node.port}"), None)

    def failovers(self) -> int:
        # Each Sentinel notes each of them; one that was away hears of it later.
        return max(self.log(sentinel).count("+switch-master ") for sentinel in self.sentinels)

    def is_known_as_primary(self, node: Node) -> bool:
        return all(self.primary_by(sentinel) == node for sentinel in self.sentinels)

    def rejoin(self, old: Node, new: Node) -> None:
        # The Sentinels would wait for ten seconds.
        wait_until(lambda: self._follows(old, new))
        self.wait_ready()

    def _follows(self, old: Node, new: Node) -> bool:
        try:
            with self.client(old) as client:
                client.replicaof(new.host, str(new.port))
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        return True


class ClusterSet(ServerSet):
    """A cluster; node *n* is first primary of the *n*-th part of the slots, its replica is node *nodes + n*."""

    def __init__(
        self, data: Path, *, nodes: int = 3, replicas: int = 1, options: dict[str, str] | None = None
    ) -> None:
        super().__init__(data, SetShape("cluster", nodes, replicas), options=options)

    def failovers(self) -> int:
        return sum(len(_ELECTED.findall(self.log(node))) for node in self.nodes)

    def primary_of(self, key: str) -> Node:
        for node in self.nodes:
            try:
                with self.client(node) as client:
                    slot = client.execute_command("CLUSTER KEYSLOT", key)
                    ranges = client.execute_command("CLUSTER SLOTS")
            except (redis.ConnectionError, redis.TimeoutError):
                continue
            for first, last, primary, *_ in ranges:
                if first <= slot <= last:
                    return next(each for each in self.nodes if each.port == primary[1])
        raise AssertionError(f"no node answers, or none serves {key!r}")


def _node(member: Member) -> Node:
    return Node(member.name, HOST, member.port)


def _end_with_parent() -> None:
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
