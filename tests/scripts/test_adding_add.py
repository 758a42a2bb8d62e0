"""adding.add: where new jobs go, and what of them is told."""

from stockyard._store.jobs.adding import new_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.options import JobOptions
from tests.scripts.conftest import NOW, Keyspace, Sorted, record
from tests.support.adding import add_jobs

PLAIN = JobOptions()
DUE = NOW + 5000


async def test_a_plain_job(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await add_jobs(keyspace, [new_job("work", '{"a":1}', PLAIN, NOW)]) == ["1"]
    assert keys.all() == {
        "1": record(data='{"a":1}', opts='{"attempts":1}'),
        "id": "1",
        "wait": ["1"],
        "marker": Sorted({"0": 0}),
        "events": [["added", "1", "work"], ["waiting", "1"]],
    }
    assert keys.get("meta") == {"opts.maxLenEvents": "10000"}


async def test_the_order_of_the_line(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["old"], "id": "7"})
    lifo = JobOptions(lifo=True)
    jobs = [new_job("work", "{}", options, NOW) for options in (PLAIN, PLAIN, lifo, PLAIN, lifo)]
    assert await add_jobs(keyspace, jobs) == ["8", "9", "10", "11", "12"]
    # The head is the newest, the tail runs next.
    assert keys.get("wait") == ["11", "9", "8", "old", "10", "12"]


async def test_prioritized_jobs_share_one_counter(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    jobs = [new_job("work", "{}", JobOptions(priority=priority), NOW) for priority in (2, 1, 2)]
    await add_jobs(keyspace, jobs)
    assert keys.get("prioritized") == Sorted({"2": 2**32 + 2, "1": 2 * 2**32 + 1, "3": 2 * 2**32 + 3})
    assert (keys.get("pc"), keys.get("wait"), keys.get("marker")) == ("3", None, Sorted({"0": 0}))


async def test_delayed_jobs_of_one_millisecond_keep_their_order(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    jobs = [new_job("work", "{}", JobOptions(delay_ms=delay), NOW) for delay in (5000, 5000, 4999)]
    await add_jobs(keyspace, jobs)
    assert keys.get("delayed") == Sorted({"3": (DUE - 1) * 4096, "1": DUE * 4096, "2": DUE * 4096 + 1})
    assert keys.get("marker") == Sorted({"1": DUE - 1})
    assert keys.get("1") == record(opts='{"attempts":1,"delay":5000}', delay=5000)
    assert keys.get("events")[:2] == [["added", "1", "work"], ["delayed", "1", str(DUE)]]


async def test_an_id_that_exists_is_found_not_added(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"own": record(data='"first"'), "id": "4"})
    jobs = [new_job("work", '"second"', JobOptions(job_id="own"), NOW), new_job("work", "{}", PLAIN, NOW)]
    assert await add_jobs(keyspace, jobs) == ["own", "6"]
    assert keys.get("own") == record(data='"first"')
    assert (keys.get("wait"), keys.get("id")) == (["6"], "6")
    assert keys.get("events")[0] == ["duplicated", "own"]


async def test_nobody_is_woken_for_a_paused_or_full_queue(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"paused": "1"}})
    await add_jobs(keyspace, [new_job("work", "{}", PLAIN, NOW)])
    assert keys.get("marker") is None
    keys.put({"active": ["x"], "meta": {"concurrency": "1"}})
    await add_jobs(
        keyspace, [new_job("work", "{}", PLAIN, NOW), new_job("work", "{}", JobOptions(delay_ms=5000), NOW)]
    )
    assert keys.get("marker") == Sorted({"1": DUE})


async def test_more_jobs_than_one_call_carries(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    ids = await add_jobs(keyspace, [new_job("work", "{}", PLAIN, NOW) for _ in range(123)])
    assert ids == [str(number) for number in range(1, 124)]
    assert keys.get("wait") == ids[::-1]


async def test_the_event_stream_stays_as_long_as_the_queue_says(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"meta": {"opts.maxLenEvents": "10"}})
    await add_jobs(keyspace, [new_job("work", "{}", PLAIN, NOW) for _ in range(500)])
    assert len(keys.get("events")) < 300
    assert keys.get("meta") == {"opts.maxLenEvents": "10"}


async def test_jobs_of_a_shard_are_numbered_with_its_tag(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"id": "16", "own": record()})
    jobs = [new_job("work", "{}", options, NOW, ":@4c") for options in (PLAIN, JobOptions(job_id="own"), PLAIN)]
    assert await add_jobs(keyspace, jobs) == ["17@4c", "own", "19@4c"]
    assert (keys.get("wait"), keys.get("id")) == (["19@4c", "17@4c"], "19")
    assert keys.get("17@4c") == record(opts='{"attempts":1}')
