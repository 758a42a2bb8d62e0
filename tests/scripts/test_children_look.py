"""children.look: jobs with the keys of their children."""

from stockyard._store.jobs.children import look
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_the_fields_and_the_children_of_every_kind(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"par": record(name="gather", returnvalue="5"), "par:processed": {"p:q:a": "1"}})
    keys.put(
        {"par:dependencies": {"p:q:b"}, "par:unsuccessful": Sorted({"p:q:c": NOW}), "par:failed": {"p:q:d": "no"}}
    )
    ((row, children),) = [each for each in await look(keyspace, [keyspace.keys.job("par")], 20) if each]
    assert (row.name, row.result, row.raw_id) == (b"gather", b"5", b"par")
    assert children == ["p:q:a", "p:q:b", "p:q:c", "p:q:d"]


async def test_what_is_no_job_is_nothing(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"text": "text", "leaf": record()})
    seen = await look(keyspace, [keyspace.keys.job(each) for each in ("none", "text", "leaf")], 20)
    assert [each and each[1] for each in seen] == [None, None, []]


async def test_at_most_so_many_children(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    many = {f"p:q:{number}" for number in range(2000)}
    keys.put({"par": record(), "par:dependencies": many, "par:processed": dict.fromkeys(many, "1")})
    for limit in (1, 20, 1000):
        (seen,) = await look(keyspace, [keyspace.keys.job("par")], limit)
        assert seen
        assert len(seen[1]) == limit


async def test_more_jobs_than_one_call_reads(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({str(number): record(data=number) for number in range(120)})
    seen = await look(keyspace, [keyspace.keys.job(str(number)) for number in range(120)], 20)
    assert [each[0].data for each in seen if each] == [b"%d" % number for number in range(120)]
