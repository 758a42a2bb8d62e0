"""halting.release: jobs that a halt of their key delayed run at once when it is over."""

from stockyard._store import halting
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_those_that_are_delayed_wait_again_by_their_priority(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(
        {
            "1": record(delay=1000),
            "2": record(delay=1000, priority=3),
            "4": record(delay=1000),
            "delayed": Sorted({"1": NOW * 4096.0, "2": NOW * 4096.0, "4": NOW * 4096.0}),
        }
    )
    # The third has gone meanwhile, and the fourth is delayed for another reason.
    for job_id in ("1", "2", "3"):
        await halting.note_held(keyspace, job_id)
    while await keyspace.run(halting._RELEASE, keyspace.base, 2):
        continue
    assert keys.all() == {
        "1": record(),
        "2": record(priority=3),
        "4": record(delay=1000),
        "wait": ["1"],
        "prioritized": Sorted({"2": 3 * 2**32 + 1}),
        "delayed": Sorted({"4": NOW * 4096.0}),
        "pc": "1",
        "events": [["waiting", "1", "delayed"], ["waiting", "2", "delayed"]],
        "marker": Sorted({"0": 0}),
    }
