"""A run of a schedule starts once its schedule's next run is made, or is skipped or failed instead."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stockyard._store.jobs import editing, leasing, scheduling
from stockyard._store.jobs.scheduling import Started
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import StartedRecord
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.finish.next_run_maker import NextRunMaker
from stockyard.consume.run.ending import Ending
from stockyard.errors import ServerUnavailable
from stockyard.model.outcome import Completed, Failed
from stockyard.model.schedule import Timing

NOW = 1_000_000
EVERY = Timing(every_ms=1000)


def record(job_id: str, *, options: bytes = b"{}", starts: int = 1) -> StartedRecord:
    return StartedRecord(
        b"candles",
        b"{}",
        options,
        b"0",
        b"0",
        b"0",
        None,
        starts,
        None,
        None,
        None,
        None,
        None,
        None,
        job_id.encode(),
    )


def started(**changes: Any) -> Started:
    plain = Started(timing=EVERY, due=NOW, trouble="", next_job_id="next", misfire="run_once", beside="")
    return plain._replace(**changes)


class Parts:
    """The store and the rest of the worker, as a maker of next runs sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Any] = []
        self.passed_on: set[str] = set()
        self.began: list[str] = []
        self.endings: list[Ending] = []
        self.logs: list[tuple[str, str]] = []
        monkeypatch.setattr(scheduling, "advance", self._advance)
        monkeypatch.setattr(leasing, "still_held", self._still_held)
        monkeypatch.setattr(editing, "append_log", self._log)
        self.maker = NextRunMaker(
            cast("QueueKeyspace", SimpleNamespace(queue="candles", clock=lambda: NOW)),
            lock_ms=30_000,
            keep=(7, 9),
            start=lambda records, token: self.began.extend(each.id for each in records),
            finisher=cast("Finisher", SimpleNamespace(put=self.endings.append)),
        )

    async def take(self, *records: StartedRecord) -> None:
        self.maker.take(records, "w:1")
        assert len(self.maker) == len(records)
        while len(self.maker):
            await asyncio.sleep(0)

    async def _advance(self, _: Any, records: Sequence[StartedRecord]) -> list[Started | None]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(records) if not isinstance(answer, list) else answer

    async def _still_held(self, _: Any, records: Sequence[StartedRecord], *__: Any) -> list[StartedRecord]:
        return [each for each in records if each.id not in self.passed_on]

    async def _log(self, _: Any, job_id: str, line: str) -> None:
        self.logs.append((job_id, line))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


async def test_a_run_starts_once_the_next_is_made(parts: Parts) -> None:
    parts.answers = [started()]
    await parts.take(record("1"), record("2"))
    assert (parts.began, parts.endings) == (["1", "2"], [])


async def test_a_run_whose_schedule_is_gone_starts_all_the_same(parts: Parts) -> None:
    parts.answers = [None]
    await parts.take(record("1"))
    assert parts.began == ["1"]


async def test_a_run_whose_next_cannot_be_made_fails_with_the_reason(parts: Parts) -> None:
    parts.answers = [[started(trouble="the pattern has no next time"), started()]]
    await parts.take(record("1"), record("2"))
    assert parts.began == ["2"]
    (ending,) = parts.endings
    assert (ending.job_id, ending.token) == ("1", "w:1")
    assert ending.outcome == Failed("the pattern has no next time", ("the pattern has no next time",), 0, 9)


@pytest.mark.parametrize(("options", "keep"), [(b"{}", 7), (b'{"removeOnComplete":5}', 5), (b"[1]", 7)])
async def test_a_run_beside_another_of_its_schedule_is_skipped(parts: Parts, options: bytes, keep: int) -> None:
    parts.answers = [started(beside="0", misfire="skip")]
    await parts.take(record("1", options=options))
    (ending,) = parts.endings
    assert parts.began == []
    assert isinstance(ending.outcome, Completed)
    assert (ending.outcome.value, kept(ending.outcome)) == ("null", keep)
    assert parts.logs == [("1", "skipped: run 0 of the same schedule is still going on (overlap='skip')")]


def kept(outcome: Completed) -> Any:
    keep = outcome.keep
    return keep if isinstance(keep, int) else getattr(keep, "count", keep)


@pytest.mark.parametrize(
    ("late_ms", "misfire", "starts", "is_skipped"),
    [
        (60_000, "skip", 1, True),
        (0, "skip", 1, False),
        (60_000, "run_once", 1, False),
        (60_000, "skip", 2, False),
    ],
    ids=["late", "in time", "late and wanted", "started before"],
)
async def test_a_run_that_is_too_late_is_skipped_on_request(
    parts: Parts, late_ms: int, misfire: str, starts: int, is_skipped: bool
) -> None:
    parts.answers = [started(due=NOW - late_ms, misfire=misfire)]
    await parts.take(record("1", starts=starts))
    assert parts.began == ([] if is_skipped else ["1"])
    assert len(parts.endings) == is_skipped


async def test_while_the_server_is_away_runs_are_held_and_those_that_passed_on_are_left(parts: Parts) -> None:
    parts.answers = [ServerUnavailable("away"), started()]
    parts.passed_on = {"1"}
    await parts.take(record("1"), record("2"))
    assert parts.began == ["2"]


async def test_a_stop_gives_up_what_the_server_does_not_answer(parts: Parts) -> None:
    parts.answers = [ServerUnavailable("away")] * 3
    parts.maker.take([record("1")], "w:1")
    await parts.maker.settle()
    assert (len(parts.maker), parts.began, parts.endings) == (0, [], [])
