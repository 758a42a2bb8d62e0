"""Calls on a cluster follow what its nodes say, and nothing that may have run is sent again."""

from collections.abc import Callable
from typing import Any

import pytest

from stockyard._store.net import cluster_calls
from stockyard._store.net.cluster_calls import guarded
from stockyard._store.net.connection import Command, accepted
from stockyard._store.net.refusals import Redirected, refusal_of
from stockyard._store.net.script_call import ScriptCall, load_command
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.net.slot_map import Node
from stockyard._store.net.slots import slot_of
from stockyard.config import Address
from stockyard.errors import ReplyLost, ServerRefused, ServerUnavailable, SlotMoving
from tests.unit.store.fake_cluster import (
    IN_A,
    IN_B,
    IN_C,
    PARTS,
    SCRIPT,
    A,
    B,
    C,
    FakeCluster,
    Time,
    again,
    ask,
    away,
    call,
    moved,
    run,
    sends,
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    time = Time()
    monkeypatch.setattr(cluster_calls, "time", time)
    return FakeCluster(time)


async def test_each_call_goes_to_the_node_of_its_key(cluster: FakeCluster) -> None:
    replies = await run(cluster, IN_C, IN_A, IN_B, IN_C)
    assert replies == [b"c", b"a", b"b", b"c"]
    assert cluster.nodes[C].sent == [[guarded(call(IN_C)), guarded(call(IN_C))]]
    assert sends(cluster) == {"a": 1, "b": 1, "c": 1}
    assert cluster.looks == 1
    assert await cluster.ask([("GET", IN_B), ("GET", IN_A), ("PING",)]) == [b"b", b"a", b"a"]


@pytest.mark.parametrize(
    ("key", "guard"),
    [
        ("bar", "{bar}::guard"),
        ("{c}:1", "{c}::guard"),
        # Users who may use the keys of a prefix alone may use this one.
        ("bull:{q}:wait", "bull:{q}::guard"),
        ("bull:a:{q}:{x}", "bull:a:{q}::guard"),
        ("{bull:q}:wait", "{bull:q}::guard"),
    ],
)
def test_the_guard_begins_like_the_keys_and_is_in_their_slot(key: str, guard: str) -> None:
    keys = guarded(ScriptCall(SCRIPT, (key, f"{key}2"), ())).keys
    assert list(keys) == [key, f"{key}2", guard]
    assert slot_of(guard) == slot_of(key)


def test_calls_on_connections_of_their_own_are_guarded_on_a_cluster(cluster: FakeCluster) -> None:
    without = ScriptCall(SCRIPT, (), ())
    assert guarded(without) is without
    assert cluster.script_command(call(IN_A)) == guarded(call(IN_A)).command()
    assert ServerCalls.script_command(cluster, call(IN_A)) == call(IN_A).command()


async def test_a_slot_that_was_moved_is_asked_for_once(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [moved(IN_A, B)]
    assert await run(cluster, IN_A) == [b"b"]
    assert await run(cluster, IN_A) == [b"b"]
    assert (sends(cluster), cluster.pauses, cluster.looks) == ({"a": 1, "b": 2}, [], 1)


async def test_a_slot_that_was_moved_to_a_node_without_a_name_is_looked_up(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [moved(IN_A, Node("?", 7001)), moved(IN_A, Node("?", 7001))]
    cluster.time.now += 1
    assert await run(cluster, IN_A) == [b"a"]
    assert sends(cluster) == {"a": 3}


async def test_two_nodes_that_name_each_other(cluster: FakeCluster) -> None:
    cluster.nodes[A].always, cluster.nodes[B].always = moved(IN_A, B), moved(IN_A, A)
    (reply,) = await run(cluster, IN_A, timeout=2.0)
    assert isinstance(reply, Redirected)
    assert 1.5 < sum(cluster.pauses) <= 2.0
    assert 8 < sum(sends(cluster).values()) < 40
    assert cluster.looks <= 2 / 0.2 + 2
    assert cluster.trouble == ""


async def test_a_call_asks_the_other_node_this_once(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [ask(IN_A, C)]
    assert await run(cluster, IN_A) == [b"c"]
    assert cluster.nodes[C].sent == [[("ASKING",), guarded(call(IN_A)).command()]]
    assert await run(cluster, IN_A) == [b"a"], "the map is as it was"


async def test_the_other_node_learns_a_script(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [ask(IN_A, C)]
    cluster.nodes[C].answers += [ServerRefused("NOSCRIPT No matching script."), b"sha", b"ran"]
    assert await run(cluster, IN_A) == [b"ran"]
    command = guarded(call(IN_A)).command()
    assert cluster.nodes[C].sent == [[("ASKING",), command], [load_command(SCRIPT), ("ASKING",), command]]


async def test_a_slot_is_waited_for_while_it_is_moved(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [again(), again(), again()]
    assert await run(cluster, IN_A) == [b"a"]
    assert len(cluster.pauses) == 3
    assert cluster.pauses[0] < 0.02
    cluster.nodes[A].always = again()
    (reply,) = await run(cluster, IN_A, timeout=3.0)
    assert max(cluster.pauses) < 0.5
    with pytest.raises(SlotMoving):
        accepted(reply)


async def test_what_is_not_to_wait_does_not(cluster: FakeCluster) -> None:
    cluster.nodes[A].always = again()
    (reply,) = await run(cluster, IN_A, stays=True)
    assert isinstance(reply, SlotMoving)
    assert (sends(cluster), cluster.pauses) == ({"a": 1}, [])


async def test_a_lost_reply_is_never_sent_again(cluster: FakeCluster) -> None:
    await run(cluster, IN_A)
    cluster.nodes[B].trouble = ReplyLost("closed")
    with pytest.raises(ReplyLost):
        await run(cluster, IN_A, IN_B, IN_C)
    assert sends(cluster) == {"a": 2, "b": 1, "c": 1}
    with pytest.raises(ReplyLost):
        await run(cluster, IN_B)
    assert (sends(cluster)["b"], cluster.pauses) == (2, [])


async def test_a_reply_that_is_lost_at_the_second_node_is_not_sent_again(cluster: FakeCluster) -> None:
    cluster.nodes[A].answers += [moved(IN_A, B)]
    cluster.nodes[B].trouble = ReplyLost("closed")
    with pytest.raises(ReplyLost):
        await run(cluster, IN_A)
    assert sends(cluster) == {"a": 1, "b": 1}


async def test_a_node_that_is_away_is_replaced(cluster: FakeCluster) -> None:
    await run(cluster, IN_A)
    cluster.nodes[C].trouble = away()
    cluster.parts = {A: PARTS[A], B: (5461, 16_383)}
    assert await run(cluster, IN_C, IN_A) == [b"b", b"a"]
    # What ran is not run again.
    assert sends(cluster)["a"] == 2


async def test_a_batch_of_which_one_call_is_refused(cluster: FakeCluster) -> None:
    cluster.nodes[B].answers += [again()]
    assert await run(cluster, IN_A, IN_B, IN_C) == [b"a", b"b", b"c"]
    assert sends(cluster) == {"a": 1, "b": 2, "c": 1}


async def test_what_ran_is_known_though_the_slot_of_another_call_is_gone(cluster: FakeCluster) -> None:
    def lose_b() -> Any:
        del cluster.parts[B]
        cluster.time.now += 1
        return refusal_of("CLUSTERDOWN Hash slot not served", "redis+cluster://a")

    cluster.nodes[B].answers += [lose_b]
    ran, refused = await run(cluster, IN_A, IN_B, timeout=3.0)
    assert ran == b"a"
    assert isinstance(refused, ServerUnavailable)
    assert sends(cluster) == {"a": 1, "b": 1}


async def test_a_transaction_goes_whole(cluster: FakeCluster) -> None:
    transaction: list[Command] = [("MULTI",), ("GET", IN_C), ("TIME",), ("EXEC",)]
    assert await cluster.ask(transaction) == [b"c"] * 4
    refusals: list[Callable[[str, Node], Any]] = [moved, ask]
    for number, refusal in enumerate(refusals):
        source, target = (C, A) if number == 0 else (A, B)
        cluster.nodes[source].answers += [b"OK", refusal(IN_C, target), b"QUEUED", ServerRefused("EXECABORT")]
        await cluster.ask(transaction)
    assert cluster.nodes[A].sent[0] == transaction
    # Asked before each command, the replies of the transaction would be mixed with others.
    assert cluster.nodes[B].sent == [[("ASKING",), *transaction]]


async def test_clients_are_those_of_all_nodes(cluster: FakeCluster) -> None:
    listed = await cluster.run_many([call(IN_A)], ("CLIENT", "LIST"), ("GET", IN_C))
    assert listed == [b"a", b"abc", b"c"]
    assert await cluster.call("CLIENT", "LIST") == b"abc"
    cluster.nodes[B].trouble = away()
    assert await cluster.call("CLIENT", "LIST") == b"ac"
    cluster.nodes[A].always = refusal = ServerRefused("NOPERM")
    assert await cluster.ask([("CLIENT", "LIST")]) == [refusal]


async def test_where_a_connection_of_its_own_leads(cluster: FakeCluster) -> None:
    assert (await cluster.place_now(IN_C)).port == C.port
    cluster.note(moved(IN_C, B))
    cluster.note(ask(IN_C, A))
    assert (await cluster.place_now(IN_C)) == Address("redis", "b", 7001)
    assert (await cluster.place_now(None)).port == A.port
    assert await cluster.at(IN_C) is cluster.nodes[B]  # type: ignore[comparison-overlap]
    assert len(await cluster.primaries()) == 3


async def test_what_is_to_follow_goes_to_the_node_that_ran_the_call(cluster: FakeCluster) -> None:
    wait = ("WAIT", 1, 100)
    cluster.nodes[A].answers.append(moved(IN_A, C))
    assert await cluster.run_many([ScriptCall(SCRIPT, (IN_A,), ())], then=wait) == [b"c", b"c"]
    assert [wait] not in cluster.nodes[A].sent
    assert cluster.nodes[C].sent[-1] == [wait]


async def test_nothing_follows_a_call_that_did_not_run(cluster: FakeCluster) -> None:
    cluster.nodes[A].always = again
    (reply,) = await cluster.run_many([ScriptCall(SCRIPT, (IN_A,), ())], then=("WAIT", 1, 100))
    assert isinstance(reply, SlotMoving)
    assert [("WAIT", 1, 100)] not in cluster.nodes[A].sent
