"""expiring.note: jobs that have expired are counted and announced once, in the write that ends them."""

from typing import Any

from stockyard._store.jobs.expiring import note_call
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import accepted
from stockyard.model.outcome import Expired
from tests.scripts.conftest import Keyspace, record
from tests.scripts.runs import finish, running

LATE = Expired("expired: it was not started in time")


async def note(keyspace: QueueKeyspace, *leases: tuple[str, str]) -> Any:
    return accepted((await keyspace.server.run_many([note_call(keyspace, leases)]))[0])


async def test_the_record_of_an_expired_job_goes_and_peers_read_a_failure(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(running())
    assert (await finish(keyspace, ("1", LATE))).codes == [0]
    assert keys.all() == {
        ":counts": {"expired": "1"},
        "events": [["expired", "1"], ["failed", "1", LATE.reason, "active"], ["drained"]],
    }


async def test_each_is_counted_once(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put(running())
    assert await note(keyspace, ("1", "w:1")) == 1
    # The reply was lost before the job was ended.
    assert await note(keyspace, ("1", "w:1")) == 0
    assert keys.get(":counts") == {"expired": "1"}
    assert keys.get("events") == [["expired", "1"]]


async def test_those_of_another_worker_and_those_gone_are_passed_over(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({"1": record(), "1:lock": "other:1", "2": record(), "3:lock": "w:1"})
    before = keys.all()
    assert await note(keyspace, ("1", "w:1"), ("2", "w:1"), ("3", "w:1")) == 0
    assert keys.all() == before
