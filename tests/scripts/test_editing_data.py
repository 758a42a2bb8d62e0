"""editing.data: a payload is replaced."""

from stockyard._store import editing
from stockyard._store.link import QueueLink
from tests.scripts.conftest import Keyspace, record


async def test_the_payload_is_replaced_and_nothing_told(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(data='{"a":1}')})
    assert await editing.write_data(link, "1", '{"b":"Ω"}'.encode()) == 0
    assert keys.all() == {"1": record(data='{"b":"Ω"}')}


async def test_what_does_not_exist_is_not_made(link: QueueLink, keys: Keyspace) -> None:
    assert await editing.write_data(link, "1", b"{}") == editing.MISSING
    assert keys.all() == {}
