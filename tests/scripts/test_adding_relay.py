"""adding.relay: each row of an outbox once, in order, up to the first that is refused."""

from typing import Any

from stockyard import JobNotFound, JobOptions, JobStateError, ParentRef, StockyardError
from stockyard._store.jobs.adding import ExistingJob, relay
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record

HOUR = 3_600_000


def job(keyspace: QueueKeyspace, row: str, **options: Any) -> RelatedJob:
    made = related_job(keyspace, "work", "{}", JobOptions().merged(job_id=f"outbox-{row}", **options), NOW)
    made.row = row
    return made


async def send(
    keyspace: QueueKeyspace, *jobs: RelatedJob, most: int | None = None
) -> list[str | ExistingJob | StockyardError]:
    return list(await relay(keyspace, jobs, memory_ms=HOUR, most=most))


async def test_jobs_are_added_in_order_and_remembered(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await send(keyspace, job(keyspace, "a"), job(keyspace, "b")) == ["outbox-a", "outbox-b"]
    opts = '{"attempts":1,"jobId":"outbox-%s"}'
    assert keys.all() == {
        ":outbox:a": "1",
        ":outbox:b": "1",
        "events": [
            ["added", "outbox-a", "work"],
            ["waiting", "outbox-a"],
            ["added", "outbox-b", "work"],
            ["waiting", "outbox-b"],
        ],
        "id": "2",
        "marker": Sorted({"0": 0}),
        "outbox-a": record(opts=opts % "a"),
        "outbox-b": record(opts=opts % "b"),
        "wait": ["outbox-b", "outbox-a"],
    }
    assert 0 < keys.ttl(":outbox:a") <= HOUR


async def test_a_row_is_added_once_even_if_its_job_is_gone(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    await send(keyspace, job(keyspace, "a"))
    for name in ("outbox-a", "wait", "marker"):
        keys.delete(name)
    before = keys.all()
    assert await send(keyspace, job(keyspace, "a")) == [ExistingJob("outbox-a")]
    assert keys.all() == before


async def test_an_id_that_exists_is_not_added_by_another_row(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"outbox-a": record()})
    (answer,) = await send(keyspace, job(keyspace, "a"))
    assert isinstance(answer, ExistingJob)
    assert (keys.get("wait"), keys.get(":outbox:a")) == (None, "1")


async def test_what_follows_a_refused_job_is_left(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    child = job(keyspace, "b", parent=ParentRef("q", "gone"))
    added, refused = await send(keyspace, job(keyspace, "a"), child, job(keyspace, "c"))
    assert added == "outbox-a"
    assert isinstance(refused, JobNotFound)
    assert (keys.get("wait"), keys.get(":outbox:b"), keys.get(":outbox:c")) == (["outbox-a"], None, None)


async def test_a_child_of_another_parent_is_refused(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    base = keyspace.base
    keys.put({"par": record(), "other": record(), "outbox-b": record(parentKey=f"{base}other")})
    child = job(keyspace, "b", parent=ParentRef("q", "par"))
    (refused,) = await send(keyspace, child, job(keyspace, "c"))
    assert isinstance(refused, JobStateError)
    assert (keys.get("wait"), keys.get(":outbox:b")) == (None, None)


async def test_a_child_is_lined_up_for_its_parent(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par": record(), "waiting-children": Sorted({"par": NOW})})
    assert await send(keyspace, job(keyspace, "a", parent=ParentRef("q", "par"), delay="5s")) == ["outbox-a"]
    assert keys.get("par:dependencies") == {f"{keyspace.base}outbox-a"}
    assert keys.get("delayed") == Sorted({"outbox-a": (NOW + 5000) * 4096})


async def test_what_finds_no_room_is_left(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"wait": ["1"], "paused": ["2"], "prioritized": Sorted({"3": 1})})
    rows = [job(keyspace, row) for row in "abc"]
    assert await send(keyspace, *rows, most=3) == []
    assert await send(keyspace, *rows, most=5) == ["outbox-a", "outbox-b"]
    # What was added before takes no room.
    assert await send(keyspace, *rows, most=5) == [ExistingJob("outbox-a"), ExistingJob("outbox-b")]
    assert await send(keyspace, *rows, most=6) == [ExistingJob("outbox-a"), ExistingJob("outbox-b"), "outbox-c"]
    assert keys.get("wait") == ["outbox-c", "outbox-b", "outbox-a", "1"]
