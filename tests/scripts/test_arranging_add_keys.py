"""arranging.add in a queue with an order per key: who stands for a key, who waits behind it, what is counted."""

import pytest

from stockyard._store.jobs.arranging import ArrangedJob, arranged_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerRefused
from stockyard.model.arrangement import Arrangement
from stockyard.model.options import JobOptions
from tests.scripts.conftest import NOW, Keyspace, Sorted
from tests.scripts.keyed import ORDERED
from tests.support.adding import add_jobs


def jobs(keyspace: QueueKeyspace, *wanted: str | None) -> list[ArrangedJob]:
    """Jobs of these keys, None for one without."""
    keyspace.arrangement = Arrangement(keys=ORDERED)
    options = [JobOptions().merged() if key is None else JobOptions().merged(key=key) for key in wanted]
    return [arranged_job(keyspace, "tick", "{}", each, NOW) for each in options]


async def test_the_first_stands_for_its_key_and_the_others_line_up(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    assert await add_jobs(keyspace, jobs(keyspace, "A", "A", None, "B", "A")) == ["1", "2", "3", "4", "5"]
    assert keys.get("wait") == ["4", "3", "1"]
    assert keys.get(":keys:heads") == {"1": "A", "4": "B"}
    assert keys.get(":keys:holders") == {"A": '["1"]', "B": '["4"]'}
    assert keys.get(":key:A") == Sorted({"2": 2, "5": 5})
    assert (keys.get(":keys:waiting"), keys.get(":keys:lines")) == ("2", Sorted({"A": NOW}))
    assert [keys.get(each).get("stockyard.key") for each in "12345"] == ["A", "A", None, "B", "A"]


async def test_those_before_one_that_cannot_be_added_are_counted_and_wake_a_worker(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put({":keys:holders": {"broken": "no JSON"}})
    with pytest.raises(ServerRefused):
        await add_jobs(keyspace, jobs(keyspace, "A", "A", "broken", "A"))
    assert (keys.get(":key:A"), keys.get(":keys:waiting")) == (Sorted({"2": 2}), "1")
    assert (keys.get("wait"), keys.get("marker")) == (["1"], Sorted({"0": 0}))
