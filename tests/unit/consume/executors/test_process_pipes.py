"""Jobs in a child's pipe behind the one that runs: what becomes of them when that is slow, or its child ends."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from stockyard.consume.executors import process
from stockyard.consume.executors.frames import (
    ChildTask,
    FrameReader,
    FromChild,
    Raised,
    Ready,
    Returned,
    Withdrawn,
    encode,
)
from stockyard.consume.executors.pace import MOST, Pace
from stockyard.consume.executors.process import ProcessPool
from stockyard.errors import JobTimeout, Requeue, StockyardError, WorkerProcessDied
from tests.support import child_handlers as handlers
from tests.support.child_handlers import RecordingPort, alive, announced, task
from tests.support.waiting import eventually, stays


@pytest.fixture
def port() -> RecordingPort:
    return RecordingPort()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs count as quick, whatever this machine makes of them; and none of them as slow."""
    monkeypatch.setattr(Pace, "depth", MOST)
    monkeypatch.setattr(process, "_SLOW", 600.0)


@pytest.fixture
async def make_pool() -> AsyncIterator[Callable[..., Any]]:
    made: list[ProcessPool] = []

    async def make(size: int = 1, **options: Any) -> ProcessPool:
        pool = ProcessPool(size=size, **options)
        made.append(pool)
        await pool.start()
        await eventually(lambda: len(pool._places.ready) == size)
        return pool

    yield make
    for pool in made:
        await pool.aclose()


class Line:
    """Jobs of one pool: the first runs until it is let go on, the others are sent behind it."""

    def __init__(self, pool: ProcessPool, folder: Path) -> None:
        self.pool = pool
        folder.mkdir(exist_ok=True)
        self._here, self._there = folder / "here", folder / "there"
        self.port = RecordingPort()
        self.first = self.run(task(handlers.meet, [str(self._here), str(self._there)]))

    def run(self, work: ChildTask, **options: Any) -> "asyncio.Task[bytes]":
        return asyncio.create_task(self.pool.run(work, port=self.port, **options))

    async def pid(self) -> int:
        """Wait until the first job runs; return its process."""
        return await announced(self._here)

    def is_behind(self) -> bool:
        """Whether a job is in a pipe behind another."""
        return any(len(child.in_flight) > 1 for child in self.pool._places.ready)

    async def behind(self, count: int) -> None:
        """Wait until so many jobs are in the pipe behind it."""
        await eventually(lambda: max(len(child.in_flight) for child in self.pool._places.ready) == 1 + count)

    def is_slow(self) -> None:
        """Let the first job have run for long, and the pool see it."""
        pid = int(self._here.read_text())
        (child,) = [child for child in self.pool._places.ready if child.pid == pid]
        child.in_flight[0].began -= 1000.0  # type: ignore[operator]
        self.pool._look_for_slow()

    def go_on(self) -> None:
        self._there.touch()


async def test_those_behind_run_in_order_in_the_same_child(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    reports = [line.run(task(handlers.report, job_id=str(number))) for number in range(3)]
    last = line.run(task(handlers.own_pid))
    await line.behind(4)
    await stays(lambda: line.port.calls == [])
    line.go_on()
    assert int(await last) == pid
    await asyncio.gather(line.first, *reports)
    assert [job_id for _, job_id, _ in line.port.calls] == [str(number) for number in range(3) for _ in range(4)]


async def test_a_death_costs_the_job_that_ran_alone(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    behind = [line.run(task(handlers.own_pid, job_id=str(number))) for number in range(3)]
    await line.behind(3)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerProcessDied, match="the child process of job 17 died: killed by SIGKILL"):
        await line.first
    pids = {int(each) for each in await asyncio.gather(*behind)}
    assert len(pids) == 1
    assert pid not in pids


async def test_each_of_several_deaths_costs_one_job(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(2), tmp_path)
    await line.pid()
    dying = [line.run(task(handlers.kill_itself if number % 3 == 0 else handlers.own_pid)) for number in range(9)]
    line.go_on()
    ends = await asyncio.gather(*dying, return_exceptions=True)
    assert [type(end) is WorkerProcessDied for end in ends] == [number % 3 == 0 for number in range(9)]


async def test_a_timeout_counts_from_when_the_job_begins(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    behind = line.run(task(handlers.own_pid), timeout=0.3)
    began: list[str] = []
    endless = line.run(
        task(handlers.spin, str(tmp_path / "pid")), timeout=0.3, on_begin=lambda: began.append("endless")
    )
    last = line.run(task(handlers.own_pid), timeout=25)
    await line.behind(3)
    await stays(lambda: not behind.done() and not began, during=0.5)
    line.go_on()
    assert int(await behind) == pid
    with pytest.raises(JobTimeout, match=r"^timed out after 300 ms$"):
        await endless
    assert began == ["endless"]
    assert int(await last) != pid
    await eventually(lambda: not alive(pid))


async def test_closing_fails_the_one_that_runs_and_refuses_those_behind(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    mark = tmp_path / "began"
    behind = [line.run(task(handlers.spin, str(mark))) for _ in range(2)]
    await line.behind(2)
    await line.pool.aclose()
    ends = await asyncio.gather(line.first, *behind, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkerProcessDied, StockyardError, StockyardError]
    assert not alive(pid)
    assert not mark.exists()


async def test_a_job_cancelled_behind_another_does_not_run(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    mark = tmp_path / "began"
    cancelled = line.run(task(handlers.spin, str(mark)))
    last = line.run(task(handlers.own_pid))
    await line.behind(2)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    line.go_on()
    assert await line.first == b"true"
    assert int(await last) == pid
    assert not mark.exists()


async def test_cancelling_all_of_a_pipe_kills_its_child_and_runs_none(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(), tmp_path)
    pid = await line.pid()
    mark = tmp_path / "began"
    behind = [line.run(task(handlers.spin, str(mark))) for _ in range(3)]
    await line.behind(3)
    for each in [*behind, line.first]:
        each.cancel()
    await asyncio.wait([*behind, line.first])
    assert all(each.cancelled() for each in [*behind, line.first])
    await eventually(lambda: not alive(pid))
    assert int(await line.pool.run(task(handlers.own_pid), port=line.port)) != pid
    assert not mark.exists()


async def test_those_behind_a_slow_job_go_to_another_child(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(2), tmp_path)
    pid = await line.pid()
    other = Line(line.pool, tmp_path / "other")
    assert await other.pid() != pid
    behind = [line.run(task(handlers.own_pid)) for _ in range(12)]
    await line.behind(6)
    other.go_on()
    await other.first
    line.is_slow()
    assert {int(each) for each in await asyncio.gather(*behind)} == {await other.pid()}
    line.go_on()
    assert await line.first == b"true"


async def test_where_every_child_is_slow_jobs_are_handed_back_and_no_more_are_asked_for(
    make_pool: Any, tmp_path: Path
) -> None:
    pool = await make_pool()
    assert pool.ahead == MOST - 1
    line = Line(pool, tmp_path)
    await line.pid()
    behind = [line.run(task(handlers.own_pid)) for _ in range(MOST + 3)]
    await line.behind(MOST - 1)
    line.is_slow()
    await eventually(lambda: not line.is_behind())
    pool._look_for_slow()
    ends = await asyncio.gather(*behind, return_exceptions=True)
    assert [type(end) for end in ends] == [Requeue] * len(behind)
    assert pool.ahead == 0
    line.go_on()
    assert await line.first == b"true"
    assert pool.ahead == MOST - 1


async def test_the_memory_limit_costs_the_job_that_takes_it(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(memory_limit=150_000_000), tmp_path)
    await line.pid()
    eats = line.run(task(handlers.gorge, str(tmp_path / "pid")))
    behind = line.run(task(handlers.own_pid))
    await line.behind(2)
    line.go_on()
    with pytest.raises(WorkerProcessDied, match="memory limit reached"):
        await eats
    assert int(await behind) > 0


async def test_a_child_is_given_no_more_jobs_than_it_is_replaced_after(make_pool: Any, tmp_path: Path) -> None:
    pool = await make_pool(recycle_after=3)
    pids = [
        int(each)
        for each in await asyncio.gather(
            *(pool.run(task(handlers.own_pid), port=RecordingPort()) for _ in range(9))
        )
    ]
    assert all(pids.count(pid) <= 3 for pid in pids)
    assert len(set(pids)) == 3


async def test_a_place_that_is_given_up_runs_what_it_has(make_pool: Any, tmp_path: Path) -> None:
    line = Line(await make_pool(2), tmp_path)
    pid = await line.pid()
    others = [line.run(task(handlers.own_pid)) for _ in range(6)]
    line.pool.resize(1)
    line.go_on()
    assert await line.first == b"true"
    assert len(await asyncio.gather(*others)) == 6
    await eventually(lambda: len(line.pool._places._children) == 1)
    assert pid


def test_quick_jobs_make_pipes_deeper_and_a_slow_one_ends_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pace = Pace()
    assert pace.depth == 1
    depths = []
    for _ in range(60):
        pace.note(0.001)
        depths.append(pace.depth)
    assert depths == sorted(depths)
    assert depths[-1] == MOST
    pace.note(1.0)
    assert pace.depth == 1
    for _ in range(60):
        pace.note(0.02)
    assert pace.depth == 2


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 1000])
def test_frames_are_read_however_the_pipe_cuts_them(size: int) -> None:
    frames: list[FromChild] = [
        Ready(),
        Returned(b"x" * 300),
        Withdrawn(3),
        Raised("", "ValueError", "no", "trace"),
    ]
    text = b"".join(encode(frame) for frame in frames)
    reader = FrameReader()
    read = [frame for at in range(0, len(text), size) for frame in reader.feed(text[at : at + size])]
    assert read == frames
