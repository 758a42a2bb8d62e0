"""The jobs of calls whose replies were lost: found by the call's token, started once, places given up."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from stockyard._store.jobs import leasing
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.load_size import LoadSize
from stockyard._store.records import StartedRecord
from stockyard.consume.take.lost_replies import LostReplies
from stockyard.errors import ServerUnavailable


def record(job_id: str) -> StartedRecord:
    return StartedRecord(
        *(None, None, None, None, None, None, None), 1, *(None, None, None, None, None, None), job_id.encode()
    )


class Server:
    """Answers ``reclaim`` with at most two of the jobs that each token holds and the caller does not know."""

    def __init__(self) -> None:
        self.held: dict[str, list[str]] = {}
        self.passed_on: set[str] = set()
        self.away = 0

    async def reclaim(self, _: Any, token: str, *, known: Sequence[str], **__: Any) -> list[StartedRecord]:
        if self.away:
            self.away -= 1
            raise ServerUnavailable("away")
        return [record(job_id) for job_id in self.held.get(token, []) if job_id not in known][:2]

    async def still_held(self, _: Any, records: Sequence[StartedRecord], *__: Any) -> list[StartedRecord]:
        return [each for each in records if each.id not in self.passed_on]


class Worker:
    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.freed = 0

    def start(self, records: list[StartedRecord], token: str) -> None:
        self.started += [(each.id, token) for each in records]

    def free(self, places: int) -> None:
        self.freed += places


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(leasing, "reclaim", server.reclaim)
    monkeypatch.setattr(leasing, "still_held", server.still_held)
    return server


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def lost(server: Server, worker: Worker) -> LostReplies:
    keyspace = cast("QueueKeyspace", None)
    return LostReplies(keyspace, lock_ms=30_000, size=LoadSize(), start=worker.start, free=worker.free)


async def test_jobs_of_a_lost_reply_are_started_and_all_places_given_up(
    lost: LostReplies, server: Server, worker: Worker
) -> None:
    server.held["w:1"] = ["1", "2", "3"]
    lost.add("w:1", 10)
    await lost.take()
    assert worker.started == [("1", "w:1"), ("2", "w:1"), ("3", "w:1")]
    assert (worker.freed, len(lost)) == (10, 0)


async def test_a_call_that_took_nothing_gives_its_places_up(lost: LostReplies, worker: Worker) -> None:
    lost.add("w:1", 4)
    await lost.take()
    assert (worker.started, worker.freed) == ([], 4)


async def test_a_job_that_passed_to_another_worker_is_not_started(
    lost: LostReplies, server: Server, worker: Worker
) -> None:
    server.held["w:1"], server.passed_on = ["1", "2"], {"1"}
    lost.add("w:1", 2)
    await lost.take()
    assert worker.started == [("2", "w:1")]
    assert worker.freed == 2


async def test_a_server_that_is_away_leaves_the_rest_for_the_next_look(
    lost: LostReplies, server: Server, worker: Worker
) -> None:
    server.held.update({"w:1": ["1"], "w:2": ["2"]})
    lost.add("w:1", 1)
    lost.add("w:2", 1)
    server.away = 1
    with pytest.raises(ServerUnavailable):
        await lost.take()
    assert (len(lost), worker.started, worker.freed) == (2, [], 0)
    await lost.take()
    assert sorted(worker.started) == [("1", "w:1"), ("2", "w:2")]
    assert (len(lost), worker.freed) == (0, 2)


async def test_a_job_is_started_once_though_the_server_goes_away_in_between(
    lost: LostReplies, server: Server, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.held["w:1"] = ["1", "2", "3"]
    lost.add("w:1", 3)
    answers = 0

    async def once(*positional: Any, **named: Any) -> list[StartedRecord]:
        nonlocal answers
        answers += 1
        if answers == 2:
            raise ServerUnavailable("away")
        return await server.reclaim(*positional, **named)

    monkeypatch.setattr(leasing, "reclaim", once)
    with pytest.raises(ServerUnavailable):
        await lost.take()
    await lost.take()
    assert [job_id for job_id, _ in worker.started] == ["1", "2", "3"]
    assert worker.freed == 3
