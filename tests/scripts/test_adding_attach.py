"""adding.attach: each way of deduplication, children of existing parents, and ids that exist."""

from typing import Any

import pytest

from stockyard import Deduplication, JobNotFound, JobOptions, JobStateError, ParentRef, StockyardError
from stockyard._store.jobs.related_job import related_job
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.support.adding import add_jobs

PARENT = ParentRef("q", "par")
DUE = (NOW + 5000) * 4096


async def add(keyspace: QueueKeyspace, name: str = "work", **options: Any) -> str | StockyardError:
    (answer,) = await add_jobs(keyspace, [related_job(keyspace, name, "{}", JobOptions().merged(**options), NOW)])
    return answer


def told(keys: Keyspace, since: int = 0) -> list[Any]:
    return (keys.get("events") or [])[since:]


async def test_the_first_owns_the_id(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await add(keyspace, deduplication="BTC") == "1"
    assert keys.all() == {
        "1": record(opts='{"attempts":1,"de":{"id":"BTC"}}', deid="BTC"),
        "de:BTC": "1",
        "events": [["added", "1", "work"], ["waiting", "1"]],
        "id": "1",
        "marker": Sorted({"0": 0}),
        "wait": ["1"],
    }


@pytest.mark.parametrize("ttl", [None, "5s"])
async def test_the_others_are_dropped(keyspace: QueueKeyspace, keys: Keyspace, ttl: str | None) -> None:
    await add(keyspace, deduplication=Deduplication("BTC", ttl))
    left = keys.ttl("de:BTC")
    assert (left == -1) if ttl is None else (0 < left <= 5000)
    assert await add(keyspace, deduplication=Deduplication("BTC", ttl)) == "1"
    assert (keys.get("2"), keys.get("wait"), keys.get("id"), keys.get("de:BTC")) == (None, ["1"], "2", "1")
    assert told(keys, 2) == [["deduplicated", "1", "BTC", "2"]]
    assert keys.ttl("de:BTC") <= left


async def test_a_window_outlives_its_owner(keyspace: QueueKeyspace, keys: Keyspace, raw: Any) -> None:
    keys.put({"de:BTC": "gone"})
    raw.pexpire(f"{keyspace.base}de:BTC", 5000)
    assert await add(keyspace, deduplication=Deduplication("BTC", "1h")) == "gone"


async def test_every_dropped_one_extends_the_window(keyspace: QueueKeyspace, keys: Keyspace, raw: Any) -> None:
    window = Deduplication("BTC", "1h", extend=True)
    await add(keyspace, deduplication=window)
    raw.pexpire(f"{keyspace.base}de:BTC", 5000)
    assert await add(keyspace, deduplication=window) == "1"
    assert keys.ttl("de:BTC") > 5000
    assert told(keys, 2) == [["deduplicated", "1", "BTC", "2"]]


@pytest.mark.parametrize(("extend", "renewed"), [(False, False), (True, True)])
async def test_a_delayed_owner_makes_place(
    keyspace: QueueKeyspace, keys: Keyspace, raw: Any, extend: bool, renewed: bool
) -> None:
    dedup = Deduplication("BTC", "1h", extend=extend, replace=True)
    await add(keyspace, deduplication=dedup, delay="5s")
    raw.pexpire(f"{keyspace.base}de:BTC", 5000)
    keys.put({"1:logs": ["line"], "dn:BTC": {"name": "old"}})
    assert await add(keyspace, "newer", deduplication=dedup, delay="5s") == "2"
    found = keys.all()
    assert {"1", "1:logs", "dn:BTC"} & set(found) == set()
    assert (found["delayed"], found["de:BTC"]) == (Sorted({"2": DUE}), "2")
    assert (keys.ttl("de:BTC") > 5000) is renewed
    assert told(keys, 2) == [
        ["removed", "1", "delayed"],
        ["deduplicated", "2", "BTC", "1"],
        ["added", "2", "newer"],
        ["delayed", "2", str(NOW + 5000)],
    ]


async def test_a_replaced_child_does_not_hold_its_parent(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    dedup = Deduplication("BTC", replace=True)
    await add(keyspace, deduplication=dedup, delay="5s")
    keys.put(
        {"par": record(), "waiting-children": Sorted({"par": NOW}), "par:dependencies": {f"{keyspace.base}1"}}
    )
    keys.put({"1": {"parentKey": f"{keyspace.base}par", "parent": "{}"}})
    assert await add(keyspace, deduplication=dedup, delay="5s") == "2"
    assert (keys.get("par:dependencies"), keys.get("wait")) == (None, ["par"])


async def test_an_owner_that_waits_is_not_replaced_and_nothing_is_told(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    dedup = Deduplication("BTC", replace=True)
    await add(keyspace, deduplication=dedup)
    assert await add(keyspace, deduplication=dedup) == "1"
    assert (keys.get("wait"), told(keys, 2)) == (["1"], [])


async def test_a_delayed_owner_waits_anew(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    dedup = Deduplication("BTC", reschedule=True)
    await add(keyspace, deduplication=dedup, delay="9s")
    assert await add(keyspace, deduplication=dedup, delay="5s") == "1"
    assert (keys.get("delayed"), keys.get("1")["delay"]) == (Sorted({"1": DUE}), "5000")
    assert keys.get("marker") == Sorted({"1": NOW + 5000})
    assert told(keys, 2) == [["deduplicated", "1", "BTC", "2"], ["delayed", "1", str(NOW + 5000)]]


async def test_an_owner_that_waits_is_not_rescheduled(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    dedup = Deduplication("BTC", reschedule=True)
    await add(keyspace, deduplication=dedup)
    assert await add(keyspace, deduplication=dedup, delay="5s") == "1"
    assert (keys.get("delayed"), keys.get("wait"), keys.get("1")["delay"]) == (None, ["1"], "0")


async def test_the_last_is_kept_while_the_owner_runs(keyspace: QueueKeyspace, keys: Keyspace, raw: Any) -> None:
    dedup = Deduplication("BTC", keep_last=True)
    keys.put({"own": record(deid="BTC"), "active": ["own"], "de:BTC": "own", "dn:BTC": {"pk": "stale"}})
    raw.pexpire(f"{keyspace.base}de:BTC", 5000)
    assert await add(keyspace, deduplication=dedup) == "own"
    assert await add(keyspace, "last", deduplication=dedup, priority=2) == "own"
    kept = keys.get("dn:BTC")
    assert kept.pop("opts") == '{"attempts":1,"priority":2,"de":{"id":"BTC","keepLastIfActive":true}}'
    assert kept == {"name": "last", "data": "{}", "jid": "2"}
    assert keys.ttl("de:BTC") == -1
    assert told(keys) == [["deduplicated", "own", "BTC", "1"], ["deduplicated", "own", "BTC", "2"]]


async def test_none_is_kept_while_the_owner_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    dedup = Deduplication("BTC", "1h", extend=True, keep_last=True)
    await add(keyspace, deduplication=dedup)
    assert keys.ttl("de:BTC") == -1
    assert await add(keyspace, deduplication=dedup) == "1"
    assert (keys.get("dn:BTC"), keys.ttl("de:BTC")) == (None, -1)
    assert told(keys, 2) == [["deduplicated", "1", "BTC", "2"]]


@pytest.mark.parametrize(
    "dedup",
    [
        Deduplication("BTC"),
        Deduplication("BTC", "5s"),
        Deduplication("BTC", "5s", extend=True),
        Deduplication("BTC", replace=True),
        Deduplication("BTC", keep_last=True),
    ],
)
async def test_an_id_whose_owner_is_lost_is_free(
    keyspace: QueueKeyspace, keys: Keyspace, dedup: Deduplication
) -> None:
    keys.put({"de:BTC": "lost", "dn:BTC": {"name": "old"}})
    assert await add(keyspace, deduplication=dedup) == "1"
    assert (keys.get("de:BTC"), keys.get("dn:BTC"), keys.get("wait")) == ("1", None, ["1"])
    assert (keys.ttl("de:BTC") > 0) is (dedup.ttl_ms is not None)


async def test_a_child_of_a_parent_that_exists(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par": record(), "active": ["par"], "id": "6"})
    assert await add(keyspace, parent=PARENT, on_failure="fail_parent") == "7"
    assert keys.get("par:dependencies") == {f"{keyspace.base}7"}
    child = keys.get("7")
    assert child["parentKey"] == f"{keyspace.base}par"
    assert child["parent"] == f'{{"id":"par","queueKey":"{keyspace.base[:-1]}","fpof":true}}'
    assert told(keys) == [["added", "7", "work"], ["waiting", "7"]]


async def test_without_its_parent_nothing_is_written(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    refused = await add(keyspace, parent=PARENT)
    assert isinstance(refused, JobNotFound)
    assert (refused.job_id, str(refused)) == (
        "par",
        f"{keyspace.base}par, to be the parent of 'work', does not exist",
    )
    assert keys.all() == {}


@pytest.mark.parametrize("old", [None, "par", "gone"])
async def test_a_job_that_exists_becomes_a_child(keyspace: QueueKeyspace, keys: Keyspace, old: str | None) -> None:
    keys.put({"par": record(), "waiting-children": Sorted({"par": NOW}), "own": record(data="1"), "wait": ["own"]})
    if old:
        keys.put({"own": {"parentKey": f"{keyspace.base}{old}", "parent": "{}"}})
    assert await add(keyspace, job_id="own", parent=PARENT) == "own"
    assert keys.get("own") == record(
        data="1", parentKey=f"{keyspace.base}par", parent=f'{{"id":"par","queueKey":"{keyspace.base[:-1]}"}}'
    )
    assert (keys.get("par:dependencies"), keys.get("wait")) == ({f"{keyspace.base}own"}, ["own"])
    assert (told(keys), keys.get("id")) == ([["duplicated", "own"]], "1")


async def test_a_job_that_has_completed_counts_as_such(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par": record(delay=5000), "waiting-children": Sorted({"par": NOW})})
    keys.put({"own": record(returnvalue="[1]"), "completed": Sorted({"own": NOW})})
    assert await add(keyspace, job_id="own", parent=PARENT) == "own"
    assert (keys.get("par:processed"), keys.get("par:dependencies")) == ({f"{keyspace.base}own": "[1]"}, None)
    assert (keys.get("waiting-children"), keys.get("delayed")) == (None, Sorted({"par": DUE}))


async def test_a_parent_that_waits_for_others_goes_on_waiting(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par": record(), "waiting-children": Sorted({"par": NOW}), "par:dependencies": {"other"}})
    keys.put({"own": record(returnvalue="1"), "completed": Sorted({"own": NOW})})
    await add(keyspace, job_id="own", parent=PARENT)
    assert keys.get("waiting-children") == Sorted({"par": NOW})


async def test_a_child_of_another_parent_is_refused(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    own = record(parentKey=f"{keyspace.base}first", parent="{}")
    keys.put({"par": record(), "first": record(), "own": own, "waiting-children": Sorted({"par": NOW})})
    before = keys.all()
    refused = await add(keyspace, job_id="own", parent=PARENT)
    assert isinstance(refused, JobStateError)
    assert refused.job_id == "own"
    assert "job own exists and belongs to another parent" in str(refused)
    assert keys.all() == {**before, "id": "1"}


async def test_one_of_a_call_is_refused_without_the_others(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    dedup: list[dict[str, Any]] = [
        {"deduplication": "A"},
        {"parent": PARENT},
        {"deduplication": "A"},
        {"deduplication": "B", "lifo": True},
    ]
    jobs = [related_job(keyspace, "work", "{}", JobOptions().merged(**each), NOW) for each in dedup]
    first, refused, dropped, last = await add_jobs(keyspace, jobs)
    assert isinstance(refused, JobNotFound)
    assert (first, dropped, last, keys.get("wait")) == ("1", "1", "3", ["1", "3"])


async def test_nobody_is_woken_for_a_paused_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"paused": "1"}})
    await add(keyspace, deduplication="BTC")
    assert keys.get("marker") is None
