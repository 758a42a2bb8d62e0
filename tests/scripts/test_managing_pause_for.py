"""managing.pause_for: nothing starts for a while."""

import pytest

from stockyard._store.jobs import managing
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace

BY_HAND = "9007199254740991"


@pytest.mark.parametrize("before", [{}, {"limiter": "5"}, {"limiter": BY_HAND}])
async def test_the_limit_is_set_whatever_was_there(
    keyspace: QueueKeyspace, keys: Keyspace, before: dict[str, str]
) -> None:
    keys.put(before)
    await managing.pause_for(keyspace, 60_000)
    assert keys.all() == {"limiter": BY_HAND}
    assert 59_000 < keys.ttl("limiter") <= 60_000
