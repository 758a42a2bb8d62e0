"""leasing.reclaim: finds what was started under a token."""

from stockyard._store.jobs.leasing import reclaim
from stockyard._store.keyspace import QueueKeyspace
from tests.scripts.conftest import Keyspace, record


async def test_the_jobs_of_the_token_are_found(keyspace: QueueKeyspace, keys: Keyspace) -> None:
    before = {
        **{job_id: record(data=f'"{job_id}"', ats=1) for job_id in ("1", "2", "3", "4")},
        "1:lock": "w:7",
        "2:lock": "w:8",
        "3:lock": "w:7",
        "active": ["4", "3", "2", "1"],
    }
    keys.put(before)
    found = sorted((job.raw_id, job.data, job.starts) for job in await reclaim(keyspace, "w:7"))
    assert found == [
        (b"1", b'"1"', b"1"),
        (b"3", b'"3"', b"1"),
    ]
    assert await reclaim(keyspace, "w:9") == []
    assert keys.all() == before


async def test_known_jobs_are_left_out_and_large_ones_come_in_parts(
    keyspace: QueueKeyspace, keys: Keyspace
) -> None:
    keys.put(
        {
            **{job_id: record(data="x" * 60, ats=1) for job_id in ("1", "2", "3", "4")},
            **{f"{job_id}:lock": "w:7" for job_id in ("1", "2", "3", "4")},
            "active": ["4", "3", "2", "1"],
        }
    )
    known: list[str] = []
    parts = []
    while rows := await reclaim(keyspace, "w:7", known=known, lock_ms=60_000, most_bytes=100):
        parts.append([row.raw_id.decode() for row in rows])
        known += parts[-1]
    assert parts == [["4", "3"], ["2", "1"]]
    for job_id in known:
        assert 0 < await keyspace.server.call("PTTL", keyspace.keys.of_job(job_id, "lock")) <= 60_000
