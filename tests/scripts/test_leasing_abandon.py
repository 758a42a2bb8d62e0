"""leasing.abandon: the jobs of a dead process go back at once, and those of no other."""

from stockyard._store.jobs.leasing import abandon
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, Sorted, record

GIVEN_UP = "job stalled more than allowable limit"


async def test_only_jobs_whose_lock_is_the_dead_process_s_own_go_back(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    others = {
        "2": record(ats=1),
        "2:lock": "dead2.w:1",
        "3": record(ats=1),
        "3:lock": "a-node-worker",
        "4": record(ats=1),
    }
    keys.put(
        {
            **others,
            "1": record(ats=1),
            "1:lock": "dead.w:1",
            "active": ["4", "3", "2", "1"],
            "stalled": {"1", "4"},
            "wait": ["8"],
        }
    )
    assert await abandon(keyspace, "dead.", max_stalled=1) == ["1"]
    assert keys.all() == {
        **others,
        "1": record(ats=1, stc=1),
        "active": ["4", "3", "2"],
        "stalled": {"4"},
        "wait": ["8", "1"],
        "marker": Sorted({"0": 0}),
        "events": [["waiting", "1", "active"], ["stalled", "1"]],
    }
    before = keys.all()
    assert await abandon(keyspace, "dead.", max_stalled=1) == []
    assert keys.all() == before


async def test_a_job_that_lost_its_worker_too_often_is_to_be_failed(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"1": record(stc=1), "1:lock": "dead.w:1", "active": ["1"]})
    assert await abandon(keyspace, "dead.", max_stalled=1) == ["1"]
    assert keys.get("1") == record(stc=2, defa=GIVEN_UP)


async def test_a_removed_job_only_leaves_the_list(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1:lock": "dead.w:1", "active": ["1"]})
    assert await abandon(keyspace, "dead.", max_stalled=1) == []
    assert keys.all() == {}


async def test_every_job_of_a_long_list_is_looked_at(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    ids = [str(number) for number in range(2_500)]
    locks = {f"{each}:lock": "dead.w:1" if int(each) % 2 else "other.w:1" for each in ids}
    keys.put({**{each: record(ats=1) for each in ids}, **locks, "active": ids})
    assert set(await abandon(keyspace, "dead.", max_stalled=1)) == set(ids[1::2])
    assert keys.get("active") == ids[::2]


async def test_where_jobs_run_at_most_once_one_that_began_no_effect_is_unknown(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    begun = record(ats=1, **{"stockyard.effect": "k"})
    keys.put({"1": record(ats=1), "1:lock": "dead.w:1", "2": begun, "2:lock": "dead.w:2", "active": ["2", "1"]})
    assert await abandon(keyspace, "dead.", max_stalled=1, at_most_once=True) == ["1", "2"]
    lost = "OutcomeUnknown: the job lost its worker before it began an effect: what it did is unknown"
    assert keys.get("1") == record(ats=1, stc=1, defa=lost)
    assert keys.get("2") == {**begun, "stc": "1"}
    assert keys.get("wait") == ["1", "2"] or keys.get("wait") == ["2", "1"]
    assert keys.get(":effect:job:1")["outcome"] == "unknown"
    assert list(keys.get(":effects:unknown")) == ["job:1"]
