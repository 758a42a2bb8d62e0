"""What the doctor, the alerts and the metrics say of a real Sentinel set and a real cluster."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stockyard import App, Topology
from stockyard.cli import main
from stockyard.monitoring import Finding, Severity
from stockyard.observe.doctor import set_checks
from tests.support.scraping import scrape
from tests.support.sets import ClusterSet, Node, SentinelSet, ServerSet
from tests.support.waiting import eventually

desk = Topology("desk")
desk.queue("execution:orders")
desk.queue("execution:fills")
desk.queue("mail")
desk.queue("market:ticks", shards=2)


@pytest.fixture
async def watched(sentinel_set: SentinelSet) -> AsyncIterator[App]:
    async with App(desk, sentinel_set.url, prefix="t", call_timeout=2) as app:
        yield app


@pytest.fixture
async def spread(cluster_set: ClusterSet) -> AsyncIterator[App]:
    async with App(desk, cluster_set.url, prefix="t", call_timeout=2) as app:
        yield app


async def look(app: App) -> dict[str, Finding]:
    return {found.check: found for found in await app.check_server()}


async def judged(app: App, check: str) -> tuple[str, str]:
    found = (await look(app))[check]
    return found.severity.value, found.cause


@contextmanager
def configured(servers: ServerSet, node: Node, **settings: Any) -> Iterator[None]:
    """Let a node have other settings; the names are written with underscores."""
    with servers.client(node) as client:
        before = {name: client.config_get(name)[name] for name in (each.replace("_", "-") for each in settings)}
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
        try:
            yield
        finally:
            for name, value in before.items():
                client.config_set(name, value)


def set_sentinel(servers: SentinelSet, node: Node, option: str, value: int) -> None:
    with servers.client(node) as client:
        client.execute_command("SENTINEL", "SET", servers.service, option, value)


async def test_a_sentinel_set_that_can_fail_over(watched: App, sentinel_set: SentinelSet) -> None:
    found = await look(watched)
    assert (found["sentinels"].severity, found["sentinels"].cause) == (Severity.OK, "3, of which 2 must agree")
    assert found["down-after-milliseconds"].cause == "2,000 ms"
    assert (found["replicas"].severity, found["replicas"].cause) == (Severity.OK, "1")
    assert found["min-replicas-to-write"].severity is Severity.WARNING
    assert not {"slots", "nodes", "hot slots", "queue mail"} & found.keys()
    with configured(sentinel_set, sentinel_set.primary(), min_replicas_to_write=1):
        assert await judged(watched, "min-replicas-to-write") == ("ok", "set")


async def test_hasty_and_stubborn_sentinels(watched: App, sentinel_set: SentinelSet) -> None:
    (node, *_) = sentinel_set.sentinels
    set_sentinel(sentinel_set, node, "down-after-milliseconds", 900)
    set_sentinel(sentinel_set, node, "quorum", 3)
    try:
        assert await judged(watched, "down-after-milliseconds") == ("warning", "900 ms")

        async def are_stubborn() -> bool:
            # One so hasty takes the others for away where the machine is busy, and back.
            severity, cause = await judged(watched, "sentinels")
            return (severity, cause.partition(" must")[0]) == ("warning", "3 of 3")

        await eventually(are_stubborn, within=20)
    finally:
        set_sentinel(sentinel_set, node, "down-after-milliseconds", 2000)
        set_sentinel(sentinel_set, node, "quorum", 2)


async def test_sentinels_that_are_away(watched: App, sentinel_set: SentinelSet) -> None:
    (first, second, _) = sentinel_set.sentinels
    try:
        sentinel_set.kill(first)
        severity, cause = await judged(watched, "sentinels")
        assert (severity, cause.partition(":")[0]) == ("warning", "1 of 3 do not answer")
        assert f"127.0.0.1:{first.port}" in cause
        sentinel_set.kill(second)

        async def is_stuck() -> bool:
            severity, cause = await judged(watched, "sentinels")
            return severity == "danger" and "NOQUORUM" in cause

        await eventually(is_stuck, within=20)
    finally:
        sentinel_set.start()


async def test_a_replica_that_is_away(watched: App, sentinel_set: SentinelSet) -> None:
    (replica,) = [node for node in sentinel_set.nodes if node is not sentinel_set.primary()]
    sentinel_set.kill(replica)
    try:

        async def is_missed() -> bool:
            return (await judged(watched, "replicas"))[0] == "warning"

        await eventually(is_missed, within=20)
    finally:
        sentinel_set.restart(replica)
        sentinel_set.wait_ready()


async def test_a_cluster_that_is_whole(spread: App) -> None:
    found = await look(spread)
    for check, cause in {
        "nodes": "3 primaries answer",
        "slots": "each has a primary",
        "replicas": "3",
        "queue execution:orders": "in Node: new Queue('orders', {prefix: '{t:execution}'})",
        "queue mail": "in Node: new Queue('{mail}', {prefix: 't'})",
        "queue {market-6n}:ticks": "in Node: new Queue('ticks', {prefix: 't:{market-6n}'})",
    }.items():
        assert (found[check].severity, found[check].cause) == (Severity.OK, cause)
    assert found["clocks of the nodes"].severity is Severity.OK
    assert found["hot slots"].cause.startswith("not counted")


async def test_a_key_without_a_hash_tag(spread: App, cluster_set: ClusterSet) -> None:
    with cluster_set.client(cluster_set.primary_of("t:mail:id")) as client:
        client.set("t:mail:id", 1)
        try:
            severity, cause = await judged(spread, "queue mail")
            assert (severity, cause) == ("warning", "there is a key without its hash tag: t:mail:id")
            assert (await judged(spread, "queue execution:fills"))[0] == "ok"
        finally:
            client.delete("t:mail:id")


async def test_a_slot_that_takes_most_of_its_node(
    spread: App, cluster_set: ClusterSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that little work in a moment counts for much work in a day.
    monkeypatch.setattr(set_checks, "_BUSY_SHARE", 0.0)
    node = cluster_set.primary_of("{t:execution}:orders:meta")
    with configured(cluster_set, node, cluster_slot_stats_enabled="yes"):
        await spread.queue("execution:orders").add_many([("x", number) for number in range(500)])
        severity, cause = await judged(spread, "hot slots")
    assert severity == "warning"
    assert f"of 127.0.0.1:{node.port}'s busiest slots" in cause
    assert "(queue 'execution:orders', queue 'execution:fills') took" in cause


@contextmanager
def nearly_full(servers: ClusterSet) -> Iterator[Node]:
    """Let one primary use all memory that it may; what it has, it keeps."""
    node = servers.primaries()[1]
    with servers.client(node) as client:
        used: Any = client.info("memory")
    with configured(servers, node, maxmemory=int(used["used_memory"] * 0.99)):
        yield node


async def test_the_worst_primary_is_named(spread: App, cluster_set: ClusterSet) -> None:
    with nearly_full(cluster_set) as node:
        memory = (await look(spread))["memory"]
    assert memory.severity is Severity.DANGER
    assert f"127.0.0.1:{node.port}" in memory.cause


def test_the_command_line_names_the_worst_primary_and_spells_queues_as_node_does(
    cluster_set: ClusterSet, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--redis-url", cluster_set.url, "--prefix", "t"]
    with nearly_full(cluster_set) as node:
        assert main(["health", *where]) == 1
        assert f"more than 0.9 (node 127.0.0.1:{node.port}): clean finished jobs" in capsys.readouterr().err
        assert main(["doctor", *where]) == 1
    shown = capsys.readouterr().out
    assert f"127.0.0.1:{node.port}" in shown
    assert "new Queue('order_submission', {prefix: '{t:execution}'})" in shown


async def test_metrics_of_every_primary(spread: App, cluster_set: ClusterSet) -> None:
    served = await scrape(spread.serve_metrics().url, "node")
    assert {name for name in served if name.startswith("stockyard_server_memory_bytes")} == {
        f"stockyard_server_memory_bytes 127.0.0.1:{node.port}" for node in cluster_set.primaries()
    }
    assert served["stockyard_server_up"] == 1


async def test_slots_without_a_primary(spread: App, cluster_set: ClusterSet) -> None:
    await look(spread)  # it knows the nodes
    primary = cluster_set.primary_of("{t:execution}:orders:meta")
    gone = [node for node in cluster_set.nodes if node is primary or _follows(cluster_set, node, primary)]
    assert len(gone) == 2
    for node in reversed(gone):
        cluster_set.kill(node)
    try:

        async def is_found() -> bool:
            return (await judged(spread, "slots"))[0] == "danger"

        await eventually(is_found, within=30)
        found = await look(spread)
        assert f"127.0.0.1:{primary.port}" in found["slots"].cause
        assert found["nodes"].severity is Severity.DANGER
        assert "1 of 3 primaries do not answer" in found["nodes"].cause
        # The queues of the other nodes are seen all the same.
        assert "queue mail" in found
    finally:
        cluster_set.start()


def _follows(servers: ClusterSet, node: Node, primary: Node) -> bool:
    with servers.client(node) as client:
        facts: Any = client.info("replication")
    return bool(facts["role"] == "slave" and facts["master_port"] == primary.port)
