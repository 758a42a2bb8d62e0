"""editing.delay: a delayed job gets another due time."""

from stockyard._store.jobs import editing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from tests.scripts.conftest import NOW, Keyspace, Sorted, record


async def test_the_new_delay_counts_from_now(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(delay=5), "2": record(), "delayed": Sorted({"1": 7, "2": (NOW + 60_000) * 4096.0})})
    assert await editing.change_delay(keyspace, "1", 60_000) == 0
    assert keys.all() == {
        "1": record(delay=60_000),
        "2": record(),
        "delayed": Sorted({"2": (NOW + 60_000) * 4096.0, "1": (NOW + 60_000) * 4096.0 + 1}),
        "marker": Sorted({"1": NOW + 60_000.0}),
        "events": [["delayed", "1", str(NOW + 60_000)]],
    }


async def test_a_marker_for_later_moves_forward(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({"1": record(), "delayed": Sorted({"1": (NOW + 60_000) * 4096.0})})
    keys.put({"marker": Sorted({"1": NOW + 60_000.0})})
    assert await editing.change_delay(keyspace, "1", 0) == 0
    assert keys.get("marker") == Sorted({"1": NOW})


async def test_its_own_place_is_no_neighbour(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    due = (NOW + 1000) * 4096.0
    keys.put({"1": record(), "delayed": Sorted({"1": due})})
    assert await editing.change_delay(keyspace, "1", 1000) == 0
    assert keys.get("delayed") == Sorted({"1": due})


async def test_a_job_that_is_not_delayed_stays(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {"1": record(), "wait": ["1"]}
    keys.put(before)
    assert await editing.change_delay(keyspace, "1", 1) == ReplyCode.WRONG_STATE
    assert await editing.change_delay(keyspace, "2", 1) == ReplyCode.JOB_MISSING
    assert keys.all() == before


async def test_the_expiry_counts_from_the_new_due_time(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    options = '{"attempts":1,"delay":5,"expiresIn":2000,"coalesce":{"key":"A","replaced":0}}'
    keys.put({"1": record(opts=options), "delayed": Sorted({"1": 7})})
    assert await editing.change_delay(keyspace, "1", 60_000) == 0
    assert keys.get("1")["opts"] == options.replace('"expiresIn":2000', f'"expiresAt":{NOW + 62_000}')
