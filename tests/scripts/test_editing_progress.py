"""editing.progress: progress is stored and told."""

from stockyard._store import editing
from stockyard._store.link import QueueLink
from tests.scripts.conftest import Keyspace, record


async def test_progress_is_stored_and_told(link: QueueLink, keys: Keyspace) -> None:
    keys.put({"1": record(progress="1")})
    assert await editing.write_progress(link, "1", b'{"done":2}') == 0
    assert keys.all() == {"1": record(progress='{"done":2}'), "events": [["progress", "1", '{"done":2}']]}


async def test_no_progress_without_a_job(link: QueueLink, keys: Keyspace) -> None:
    assert await editing.write_progress(link, "1", b"5") == editing.MISSING
    assert keys.all() == {}
