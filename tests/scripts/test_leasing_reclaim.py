"""leasing.reclaim: finds what was started under a token."""

from stockyard._store.leasing import reclaim
from stockyard._store.link import QueueLink
from tests.scripts.conftest import Keyspace, record


async def test_the_jobs_of_the_token_are_found(link: QueueLink, keys: Keyspace) -> None:
    before = {
        **{job_id: record(data=f'"{job_id}"', ats=1) for job_id in ("1", "2", "3", "4")},
        "1:lock": "w:7",
        "2:lock": "w:8",
        "3:lock": "w:7",
        "active": ["4", "3", "2", "1"],
    }
    keys.put(before)
    rows = await reclaim(link, "w:7")
    assert sorted((row[14], row[1], row[7]) for row in rows) == [(b"1", b'"1"', b"1"), (b"3", b'"3"', b"1")]
    assert await reclaim(link, "w:9") == []
    assert keys.all() == before
