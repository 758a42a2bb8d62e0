"""Findings on Sentinels, replicas and the nodes of a cluster as they describe each other."""

from typing import Any

import pytest

from stockyard import Topology
from stockyard._store.inspecting import ReplicaFacts, ServerFacts
from stockyard._store.inspecting_sets import ClusterFacts, SentinelFacts, SlotLoad, names_by_slot
from stockyard.model.naming import Naming
from stockyard.monitoring import Finding, Severity
from stockyard.observe.doctor.finding import worst
from stockyard.observe.doctor.set_checks import (
    judge_clocks,
    judge_durability,
    judge_load,
    judge_nodes,
    judge_queue,
    judge_replication,
    judge_sentinels,
    judge_slots,
)

SENTINEL = SentinelFacts("s1:26379", primary="h:6379", quorum=2, others=2, replicas=1, down_after_ms=5000)
REPLICA = ReplicaFacts("r:6379", is_online=True, lag_seconds=0, behind_bytes=1000)
PRIMARY = ServerFacts("redis://h:6379/0", appendonly=True, replicas=(REPLICA,), requires_replicas=True, skew_ms=5)
LATE = PRIMARY._replace(skew_ms=1006)
MB = 2**20
FAMILIES = Naming("bull", "family")
desk = Topology("desk")
desk.queue("orders", durability="replica")
desk.queue("fills", durability="aof")
desk.queue("mail")
QUEUES = list(desk)


def sentinels(*changed: dict[str, Any]) -> list[Finding]:
    """Judge three Sentinels, the first ones changed."""
    return judge_sentinels([SENTINEL._replace(**each) for each in [*changed, {}, {}, {}][:3]])


def replication(known: int = 1, **changed: Any) -> list[Finding]:
    return judge_replication([PRIMARY._replace(**changed)], known)


def replica(**changed: Any) -> tuple[ReplicaFacts, ...]:
    return (REPLICA._replace(**changed),)


def durability(**changed: Any) -> list[Finding]:
    return judge_durability([PRIMARY._replace(**changed)], QUEUES)


def slots(*facts: Any, **named: Any) -> list[Finding]:
    return [judge_slots(ClusterFacts(*facts, **named))]


def load(*costs: float, uptime: int = 1000) -> SlotLoad:
    """The slots of a node, by the seconds that each took; the first is that of 'orders'."""
    (slot,) = [slot for slot, names in names_by_slot(FAMILIES, ["orders"]).items() if "queue 'orders'" in names]
    busiest = [(slot if place == 0 else place, int(cost * 1e6)) for place, cost in enumerate(costs)]
    return SlotLoad("n1:6379", uptime, tuple(busiest))


def judged(*loads: SlotLoad) -> Finding:
    return judge_load(loads, names_by_slot(FAMILIES, ["orders", "mail"]))


SET_FAULTS: list[tuple[list[Finding], str, str, str, str]] = [
    ([judge_nodes(2, ["no server at n3"])], "nodes", "danger", "1 of 3 primaries", "stand still"),
    (sentinels(*[{"failure": "silent"}] * 3), "sentinels", "danger", "none of 3 answers: s1", "no replica takes"),
    (sentinels({"quorum_problem": "NOQUORUM"}), "sentinels", "danger", "NOQUORUM", "no replica takes"),
    (sentinels({"primary": "x:1"}), "sentinels", "danger", "primaries: s1:26379 x:1", "thrown away"),
    (sentinels({"failure": "silent"}), "sentinels", "warning", "1 of 3 do not answer", "too few may be left"),
    (sentinels(*[{"others": 1}] * 3), "sentinels", "warning", "the primary has 2", "no majority"),
    (sentinels(*[{"quorum": 3}] * 3), "sentinels", "warning", "3 of 3 must agree", "although a majority"),
    (sentinels({"forbidden": "SENTINEL MASTER"}), "sentinels", "warning", "hides", "cannot be judged"),
    (sentinels({"down_after_ms": 999}), "down-after-milliseconds", "warning", "999 ms", "passes for dead"),
    (replication(replicas=()), "replicas", "warning", "redis://h:6379/0 has none", "stand still"),
    (replication(replicas=replica(is_online=False)), "replicas", "warning", "r:6379 has not all data", "is lost"),
    (replication(known=3), "replicas", "warning", "2 of 3 are not connected", "too few may be left"),
    (replication(replicas=replica(lag_seconds=11)), "replicas", "warning", "not answered for 11 s", "lost with"),
    (replication(replicas=replica(behind_bytes=17 * MB)), "replicas", "warning", "17 MB behind", "lost with"),
    (replication(replicas=None), "replicas", "warning", "hides its replicas", "cannot be judged"),
    (replication(requires_replicas=False), "min-replicas-to-write", "warning", "0 at redis://h", "is undone"),
    (durability(replicas=()), "durability", "danger", "queue 'orders' declares 'replica'", "NotDurable"),
    (durability(appendonly=False), "durability", "danger", "queue 'fills' declares 'aof'", "NotDurable"),
    (slots(5461, 3, ("n1:1",)), "slots", "danger", "5,461 have no primary; away: n1:1", "stand still"),
    (slots(0, 3, ("n4:1",)), "slots", "warning", "away: n4:1", "no primary"),
    (slots(hidden="NOPERM"), "slots", "warning", "hides who has", "cannot be judged"),
    ([judge_clocks([PRIMARY, LATE])], "clocks of the nodes", "warning", "1,001 ms", "jump"),
    ([judged(load(99, 1), load(501, 10, 10))], "hot slots", "warning", "orders') took 96% of", "on one node"),
    ([judge_queue("mail", FAMILIES, "bull:mail:id")], "queue mail", "warning", "bull:mail:id", "no worker"),
]


@pytest.mark.parametrize(("findings", "check", "severity", "cause", "danger"), SET_FAULTS)
def test_each_fault_of_a_set_is_found_with_its_danger_and_its_remedy(
    findings: list[Finding], check: str, severity: str, cause: str, danger: str
) -> None:
    (found,) = [each for each in findings if each.severity is not Severity.OK]
    assert (found.check, found.severity) == (check, severity)
    assert cause in found.cause
    assert danger in found.danger
    assert found.remedy


def test_a_good_set_has_nothing_but_good_findings() -> None:
    found = [
        *sentinels(),
        *replication(),
        *judge_durability([PRIMARY], QUEUES),
        judge_nodes(3, []),
        judge_slots(ClusterFacts(0, 3)),
        judge_clocks([PRIMARY, PRIMARY._replace(skew_ms=1005)]),
        judged(load(1, 1)),
        judge_queue("orders", FAMILIES, None),
    ]
    assert worst(found) is Severity.OK
    assert all((each.danger, each.remedy) == ("", "") for each in found)


def test_what_a_user_may_not_ask_names_the_right_that_it_lacks() -> None:
    (found, _) = sentinels({"forbidden": "SENTINEL CKQUORUM"})
    assert "ACL: +sentinel|ckquorum" in found.remedy
    assert "ACL: +cluster|nodes" in judge_slots(ClusterFacts(hidden="NOPERM")).remedy


def test_no_replica_is_asked_of_a_primary_that_has_none() -> None:
    assert [each.check for each in replication(replicas=(), requires_replicas=False)] == ["replicas"]


def test_durability_is_judged_where_a_queue_declares_it() -> None:
    bare = PRIMARY._replace(replicas=(), appendonly=False)
    assert judge_durability([bare], [desk.spec("mail")]) == []
    assert judge_durability([bare._replace(replicas=None, appendonly=None)], QUEUES)[0].severity is Severity.OK


@pytest.mark.parametrize(
    "loads",
    [
        [],
        [load()],
        [load(0)],
        [load(500, 499, 2)],  # no half
        [load(49, 1)],  # next to nothing of a processor
        [load(500, 500), load(49)],  # none of them both
    ],
)
def test_a_slot_is_hot_when_it_takes_most_of_a_node_that_is_busy(loads: list[SlotLoad]) -> None:
    assert judged(*loads).severity is Severity.OK


def test_the_hottest_slot_is_named_with_what_is_in_it() -> None:
    strange = SlotLoad("n2:6379", 1000, ((1, 900_000_000), (2, 1)))
    found = judged(load(501, 10), strange)
    assert "slot 1 (no declared queue) took 100% of the time of n2:6379's busiest slots, 90% of a processor" in (
        found.cause
    )


@pytest.mark.parametrize(
    ("naming", "queue", "spelling"),
    [
        (FAMILIES, "execution:orders", "new Queue('orders', {prefix: '{bull:execution}'})"),
        (FAMILIES, "mail", "new Queue('{mail}')"),
        (Naming("{t}", "family"), "execution:orders", "new Queue('orders', {prefix: '{t}:execution'})"),
    ],
)
def test_a_queue_of_a_cluster_is_shown_as_node_spells_it(naming: Naming, queue: str, spelling: str) -> None:
    assert judge_queue(queue, naming, None).cause == f"in Node: {spelling}"
    assert spelling in judge_queue(queue, naming, "bull:x:id").remedy
