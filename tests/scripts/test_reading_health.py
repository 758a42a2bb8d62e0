"""reading.health: numbers of queues at one moment."""

import pytest

from stockyard._store.jobs.reading import QueueFacts, read_facts
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerRefused
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

EMPTY = QueueFacts._make(
    [*[0] * 11, "", "", *[0] * 3, "", *[0] * 4, "", *[0] * 5, "", 0, "", "", *[0] * 2, "", "", 0, ()]
)


async def test_an_empty_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await read_facts([keyspace]) == [EMPTY]
    assert keys.all() == {}


async def test_every_state_is_counted(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {
            "wait": ["b", "a"],
            "prioritized": Sorted({"p1": 2**32 + 1, "p2": 5 * 2**32 + 2, "p3": 5 * 2**32 + 3}),
            "active": ["r2", "r1"],
            "delayed": Sorted({"d": 1}),
            "waiting-children": Sorted({"w": 1}),
            "completed": Sorted({"c1": 1, "c2": 2}),
            "failed": Sorted({"f": 1}),
            "repeat": Sorted({"s1": NOW + 1, "s2": NOW + 2}),
            "paused": ["x"],
            "meta": {"paused": "1"},
            "a": record(timestamp=NOW - 2000),
            "p1": record(timestamp=NOW - 1000),
            "p2": record(timestamp=NOW - 9000),
            "p3": record(timestamp=NOW - 100),
            "r1": record(processedOn=NOW - 7000, pb="desk-3"),
            "r1:lock": "token",
            "metrics:completed": {"count": 12, "prevTS": 1},
            "metrics:failed": {"count": 3},
            "r2": record(processedOn=NOW - 1),
            ":effects:unknown": Sorted({"A2": NOW - 10, "A1": NOW - 60_000}),
            "stalled-check:versions": {"1": str(NOW - 60_000), "2": str(NOW - 60_001), "3": "0", "4": "0"},
            "stalled-check:version:1": Sorted({"v1": 1}),
            "stalled-check:version:2": Sorted({"v2": 1}),
            "stalled-check:version:3": Sorted({"v3": 1, "v4": 2}),
            "stalled-check:version:3:canary": Sorted({"v5": 1}),
            "stalled-check:releases": {"canary": "2", "share": "0.05"},
            ":counts": {"replaced": 5, "expired": 4, "dropped": "odd", "refused": 2},
            ":halts": {"version": 1, "all": "h", "key:A": "x", "key:B": "y"},
            ":breaker": {"open": "b", "trial": "r1"},
            ":keys:parked": {"BTC": "r1"},
            ":keys:waiting": 4,
        }
    )
    assert await read_facts([keyspace]) == [
        QueueFacts(
            wait=2,
            prioritized=3,
            active=2,
            delayed=1,
            waiting_children=1,
            completed=2,
            failed=1,
            legacy_paused=1,
            is_paused=1,
            waiting_since=NOW - 9000,
            running_since=NOW - 7000,
            running_id="r1",
            running_worker="desk-3",
            is_held=1,
            schedules=2,
            late_due=0,
            late_schedule="",
            counted_completed=12,
            counted_failed=3,
            unknown_effects=2,
            unknown_since=NOW - 60_000,
            unknown_key="A1",
            not_understood=4,
            replaced=5,
            expired=4,
            dropped=0,
            refused=2,
            halt="h",
            halted_keys=2,
            breaker="b",
            trial="r1",
            parked_keys=1,
            in_lines=4,
            canary="2",
            canary_share="0.05",
            workers=0,
        )
    ]


async def test_a_run_without_a_lease_and_without_a_name_is_seen_as_such(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"active": ["r2", "r1"], "r1": record(processedOn=NOW - 5), "r2": record(), "r2:lock": "token"})
    (facts,) = await read_facts([keyspace])
    assert (facts.running_id, facts.running_worker, facts.is_held) == ("r1", "", 0)


async def test_the_most_overdue_schedule_is_told_unless_it_has_ended(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(
        {
            "repeat": Sorted({"old": 1, "over": NOW - 9000, "done": NOW - 8000, "a": NOW - 3000, "b": NOW - 1}),
            "repeat:old": {"name": "written by a peer that counts no runs"},
            "repeat:over": {"ic": 1, "endDate": NOW - 1},
            "repeat:done": {"ic": 5, "limit": 2},
            f"repeat:done:{NOW - 8000}": record(opts='{"repeat":{"count":2}}'),
            "repeat:a": {"ic": 5, "limit": 9},
            "repeat:b": {"ic": 1},
        }
    )
    (facts,) = await read_facts([keyspace])
    assert (facts.schedules, facts.late_schedule, facts.late_due) == (5, "a", NOW - 3000)


async def test_a_schedule_that_is_due_later_is_not_late(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"repeat": Sorted({"a": NOW + 1}), "repeat:a": {"ic": 1}})
    (facts,) = await read_facts([keyspace])
    assert (facts.late_schedule, facts.late_due) == ("", 0)


async def test_a_broken_count_costs_nothing_else(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"metrics:completed": "no hash", "metrics:failed": {"count": "many"}, "wait": ["a"]})
    (facts,) = await read_facts([keyspace])
    assert (facts.wait, facts.counted_completed, facts.counted_failed) == (1, 0, 0)


@pytest.mark.parametrize("value", ["-1e18", "nan", "inf", "-inf", "1e300", "soon", "", "253402300800000"])
async def test_a_time_that_is_none_costs_no_more_than_itself(
    keyspace: QueueKeyspace, keys: Keyspace, value: str
) -> None:
    keys.put({"active": ["r1"], "r1": record(processedOn=value), "wait": ["a"], "a": record(timestamp=value)})
    (facts,) = await read_facts([keyspace])
    assert facts.damage == (
        f"job a timestamp: no time: {value}",
        f"job r1 processedOn: no time: {value}",
    )
    assert (facts.wait, facts.active, facts.running_id, facts.running_since) == (1, 1, "r1", 0)


@pytest.mark.parametrize(
    "state", ["wait", "active", "prioritized", "delayed", "completed", "repeat", "meta", ":effects:unknown"]
)
async def test_a_key_of_another_type_costs_its_own_number(
    keyspace: QueueKeyspace, keys: Keyspace, state: str
) -> None:
    keys.put({"failed": Sorted({"f": 1}), state: "written over"})
    (facts,) = await read_facts([keyspace])
    (damage,) = facts.damage
    assert damage.startswith(f"{'effects' if 'effects' in state else state}: WRONGTYPE")
    assert facts._replace(damage=()) == EMPTY._replace(failed=1)
    if state not in ("repeat", ":effects:unknown"):
        with pytest.raises(ServerRefused, match=f"cannot be counted: {state}: WRONGTYPE"):
            facts.sound("mail")


async def test_records_and_counts_that_are_none_are_named(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(
        {
            "wait": ["a"], "a": ["no", "record"], "active": ["r"], "r": "no record",
            "repeat": Sorted({"s": NOW - 5, "t": NOW - 4}), "repeat:s": "no record", "repeat:t": {"ic": 1},
            f"repeat:t:{NOW - 4}": "no record", "metrics:completed": {"count": "many"}, "metrics:failed": ["x"],
        }
    )  # fmt: skip
    (facts,) = await read_facts([keyspace])
    assert [each.partition(": ")[0] for each in facts.damage] == [
        "job a", "job r", "schedule s", "metrics:completed", "metrics:failed",
    ]  # fmt: skip
    assert (facts.wait, facts.active, facts.schedules, facts.late_schedule) == (1, 1, 2, "t")
