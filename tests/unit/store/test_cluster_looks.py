"""A cluster is asked which slots there are: seldom, by one caller at a time, and not the node in doubt."""

import asyncio

import pytest

from stockyard._store.net import cluster_calls
from stockyard._store.net.refusals import refusal_of
from stockyard.errors import ReplyLost, ServerRefused, ServerUnavailable
from tests.unit.store.fake_cluster import (
    IN_A,
    IN_B,
    IN_C,
    PARTS,
    A,
    B,
    C,
    FakeCluster,
    Time,
    away,
    run,
    sends,
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    time = Time()
    monkeypatch.setattr(cluster_calls, "time", time)
    return FakeCluster(time)


async def test_where_a_node_fell_silent_another_is_asked_who_serves_now(cluster: FakeCluster) -> None:
    await run(cluster, IN_A)
    cluster.time.now += 10
    cluster.nodes[A].trouble = ReplyLost("silent")
    with pytest.raises(ReplyLost):
        await run(cluster, IN_A)
    cluster.parts = {B: (0, 10_922), C: PARTS[C]}
    assert await run(cluster, IN_A) == [b"b"]
    # Not of the one that would be waited for.
    assert (cluster.nodes[A].looks, cluster.nodes[B].looks, sends(cluster)["a"]) == (1, 1, 2)
    assert await run(cluster, IN_A) == [b"b"]
    assert (cluster.looks, cluster.pauses) == (2, [])


async def test_a_node_that_is_cut_off_is_not_believed(cluster: FakeCluster) -> None:
    await run(cluster, IN_A)
    cluster.time.now += 10
    cluster.nodes[A].always = refusal_of("CLUSTERDOWN The cluster is down", "redis+cluster://a")
    cluster.parts = {B: (0, 10_922), C: PARTS[C]}
    assert await run(cluster, IN_A) == [b"b"]
    assert (cluster.nodes[A].looks, cluster.nodes[B].looks) == (1, 1)


async def test_the_map_is_looked_up_five_times_a_second_at_most(cluster: FakeCluster) -> None:
    await run(cluster, IN_A)
    cluster.nodes[C].trouble = away()
    (reply,) = await run(cluster, IN_C, timeout=4.0)
    assert reply is cluster.nodes[C].trouble
    assert 5 < cluster.looks <= 4 / 0.2 + 1
    assert sends(cluster)["c"] > cluster.looks // 2


async def test_one_caller_looks_for_all(cluster: FakeCluster) -> None:
    cluster.may_look.clear()
    tasks = [asyncio.create_task(run(cluster, key)) for key in (IN_A, IN_B, IN_C)]
    await cluster.is_looking.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    cluster.may_look.set()
    assert await asyncio.gather(*tasks) == [[b"a"], [b"b"], [b"c"]]
    assert cluster.looks == 1


async def test_the_next_node_is_asked_for_the_map(cluster: FakeCluster) -> None:
    cluster.nodes[A].trouble = away()
    assert await run(cluster, IN_B) == [b"b"]
    assert (cluster.nodes[A].looks, cluster.nodes[B].looks) == (1, 1)


async def test_nobody_knows_the_map(cluster: FakeCluster) -> None:
    for node in cluster.nodes.values():
        node.trouble = away()
    with pytest.raises(ServerUnavailable, match=r"asked were:\n  a:7000: no server there\n  b:7001: no server"):
        await run(cluster, IN_A, timeout=1.0)
    assert 0.5 < sum(cluster.pauses) <= 1.0
    assert sends(cluster) == {}


async def test_a_server_that_is_no_cluster(cluster: FakeCluster) -> None:
    cluster.refusal = ServerRefused("This instance has cluster support disabled")
    with pytest.raises(ServerUnavailable, match="a:7000: This instance has cluster support disabled"):
        await run(cluster, IN_A, timeout=1.0)


async def test_a_slot_that_no_node_serves(cluster: FakeCluster) -> None:
    del cluster.parts[C]
    with pytest.raises(ServerUnavailable, match="serves slot 12182 now"):
        await run(cluster, IN_C, timeout=1.0)
    assert sends(cluster) == {}
