"""The users of `deploy/users.acl` on a cluster, and the user for Sentinels that the page shows."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stockyard import App, ServerError, Topology
from stockyard._store.net.cluster import Cluster
from stockyard._store.net.slots import slot_of
from stockyard.config import Settings
from stockyard.monitoring import Severity
from tests.integration.test_acl import FILE, with_passwords
from tests.support.documents import ROOT
from tests.support.role_table import ROLES
from tests.support.roles import broadcast
from tests.support.sets import ClusterSet, SentinelSet
from tests.support.stage import Stage
from tests.support.waiting import eventually


class GuardedCluster:
    """A cluster with the shipped users beside its own, and a look at what it refused."""

    def __init__(self, servers: ClusterSet) -> None:
        self.servers = servers
        self.clients: list[Any] = [servers.client(node) for node in servers.nodes]
        for user in re.findall(r"^user (.*)$", with_passwords(FILE.read_text()), re.M):
            if not user.startswith("default "):
                self.everywhere("ACL", "SETUSER", *user.split())
        # As the page says: these servers know the command, and older ones refuse a file that names it.
        for role in ("reader", "operator"):
            self.everywhere("ACL", "SETUSER", role, "+cluster|slot-stats")
        for client in self.clients:
            # The library's reader stumbles over names of connections that end with '='.
            client.set_response_callback("ACL LOG", lambda reply, **_: reply)

    def everywhere(self, *command: str) -> None:
        """Run a command on every node."""
        for client in self.clients:
            client.execute_command(*command)

    def login(self, role: str) -> str:
        return self.servers.url.replace("://", f"://{role}:{role * 2}@")

    def refused(self) -> list[str]:
        """What was refused since this was asked last."""
        found = [each for client in self.clients for each in client.acl_log()]
        self.everywhere("ACL", "LOG", "RESET")
        return [f"{each['username']}: {each['object']} ({each['reason']})" for each in found]

    @contextmanager
    def moving(self, key: str) -> Iterator[None]:
        """Let the slot of a key be on its way to another node, where a key is that does not exist."""
        at = self.servers.nodes.index(self.servers.primary_of(key))
        # The first three nodes are the primaries.
        from_, to = self.clients[at], self.clients[(at + 1) % 3]
        slot, ids = slot_of(key), [client.execute_command("CLUSTER", "MYID") for client in (from_, to)]
        to.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        from_.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        try:
            yield
        finally:
            for client in (from_, to):
                client.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedCluster]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = ClusterSet(Path(data), options={"appendonly": "yes"})
        try:
            servers.start()
            yield GuardedCluster(servers)
        finally:
            servers.stop()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_all_that_it_needs_on_a_cluster(guarded: GuardedCluster, role: str) -> None:
    guarded.refused()
    for number, operation in enumerate(ROLES[role]):
        stage = Stage(guarded.login(role), guarded.login("admin"), f"desk:{role}{number}")
        try:
            await operation(stage)
        finally:
            await stage.aclose()
        assert guarded.refused() == [], operation.__name__


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("command", ["cluster|slots", "asking"])
async def test_a_role_needs_the_commands_of_clusters(guarded: GuardedCluster, role: str, command: str) -> None:
    key = {"cache": "{bull::cache}:x", "pubsub": "{bull::channel:c}:x"}.get(role, "{bull:f}:q:x")
    asked = ("GET" if role == "cache" else "EXISTS", key)
    with guarded.moving(key):
        guarded.refused()
        await ask(guarded.login(role), asked)
        assert guarded.refused() == []
        guarded.everywhere("ACL", "SETUSER", role, f"-{command}")
        try:
            with pytest.raises(ServerError):
                await ask(guarded.login(role), asked)
        finally:
            guarded.everywhere("ACL", "SETUSER", role, f"+{command}")
        assert {each.partition(" (")[0] for each in guarded.refused()} == {f"{role}: {command}"}


async def ask(url: str, command: tuple[str, str]) -> None:
    """Run a command by a cluster's map that is asked for anew."""
    cluster = Cluster(Settings.load(url, dotenv=None).address, call_timeout=1)
    try:
        await cluster.call(*command)
    finally:
        await cluster.aclose()


@pytest.mark.parametrize("command", ["spublish", "ssubscribe", "sunsubscribe"])
async def test_live_channels_need_the_commands_of_slots(guarded: GuardedCluster, command: str) -> None:
    guarded.refused()
    guarded.everywhere("ACL", "SETUSER", "pubsub", f"-{command}")
    stage = Stage(guarded.login("pubsub"), guarded.login("admin"), f"desk:without-{command}")
    doing = asyncio.create_task(broadcast(stage))
    try:
        await eventually(lambda: f"pubsub: {command}" in {each.partition(" (")[0] for each in guarded.refused()})
    finally:
        guarded.everywhere("ACL", "SETUSER", "pubsub", f"+{command}")
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        await stage.aclose()


async def test_a_reader_may_see_what_the_doctor_looks_at(guarded: GuardedCluster) -> None:
    desk = Topology("desk")
    desk.queue("execution:orders")
    async with App(desk, guarded.login("reader"), prefix="bull") as app:
        found = {each.check: each for each in await app.check_server()}
    assert not any(each.is_hidden for each in found.values())
    assert found["slots"].severity is Severity.OK


async def test_the_user_of_the_page_may_ask_the_sentinels_all_that_is_asked(sentinel_set: SentinelSet) -> None:
    page = (ROOT / "docs" / "operations" / "security.md").read_text()
    (command,) = re.findall(r"ACL SETUSER (stockyard .*)$", page, re.M)
    clients: list[Any] = [sentinel_set.client(node) for node in sentinel_set.sentinels]
    for client in clients:
        client.execute_command("ACL", "SETUSER", *command.replace("#…", ">secret").split())
    desk = Topology("desk")
    desk.queue("orders")
    url = f"{sentinel_set.url}?sentinel_username=stockyard&sentinel_password=secret"
    try:
        async with App(desk, url, prefix="bull") as app:
            await app.queue("orders").add("x")
            found = {each.check: each for each in await app.check_server()}
        assert (found["sentinels"].severity, found["sentinels"].cause) == (Severity.OK, "3, of which 2 must agree")
        assert found["down-after-milliseconds"].severity is Severity.OK
        assert [client.execute_command("ACL", "LOG") for client in clients] == [[], [], []]
    finally:
        for client in clients:
            client.execute_command("ACL", "DELUSER", "stockyard")
