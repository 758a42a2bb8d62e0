"""keyed.look: one key and its line."""

from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard.model.key_order import KeyState
from tests.scripts.conftest import Keyspace, record
from tests.scripts.keyed import lined_up, standing


async def test_a_key_and_the_first_of_its_line(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    keys.put({**standing("A", "1", "2"), **lined_up("A", "10", "3", "4"), "1": record(), "2": record()})
    before = keys.all()
    rows, waiting = await keyed.look(keyspace, "A", most=2)
    assert [(each.head, each.state, each.length) for each in rows] == [
        ("1", KeyState.WAITING, 3),
        ("2", KeyState.WAITING, 3),
    ]
    assert waiting == ["3", "4"]
    assert keys.all() == before


async def test_a_key_without_jobs(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await keyed.look(keyspace, "A", most=2) == ([], [])
    assert keys.all() == {}
