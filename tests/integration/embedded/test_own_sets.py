"""The test suite's sets fail over, and what was killed comes back as a replica."""

import pytest
import redis

from tests.support.sets import ClusterSet, SentinelSet
from tests.support.waiting import wait_until


@pytest.mark.long
def test_sentinels_replace_a_killed_primary(sentinel_set: SentinelSet) -> None:
    old = sentinel_set.primary()
    with sentinel_set.client(old) as client:
        client.set("k", "v")
        assert client.execute_command("WAIT", 1, 1000) == 1
    sentinel_set.kill(old)
    wait_until(lambda: sentinel_set.primary() != old, every=0.05)
    new = sentinel_set.primary()
    with sentinel_set.client(sentinel_set.sentinels[0]) as client:
        asked = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", sentinel_set.service)
    assert tuple(asked) == (new.host, new.port)
    assert f"/{sentinel_set.service}" in sentinel_set.url
    sentinel_set.restart(old)
    sentinel_set.wait_ready()
    assert sentinel_set.primaries() == [new]
    assert sentinel_set.failovers() == 1
    with sentinel_set.client(old) as client:
        assert client.get("k") == "v"


def test_a_cluster_replaces_a_killed_primary(cluster_set: ClusterSet) -> None:
    old = cluster_set.primary_of("k")
    with cluster_set.client(old) as client:
        client.set("k", "v")
        assert client.execute_command("WAIT", 1, 1000) == 1
    cluster_set.kill(old)
    wait_until(lambda: cluster_set.primary_of("k") != old, every=0.05)
    new = cluster_set.primary_of("k")
    cluster_set.restart(old)
    cluster_set.wait_ready()
    assert new in cluster_set.primaries()
    assert old not in cluster_set.primaries()
    with cluster_set.client(new) as client:
        assert client.get("k") == "v"


def test_a_frozen_node_answers_nothing_until_it_is_thawed(cluster_set: ClusterSet) -> None:
    replica = next(node for node in cluster_set.nodes if node not in cluster_set.primaries())
    cluster_set.freeze(replica)
    try:
        with cluster_set.client(replica, timeout=0.2) as client, pytest.raises(redis.TimeoutError):
            client.execute_command("PING")
    finally:
        cluster_set.thaw(replica)
    cluster_set.wait_ready()
