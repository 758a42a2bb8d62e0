"""Nodes of a cluster are reached as they say: by number, by name, at the host that was asked, by TLS."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from stockyard._store.net.cluster import Cluster
from stockyard._store.net.refusals import Redirected
from stockyard._store.net.slot_map import Node
from stockyard._store.net.slots import slot_of
from stockyard.config import Settings
from tests.support.sets import ClusterSet
from tests.support.tls import Authority, TlsFront
from tests.support.waiting import wait_until

KEYS = ("bar", "{c}:1", "foo")
"""One on each node."""


@pytest.fixture(scope="module")
def servers() -> Iterator[ClusterSet]:
    with tempfile.TemporaryDirectory(prefix="stockyard-test-") as data:
        servers = ClusterSet(Path(data), replicas=0)
        try:
            servers.start()
            yield servers
        finally:
            servers.stop()


def announce(servers: ClusterSet, *settings: dict[str, Any]) -> None:
    """Let each node say this of itself; the last settings are those of all others, too."""
    for at, node in enumerate(servers.nodes):
        with servers.client(node) as client:
            client.config_set(*[part for pair in settings[min(at, len(settings) - 1)].items() for part in pair])


def endpoints(servers: ClusterSet) -> set[tuple[Any, Any]]:
    """Return what any node says of any: its endpoint and its port."""
    found: set[tuple[Any, Any]] = set()
    for node in servers.nodes:
        with servers.client(node) as client:
            slots: Any = client.execute_command("CLUSTER", "SLOTS")
            found |= {(primary[0], primary[1]) for _, _, primary, *_ in slots}
    return found


async def use(url: str) -> set[Node]:
    """Write and read on all nodes, by an old map too; return which nodes the cluster names."""
    cluster = Cluster(Settings.load(url, dotenv=None).address)
    try:
        for key in KEYS:
            await cluster.call("SET", key, key)
        nodes = {Node(server.address.host, server.address.port) for server in await cluster.primaries()}
        for key in KEYS:
            here = (await cluster.at(key)).address
            for node in nodes - {Node(here.host, here.port)}:
                cluster.note(Redirected("", slot_of(key), node, is_asking=False))
                assert await cluster.call("GET", key) == key.encode()
        (reply,) = await cluster.dedicated(KEYS[2], closes_with_server=True).call(("GET", KEYS[2]))
        assert reply == KEYS[2].encode()
        assert {Node(server.address.host, server.address.port) for server in await cluster.primaries()} == nodes
        return nodes
    finally:
        await cluster.aclose()


@pytest.mark.parametrize(
    ("kind", "name", "endpoint", "host"),
    [
        ("ip", "", "127.0.0.1", "127.0.0.1"),
        ("hostname", "localhost", "localhost", "localhost"),
        ("hostname", "", "?", "127.0.0.1"),
        ("unknown-endpoint", "", None, "127.0.0.1"),
    ],
)
async def test_where_nodes_are(
    servers: ClusterSet, kind: str, name: str, endpoint: str | None, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    ports = {node.port for node in servers.nodes}
    announce(servers, {"cluster-preferred-endpoint-type": kind, "cluster-announce-hostname": name})
    try:
        wait_until(lambda: endpoints(servers) == {(endpoint, port) for port in ports})
        assert await use(servers.url) == {Node(host, port) for port in ports}
        # Only a node that is named to nobody is to be looked up.
        assert ("are sent again" in caplog.text) == (endpoint == "?")
    finally:
        announce(servers, {"cluster-preferred-endpoint-type": "ip", "cluster-announce-hostname": ""})


async def test_tls(servers: ClusterSet, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue("server", "IP:127.0.0.1")
    cert, key = authority.issue("client")
    with ExitStack() as fronts:
        urls = [
            urlsplit(fronts.enter_context(front).url(ca=authority.certificate, cert=cert, key=key))
            for front in (
                TlsFront(f"redis://{node.host}:{node.port}", authority.certificate, *shown)
                for node in servers.nodes
            )
        ]
        ports = {url.port for url in urls}
        announce(servers, *({"cluster-announce-port": url.port} for url in urls))
        try:
            wait_until(lambda: endpoints(servers) == {("127.0.0.1", port) for port in ports})
            hosts = ",".join(f"127.0.0.1:{url.port}" for url in urls[:2])
            assert await use(f"rediss+cluster://{hosts}?{urls[0].query}") == {
                Node("127.0.0.1", p) for p in ports if p
            }
        finally:
            announce(servers, {"cluster-announce-port": 0})
