"""scheduling.list: schedules as snapshots, in the order in which they come, and nothing is changed by looking."""

from typing import Any

from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.options import JobOptions
from stockyard.model.schedule import Timing
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.test_scheduling_upsert import HOUR, RUN, upsert


async def test_the_next_to_come_is_the_first(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, id="later", every_ms=HOUR, start=NOW + 5, data="[1]")
    await upsert(
        keyspace, due=NOW + 2, cron="0 3 * * *", tz="UTC", limit=9, misfire="skip", overlap="skip",
        options=JobOptions(attempts=3, priority=2),
    )  # fmt: skip
    before = keys.all()
    first, second = await scheduling.read_page(keyspace, 0, -1)
    assert (first.id, second.id, second.data, second.next_run) == ("s", "later", [1], NOW + 5)
    assert first.timing == Timing(cron="0 3 * * *", tz="UTC", limit=9)
    assert (first.queue, first.job_name, first.data) == ("q", "work", {})
    assert first.options == JobOptions(attempts=3, priority=2)
    assert (first.misfire, first.overlap, first.is_legacy) == ("skip", "skip", False)
    assert (first.next_job_id, first.has_next, first.run_number, first.runs_made) == (
        f"repeat:s:{NOW + 2}",
        True,
        1,
        1,
    )
    assert await scheduling.read_page(keyspace, 1, 1) == [second]
    assert await scheduling.read_one(keyspace, "later") == second
    assert await scheduling.read_one(keyspace, "nobody") is None
    assert await scheduling.count(keyspace) == 2
    assert keys.all() == before


async def test_a_calendar_is_part_of_the_timing(keyspace: QueueKeyspace) -> None:
    rule: Any = {"cron": "0 3 * * *", "tz": "UTC", "calendar": "XNYS"}
    await upsert(keyspace, due=NOW + 2, **rule, during="hours")
    (found,) = await scheduling.read_page(keyspace, 0, -1)
    assert found.timing == Timing(**rule, during="hours")
    # Another calendar is another rule: the next run gets a time of its own.
    await upsert(keyspace, due=NOW + 3, **rule, session="open")
    (found,) = await scheduling.read_page(keyspace, 0, -1)
    assert (found.timing, found.next_run) == (Timing(**rule, session="open"), NOW + 3)


async def test_what_node_s_listing_would_delete_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    old = "daily:7::Europe/Berlin:0 3 * * *"
    keys.put({"repeat": Sorted({"lost": NOW, old: NOW + 1, "md5": NOW + 2, "odd": NOW + 3})})
    keys.put({"repeat:md5": {"name": "tick", "every": "500", "tz": "Asia/Tokyo"}, "repeat:odd": "no hash"})
    before = keys.all()
    lost, berlin, tick, odd = await scheduling.read_page(keyspace, 0, -1)
    assert (lost.job_name, lost.has_next, lost.is_legacy) == ("lost", False, True)
    assert (berlin.job_name, berlin.timing) == ("daily", Timing(cron="0 3 * * *", tz="Europe/Berlin"))
    assert (tick.job_name, tick.timing, tick.is_legacy) == ("tick", Timing(every_ms=500, tz="Asia/Tokyo"), True)
    assert odd.job_name == "odd"
    assert keys.all() == before


async def test_the_number_of_the_next_run_is_its_own(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await upsert(keyspace, every_ms=HOUR, limit=3)
    await keyspace.server.call("HSET", keyspace.base + "repeat:s", "ic", 40)
    await keyspace.server.call("HSET", keyspace.base + RUN, "opts", '{"repeat":{"every":1,"count":2}}')
    found = await scheduling.read_one(keyspace, "s")
    assert found is not None
    assert (found.run_number, found.runs_made) == (2, 40)
    assert found.upcoming(9) == (NOW, NOW + HOUR)
