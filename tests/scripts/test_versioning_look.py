"""versioning.look: the payload versions that were seen, and what waits of each."""

from stockyard._store.jobs.versioning import read_versions
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.snapshots import PayloadVersion
from tests.scripts.conftest import NOW, Keyspace, Sorted


async def test_versions_with_what_waits(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    assert await read_versions(keyspace) == []
    keys.put(
        {
            "stalled-check:versions": {"10": "0", "2": str(NOW)},
            "stalled-check:version:10": Sorted({"1": 1, "2": 2}),
            "stalled-check:version:3": Sorted({"3": 1}),
        }
    )
    assert await read_versions(keyspace) == [PayloadVersion(2, 0, NOW), PayloadVersion(10, 2, 0)]
