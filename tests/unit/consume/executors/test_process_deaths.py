"""Children that die, are killed, or are replaced: only their own job fails."""

import asyncio
import os
import signal
from multiprocessing.forkserver import _forkserver
from pathlib import Path
from typing import Any

import pytest

from stockyard.consume.executors import warm_child
from stockyard.consume.executors.not_started import ChildNotStarted
from stockyard.consume.executors.process import ProcessPool
from stockyard.consume.executors.warm_child import WarmChild
from stockyard.errors import JobTimeout, StockyardError, WorkerProcessDied
from tests.support import child_handlers as handlers
from tests.support.child_handlers import RecordingPort, alive, announced, stat, task
from tests.support.waiting import eventually


@pytest.fixture
def port() -> RecordingPort:
    return RecordingPort()


async def pid_of_next(pool: ProcessPool) -> int:
    return int(await pool.run(task(handlers.own_pid), port=RecordingPort()))


@pytest.mark.parametrize(
    ("handler", "data", "message", "exit_code", "signal_name"),
    [
        (handlers.exit_at_once, 3, "the child process of job 17 died: exit code 3", 3, None),
        (handlers.exit_at_once, 0, "the child process of job 17 died: exit code 0", 0, None),
        (handlers.exit_politely, 4, "the child process of job 17 died: exit code 4", 4, None),
        (handlers.kill_itself, None, "the child process of job 17 died: killed by SIGKILL", None, "SIGKILL"),
        (handlers.read_null, None, "the child process of job 17 died: killed by SIGSEGV", None, "SIGSEGV"),
    ],
)
async def test_a_death_is_told_and_the_pool_goes_on(
    port: RecordingPort, handler: Any, data: Any, message: str, exit_code: int | None, signal_name: str | None
) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    before = await pid_of_next(pool)
    with pytest.raises(WorkerProcessDied) as caught:
        await pool.run(task(handler, data), port=port)
    assert str(caught.value) == message
    assert (caught.value.exit_code, caught.value.signal) == (exit_code, signal_name)
    assert await pid_of_next(pool) != before
    await pool.aclose()


async def test_a_neighbours_job_survives_a_death(port: RecordingPort, tmp_path: Path) -> None:
    pool = ProcessPool(size=2)
    await pool.start()
    here, there = tmp_path / "here", tmp_path / "there"
    neighbour = asyncio.create_task(pool.run(task(handlers.meet, [str(here), str(there)]), port=port))
    await announced(here)
    with pytest.raises(WorkerProcessDied, match="SIGKILL"):
        await pool.run(task(handlers.kill_itself), port=port)
    there.touch()
    assert await neighbour == b"true"
    await pool.aclose()


async def test_what_was_logged_before_a_death_is_kept(port: RecordingPort) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    with pytest.raises(WorkerProcessDied, match="exit code 3"):
        await pool.run(task(handlers.report_and_exit), port=port)
    await pool.aclose()
    assert port.calls == [("log", "17", "last words")]


async def test_a_child_that_died_idle_costs_no_job(port: RecordingPort) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    idle = await pid_of_next(pool)
    os.kill(idle, signal.SIGKILL)
    await eventually(lambda: stat(idle) == [])  # its last thread too, so that the pipe is closed
    assert await pid_of_next(pool) != idle
    await pool.aclose()


@pytest.mark.parametrize("handler", [handlers.spin, handlers.hold_interpreter])
async def test_a_timeout_kills_the_child(port: RecordingPort, tmp_path: Path, handler: Any) -> None:
    pool = ProcessPool(size=1, term_grace=60)
    await pool.start()
    before = await pid_of_next(pool)
    with pytest.raises(JobTimeout, match=r"^timed out after 200 ms$"):
        await pool.run(task(handler, str(tmp_path / "pid")), port=port, timeout=0.2)
    await eventually(lambda: not alive(before))
    assert await pid_of_next(pool) != before
    await pool.aclose()


async def test_a_cancellation_kills_the_child_and_what_it_started(port: RecordingPort, tmp_path: Path) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    before = await pid_of_next(pool)
    job = asyncio.create_task(pool.run(task(handlers.spin_with_program, str(tmp_path / "pid")), port=port))
    program = await announced(tmp_path / "pid")
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await eventually(lambda: not alive(before) and not alive(program))
    assert await pid_of_next(pool) != before
    await pool.aclose()


async def test_cancelling_a_job_that_waits_leaves_its_place_to_the_next(
    port: RecordingPort, tmp_path: Path
) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    here, there = tmp_path / "here", tmp_path / "there"
    running_job = asyncio.create_task(pool.run(task(handlers.meet, [str(here), str(there)]), port=port))
    await announced(here)
    waiting = asyncio.create_task(pool.run(task(handlers.own_pid), port=port))
    last = asyncio.create_task(pool.run(task(handlers.own_pid), port=port))
    await asyncio.sleep(0)
    waiting.cancel()
    there.touch()
    assert await running_job == b"true"
    assert int(await last) > 0
    assert waiting.cancelled()
    await pool.aclose()


async def test_a_child_above_the_memory_limit_is_killed_and_the_limit_named(
    port: RecordingPort, tmp_path: Path
) -> None:
    pool = ProcessPool(size=1, memory_limit=150_000_000)
    await pool.start()
    with pytest.raises(WorkerProcessDied, match=r"memory limit reached: .* 150,000,000 are allowed") as caught:
        await pool.run(task(handlers.gorge, str(tmp_path / "pid")), port=port)
    assert caught.value.signal == "SIGKILL"
    eater = await announced(tmp_path / "pid")
    await eventually(lambda: not alive(eater))
    assert await pid_of_next(pool) != eater
    await pool.aclose()


async def test_a_child_is_replaced_after_its_share_of_jobs() -> None:
    pool = ProcessPool(size=1, recycle_after=2)
    await pool.start()
    pids = [await pid_of_next(pool) for _ in range(6)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4] == pids[5]
    await eventually(lambda: not alive(pids[0]) and not alive(pids[2]))
    await pool.aclose()


async def test_a_recycled_childs_job_may_fail_and_the_place_stays_one(port: RecordingPort) -> None:
    pool = ProcessPool(size=1, recycle_after=1)
    await pool.start()
    for _ in range(2):
        with pytest.raises(WorkerProcessDied):
            await pool.run(task(handlers.exit_at_once, 3), port=port)
    first, second = await asyncio.gather(pid_of_next(pool), pid_of_next(pool))
    assert first != second
    await pool.aclose()


async def test_closing_leaves_no_child_and_fails_what_runs(port: RecordingPort, tmp_path: Path) -> None:
    pool = ProcessPool(size=2)
    await pool.start()
    job = asyncio.create_task(pool.run(task(handlers.spin, str(tmp_path / "pid")), port=port))
    spinning = await announced(tmp_path / "pid")
    idle = await pid_of_next(pool)
    await pool.aclose()
    assert not alive(spinning)
    assert not alive(idle)
    assert children_of_fork_server() == []
    with pytest.raises(WorkerProcessDied, match="the pool was closed"):
        await job
    await pool.aclose()


async def test_closing_fails_what_waits_for_a_child(port: RecordingPort, tmp_path: Path) -> None:
    pool = ProcessPool(size=1)
    await pool.start()
    jobs = [asyncio.create_task(pool.run(task(handlers.spin, str(tmp_path / "pid")), port=port)) for _ in range(3)]
    await announced(tmp_path / "pid")
    await pool.aclose()
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkerProcessDied, StockyardError, StockyardError]


async def test_closing_while_children_still_start_leaves_none() -> None:
    pool = ProcessPool(size=3)
    await pool.start()
    await pool.aclose()
    assert children_of_fork_server() == []


async def test_a_child_that_cannot_be_started_is_no_death_of_the_jobs(
    monkeypatch: pytest.MonkeyPatch, port: RecordingPort
) -> None:
    def refuse(*_: object) -> None:
        raise EOFError("unexpected EOF")  # what multiprocessing raises when its fork server dies

    pool = ProcessPool(size=1)
    with monkeypatch.context() as short:
        short.setattr(warm_child, "_forked", refuse)
        await pool.start()
        await eventually(lambda: not pool._places._tasks)
    with pytest.raises(ChildNotStarted, match="could not be started: unexpected EOF"):
        await pool.run(task(handlers.own_pid), port=port)
    assert await pid_of_next(pool)
    await pool.aclose()


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGKILL, ChildNotStarted), (signal.SIGSEGV, WorkerProcessDied)]
)
async def test_a_new_child_that_is_killed_from_outside_is_no_death_of_the_jobs(
    monkeypatch: pytest.MonkeyPatch, port: RecordingPort, number: signal.Signals, expected: type[StockyardError]
) -> None:
    ready = WarmChild.ready

    async def kill_first(child: WarmChild) -> None:
        os.kill(child.pid, number)
        await child.ended  # in case it was ready before: what it said then is not read
        child._pipe.close()
        child._pipe._received.clear()
        await ready(child)

    pool = ProcessPool(size=1)
    with monkeypatch.context() as short:
        short.setattr(WarmChild, "ready", kill_first)
        await pool.start()
        await eventually(lambda: not pool._places._tasks)
    with pytest.raises(StockyardError, match=f"a new child process died: killed by {number.name}") as caught:
        await pool.run(task(handlers.own_pid), port=port)
    assert type(caught.value) is expected
    await pool.aclose()


def children_of_fork_server() -> list[str]:
    server = str(_forkserver._forkserver_pid)  # type: ignore[attr-defined]
    return [each.name for each in Path("/proc").glob("[0-9]*") if stat(each.name)[1:2] == [server]]
