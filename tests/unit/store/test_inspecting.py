"""What servers say of themselves and of each other, read from their own words."""

import pytest

from stockyard._store.inspecting import ReplicaFacts, facts_of_info
from stockyard._store.inspecting_sets import ClusterFacts, cluster_facts, names_by_slot
from stockyard._store.net.slots import SLOTS, slot_of
from stockyard.errors import ServerRefused
from stockyard.model.naming import Naming

REPLICATION = b"""# Replication\r
role:master\r
connected_slaves:2\r
min_slaves_good_slaves:1\r
slave0:ip=10.0.0.2,port=6379,state=online,offset=900,lag=1,type=replica\r
slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=7\r
master_repl_offset:1000\r
"""


def node(flags: str, slots: str = "", *, name: str = "a", port: int = 7000) -> str:
    primary = "a" if "slave" in flags else "-"
    return f"{name} 127.0.0.1:{port}@{port + 10_000},host {flags} {primary} 0 17 1 connected {slots}".strip()


def test_replicas_as_their_primary_sees_them() -> None:
    facts = facts_of_info("redis://h", REPLICATION)
    assert facts.replicas == (
        ReplicaFacts("10.0.0.2:6379", True, 1, 100),
        ReplicaFacts("10.0.0.3:6379", False, 7, 1000),
    )
    assert facts.requires_replicas is True


def test_a_primary_without_replicas_has_none_and_a_server_that_hides_them_is_not_known_to() -> None:
    facts = facts_of_info("redis://h", b"role:master\r\nconnected_slaves:0\r\nmaster_repl_offset:0\r\n")
    assert (facts.replicas, facts.requires_replicas) == ((), False)
    hidden = facts_of_info("redis://h", ServerRefused("NOPERM"))
    assert (hidden.replicas, hidden.requires_replicas, hidden.hidden) == (None, None, "NOPERM")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([node("myself,master", "0-16383"), node("slave", name="b")], ClusterFacts(0, 1)),
        ([node("master", "0-5460 5461 5463-16383")], ClusterFacts(1, 0)),
        ([node("master", "0-16383 [77->-b]"), node("master,fail?", name="b")], ClusterFacts(0, 0)),
        (
            [node("master,fail", "0-5460"), node("myself,master", "5461-16383", name="b", port=7001)],
            ClusterFacts(5461, 0, ("127.0.0.1:7000",)),
        ),
        (
            [node("master", "0-16383"), node("slave,fail", name="b", port=7003)],
            ClusterFacts(0, 1, ("127.0.0.1:7003",)),
        ),
        ([], ClusterFacts(SLOTS, 0)),
    ],
)
def test_the_members_of_a_cluster_as_a_node_sees_them(lines: list[str], expected: ClusterFacts) -> None:
    assert cluster_facts("".join(f"{line}\n" for line in lines)) == expected


def test_what_is_in_a_slot_is_named_in_words() -> None:
    names = names_by_slot(Naming("bull", "family"), ["execution:orders", "execution:fills", "mail"])
    assert names[slot_of("{bull:execution}:x")] == ["queue 'execution:orders'", "queue 'execution:fills'"]
    assert names[slot_of("bull:{mail}:x")] == ["queue 'mail'"]
    assert names[slot_of("{bull::cache}:x")] == ["the caches"]
