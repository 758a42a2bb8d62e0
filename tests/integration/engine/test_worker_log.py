"""What a worker logs without being asked: each line names queue, job, name, attempt and class, and no payload."""

import logging
import os
import signal
from typing import Any

import pytest

from stockyard import Hooks, Job, JobFailed, Router
from tests.support.servers import OwnServer
from tests.support.waiting import eventually
from tests.support.yard import Yard

SECRET = "hunter2"


class Log:
    """The lines of one test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        caplog.set_level(logging.INFO, logger="stockyard")

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(record.levelname, record.getMessage()) for record in self._caplog.records]

    def one(self, text: str) -> logging.LogRecord:
        (record,) = [record for record in self._caplog.records if text in record.getMessage()]
        return record

    def has(self, text: str) -> bool:
        return any(text in line for _, line in self.lines)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


async def fail(job: Job[Any]) -> None:
    raise KeyError("nope")


def die(job: Job[Any]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(job: Job[Any]) -> None:
    signal.pause()


def fine(job: Job[Any]) -> None: ...


async def test_retried_and_failed_jobs_are_logged(yard: Yard, log: Log) -> None:
    queue = yard.queue(attempts=2, backoff="10ms")
    await yard.work(fail)
    job = await queue.add("submit", {"password": SECRET})
    with pytest.raises(JobFailed, match=r"^job 1 failed: KeyError: 'nope'$"):
        await job.wait_for_result(25)
    await eventually(lambda: log.has("attempt 2 of 2 failed"))
    retried = log.one(
        "job 1 ('submit') of queue q, attempt 1 of 2 failed and is retried in 0.01 s: KeyError: 'nope'"
    )
    failed = log.one("job 1 ('submit') of queue q, attempt 2 of 2 failed: KeyError: 'nope'")
    for number, (record, level) in enumerate([(retried, "WARNING"), (failed, "ERROR")], 1):
        assert record.levelname == level
        said = vars(record)
        assert {name: said[name] for name in ("queue", "job", "job_name", "attempt", "error")} == {
            "queue": "q",
            "job": "1",
            "job_name": "submit",
            "attempt": number,
            "error": "KeyError",
        }
        assert SECRET not in str(said)


async def test_completed_jobs_are_not(yard: Yard, log: Log) -> None:
    queue = yard.queue()
    await yard.work(fine)
    await (await queue.add("x")).wait_for_result(25)
    assert not log.lines


async def test_a_line_stays_a_line_and_shows_no_password(yard: Yard, log: Log) -> None:
    async def fail(job: Job[Any]) -> None:
        raise ValueError(f"two\nlines at redis://user:{SECRET}@host {'long ' * 1000}")

    queue = yard.queue()
    await yard.work(fail)
    await queue.add("forged\nERROR all is lost")
    await eventually(lambda: log.has("failed: ValueError"))
    line = log.one("failed: ValueError").getMessage()
    assert "\n" not in line
    assert SECRET not in line
    assert len(line) < 600


async def test_a_crashed_child_and_a_killed_timeout_are_logged(yard: Yard, log: Log) -> None:
    router = Router()
    for function in (die, hang, fine):
        router.add(function.__name__, function, executor="process")
    queue = yard.queue()
    await yard.work(router, concurrency=1)
    await queue.add("die")
    await eventually(lambda: log.has("('die') of queue q, attempt 1 failed: WorkerProcessDied"), within=60)
    record = log.one("job 1 ('die') of queue q, attempt 1 lost its child process (pid ")
    assert record.getMessage().endswith("killed by SIGKILL")
    await queue.add("hang", timeout="100ms")
    await eventually(lambda: log.has("('hang') of queue q, attempt 1 failed: JobTimeout"), within=60)
    record = log.one(
        "job 2 ('hang') of queue q, attempt 1 ran longer than its timeout of 0.1 s: its child process"
    )
    assert record.getMessage().endswith("was killed")
    assert await (await queue.add("fine")).wait_for_result(60) is None


@pytest.mark.parametrize("error", [ValueError("of the hook"), SystemExit(3)])
async def test_a_failed_hook_is_logged_and_changes_nothing(yard: Yard, log: Log, error: BaseException) -> None:
    def break_off(*_: Any) -> None:
        raise error

    queue = yard.queue()
    await yard.work(fine, hooks=Hooks(started=break_off, completed=break_off))
    for number in (1, 2):
        job = await queue.add("submit", {"password": SECRET})
        assert await job.wait_for_result(25) is None
        expected = 2 * number
        await eventually(lambda: len(log.lines) == expected)  # noqa: B023
    assert {level for level, _ in log.lines} == {"ERROR"}
    for _, line in log.lines:
        assert "break_off failed for job" in line
        assert "('submit') of queue q, attempt 1: " in line
        assert type(error).__name__ in line
        assert SECRET not in line


async def test_a_record_that_cannot_be_read_is_logged(yard: Yard, log: Log, raw: Any, prefix: str) -> None:
    queue = yard.queue()
    job = await queue.add("submit", {"password": SECRET})
    raw.hset(f"{prefix}:q:{job.id}", "opts", "{")
    await yard.work(fine)
    await eventually(lambda: log.has("job 1 of queue q failed without a run: corrupt job record: field 'opts'"))


async def test_a_graceful_stop_is_logged(yard: Yard, log: Log) -> None:
    yard.queue()
    worker = await yard.work(fine)
    await worker.stop()
    assert [line for _, line in log.lines] == [
        "worker of queue q stops: it takes no more jobs; 0 run and have 5 s to end",
        "worker of queue q has stopped",
    ]


async def test_the_server_s_return_is_logged(own_server: OwnServer, log: Log) -> None:
    async with Yard(own_server.url, "t") as yard:
        queue = yard.queue()
        worker = await yard.work(fine, drain_delay="200ms")
        own_server.kill()
        # The line that says why may come from any of the worker's loops: the others repeat the reason.
        await eventually(lambda: not all(check.ok for check in worker.health_checks()), within=60)
        own_server.start()
        await eventually(lambda: log.has("worker of queue q: the server answers again"), within=60)
        await (await queue.add("x")).wait_for_result(25)
