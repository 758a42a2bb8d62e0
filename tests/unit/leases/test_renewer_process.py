"""The process that renews leases, beside a server that says nothing."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest

from stockyard._store.composed_script import ComposedScript
from stockyard.config import Address
from stockyard.errors import ReplyLost
from stockyard.leases.assignment import READY, Assignment, MessageWriter, framed
from stockyard.leases.renewer_process import Renewer
from stockyard.leases.table import Lease, LeaseTable
from stockyard.model.naming import Naming

PATIENT = """
from stockyard.leases import renewer_process
renewer_process._CALL_SECONDS = 600
renewer_process.main()
"""


def test_it_ends_with_its_parent_though_a_call_waits_for_the_server() -> None:
    table = LeaseTable.create()
    table.hold(Lease("q", "1", "w:1", 1, 30_000))
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen(
            [sys.executable, "-c", PATIENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(table.descriptor,),
            bufsize=0,
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        address = Address("redis", "127.0.0.1", server.getsockname()[1])
        script = ComposedScript("sha", "return {}", ("active",), reads_only=False)
        assignment = Assignment(address, Naming("bull"), script, table.descriptor, is_replacement=True)
        child.stdin.write(assignment.packed())
        assert os.read(child.stdout.fileno(), 100) == framed(READY)
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b"*"
            child.stdin.close()
            assert child.wait(60) == 0
    table.close()


def test_it_ends_when_its_parent_ends_before_it_has_said_anything() -> None:
    with subprocess.Popen([sys.executable, "-c", PATIENT], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(60) == 0


def test_it_ends_without_a_word_when_nobody_hears_its_first() -> None:
    table = LeaseTable.create()
    child = subprocess.Popen(
        [sys.executable, "-c", PATIENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(table.descriptor,),
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    script = ComposedScript("sha", "return {}", ("active",), reads_only=False)
    address = Address("redis", "127.0.0.1", 1)
    with child, child.stdin as parent:
        parent.write(Assignment(address, Naming("bull"), script, table.descriptor, is_replacement=False).packed())
        parent.flush()
        assert (child.stderr.read(), child.wait(60)) == (b"", 0)
    table.close()


class Servers:
    """Those of several queues; each call to a silent one takes two seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def renew(self, queue: str, leases: Sequence[object], lock_ms: int) -> list[str]:
        self.asked.append(queue)
        if queue in self.silent:
            self.now += 2
            raise ReplyLost("silent")
        return []


def test_queues_of_a_silent_server_do_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    table = LeaseTable.create()
    for queue in ("a", "b", "c", "d"):
        table.hold(Lease(queue, "1", "w:1", 1, 8000))
    script = ComposedScript("sha", "return {}", ("active",), reads_only=False)
    assignment = Assignment(Address("redis"), Naming("bull"), script, table.descriptor, is_replacement=False)
    servers = Servers()
    renewer = Renewer(assignment, MessageWriter(os.open(os.devnull, os.O_WRONLY)), clock=lambda: servers.now)
    monkeypatch.setattr(renewer, "_renewals", servers)

    def asked() -> str:
        servers.asked.clear()
        renewer.renew_all(table)
        return "".join(servers.asked)

    assert asked() == "abcd"
    servers.silent = {"a", "b", "c"}
    assert asked() == "abcd"
    # Renewals are due every two seconds: one call to a silent server is all that there is time for.
    assert [asked() for _ in range(4)] == ["da", "db", "dc", "da"]
    servers.silent = set()
    assert sorted(asked()) == ["a", "b", "c", "d"]
    assert asked() == "abcd"
    table.close()
