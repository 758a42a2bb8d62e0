"""Handlers in child processes: what they are given, what comes back, what they report."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from stockyard.consume.executors.process import ChildTask, ProcessPool
from stockyard.errors import (
    Delay,
    HandlerError,
    InvalidOption,
    JobNotFound,
    PayloadError,
    RateLimited,
    RemoteHandlerError,
    Requeue,
    StockyardError,
    UnrecoverableError,
    WaitForChildren,
)
from stockyard.model.job import Job
from stockyard.model.options import JobOptions
from tests.support import child_handlers as handlers
from tests.support import loaded_before
from tests.support.child_handlers import RecordingPort, task


@pytest.fixture
async def pool() -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(size=1)
    await pool.start()
    yield pool
    await pool.aclose()


@pytest.fixture
def port() -> RecordingPort:
    return RecordingPort()


DESCRIBED = {
    "data": "Order BTCUSDT 3",
    "job": ["17", "work", "backtest:jobs", 5, 2, 2, 1],
    "timestamp": 1_700_000_000_000,
    "attempts": 3,
    "progress": 40,
}


@pytest.mark.parametrize("handler", [handlers.describe, handlers.describe_async])
async def test_a_handler_gets_the_whole_job_with_the_payload_it_declares(
    pool: ProcessPool, port: RecordingPort, handler: Any
) -> None:
    result = await pool.run(task(handler, {"symbol": "BTCUSDT", "amount": 3}), port=port)
    assert msgspec.json.decode(result) == DESCRIBED


async def test_it_runs_in_another_process_which_serves_the_next_job_too(
    pool: ProcessPool, port: RecordingPort
) -> None:
    first = await pool.run(task(handlers.own_pid), port=port)
    assert int(first) != os.getpid()
    assert await pool.run(task(handlers.own_pid), port=port) == first


def test_it_runs_on_uvloop() -> None:
    async def run() -> bytes:
        pool, port = ProcessPool(size=1), RecordingPort()
        await pool.start()
        try:
            await pool.run(task(handlers.report), port=port)
            return await pool.run(task(handlers.echo, "é" * 2_000_000), port=port)
        finally:
            await pool.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert msgspec.json.decode(runner.run(run())) == "é" * 2_000_000


async def test_five_megabytes_pass_both_ways(pool: ProcessPool, port: RecordingPort) -> None:
    text = "0123456789" * 500_000
    assert msgspec.json.decode(await pool.run(task(handlers.echo, text), port=port)) == text


async def test_two_children_run_at_the_same_time(port: RecordingPort, tmp_path: Path) -> None:
    pool = ProcessPool(size=2)
    await pool.start()
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    both = ([here, there], [there, here])
    met = await asyncio.gather(*(pool.run(task(handlers.meet, names), port=port) for names in both))
    await pool.aclose()
    assert met == [b"true", b"true"]


async def test_jobs_beyond_the_size_wait_for_their_turn_in_order(pool: ProcessPool) -> None:
    port = RecordingPort()
    await asyncio.gather(*(pool.run(task(handlers.report, job_id=str(number)), port=port) for number in range(4)))
    assert [job_id for _, job_id, _ in port.calls] == [str(number) for number in range(4) for _ in range(4)]


async def test_progress_and_log_lines_arrive_in_order_before_the_result(
    pool: ProcessPool, port: RecordingPort
) -> None:
    result = await pool.run(task(handlers.report), port=port)
    assert port.calls == [
        ("progress", "17", 50),
        ("log", "17", "half done"),
        ("log", "17", "nearly"),
        ("progress", "17", {"percent": 100}),
    ]
    assert msgspec.json.decode(result) == [40, [1, 2], {"percent": 100}]


async def test_an_async_handler_awaits_the_same_reports(pool: ProcessPool, port: RecordingPort) -> None:
    counts = msgspec.json.decode(await pool.run(task(handlers.report_async), port=port))
    assert counts == list(range(1, 21))
    assert port.calls[0] == ("progress", "17", 50)
    assert [line for _, _, line in port.calls[1:]] == [f"line {number}" for number in range(20)]


async def test_an_exception_keeps_its_message_type_and_traceback(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(RemoteHandlerError) as caught:
        await pool.run(task(handlers.fail, "need 5 more"), port=port)
    assert str(caught.value) == "need 5 more"
    assert caught.value.type_name == "tests.support.child_handlers.OutOfCash"
    assert "raise OutOfCash(job.data)" in caught.value.traceback


async def test_an_unrecoverable_error_stays_one(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(UnrecoverableError, match=r"^account is closed$") as caught:
        await pool.run(task(handlers.fail_for_good), port=port)
    assert isinstance(caught.value.__cause__, RemoteHandlerError)
    assert caught.value.__cause__.type_name == "tests.support.child_handlers.Unpayable"
    assert "raise Unpayable" in caught.value.__cause__.traceback


async def test_a_message_without_utf8_form_is_carried_escaped(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(RemoteHandlerError, match=r"no such file: \\udcff"):
        await pool.run(task(handlers.fail_oddly), port=port)


async def test_a_cancellation_inside_the_handler_is_its_failure(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(RemoteHandlerError, match="the handler was cancelled"):
        await pool.run(task(handlers.cancel_itself), port=port)


async def test_a_payload_that_does_not_fit_names_the_field(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(PayloadError, match=r"does not fit Order.*\$\.amount"):
        await pool.run(task(handlers.describe, {"symbol": "BTCUSDT", "amount": "many"}), port=port)


async def test_a_result_that_is_no_json_is_refused(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(PayloadError, match="result of 'work' is not JSON-able"):
        await pool.run(task(handlers.return_nonsense), port=port)


async def test_progress_that_is_no_json_is_refused(pool: ProcessPool, port: RecordingPort) -> None:
    with pytest.raises(PayloadError, match=r"an argument of job\.update_progress\(\) is not JSON-able"):
        await pool.run(task(handlers.report_unprintable), port=port)
    assert port.calls == []


@pytest.mark.parametrize(
    ("handler", "calls", "result"),
    [
        (
            handlers.ask_the_job,
            [("change_delay", "17", 1.5), ("retry", "17", True), ("state", "17", None)],
            b'[true,"active",1500]',
        ),
        (handlers.ask_the_job_blocking, [("state", "17", None)], b'"active"'),
    ],
)
async def test_a_handler_asks_its_job_and_is_answered(
    pool: ProcessPool, port: RecordingPort, handler: Any, calls: list[Any], result: bytes
) -> None:
    assert await pool.run(task(handler), port=port) == result
    assert port.calls == calls


@pytest.mark.parametrize(
    ("handler", "signal", "carried"),
    [
        (handlers.move_to_delayed, Delay, {"delay": 120.0}),
        (handlers.rate_limit, RateLimited, {"duration": "30s"}),
        (handlers.wait_for_children, WaitForChildren, {}),
        (handlers.raise_own_signal, Requeue, {}),
    ],
)
async def test_a_signal_comes_through_the_pipe(
    pool: ProcessPool, port: RecordingPort, handler: Any, signal: type[Exception], carried: dict[str, Any]
) -> None:
    with pytest.raises(signal) as caught:
        await pool.run(task(handler), port=port)
    assert type(caught.value) is signal
    assert vars(caught.value) == carried


async def test_what_the_port_raises_reaches_the_handler_as_it_is(pool: ProcessPool) -> None:
    gone = RecordingPort(refusal=JobNotFound("17", "job 17 was removed"))
    with pytest.raises(JobNotFound, match="job 17 was removed") as caught:
        await pool.run(task(handlers.report), port=gone)
    assert caught.value.job_id == "17"
    assert isinstance(caught.value.__cause__, RemoteHandlerError)
    assert "job.sync.update_progress(50)" in caught.value.__cause__.traceback


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (handlers.refresh, r"job\.refresh\(\) is not there in a child process"),
        (handlers.block_in_loop, r"job\.sync is for a plain def"),
    ],
)
async def test_what_a_child_cannot_do_is_said(
    pool: ProcessPool, port: RecordingPort, handler: Any, message: str
) -> None:
    with pytest.raises(RemoteHandlerError, match=message):
        await pool.run(task(handler), port=port)


async def test_an_ended_job_takes_no_more_reports(pool: ProcessPool, port: RecordingPort) -> None:
    await pool.run(task(handlers.keep_job), port=port)
    with pytest.raises(RemoteHandlerError, match="the job has ended"):
        await pool.run(task(handlers.log_to_kept_job), port=port)
    assert port.calls == []


@pytest.mark.parametrize("reference", ["no_such_module:run", "tests.support.child_handlers:no_such_name"])
async def test_a_handler_that_cannot_be_imported_is_named(
    pool: ProcessPool, port: RecordingPort, reference: str
) -> None:
    lost = msgspec.structs.replace(task(handlers.echo), handler=reference)
    with pytest.raises(HandlerError, match=f"cannot import handler '{reference}'.*no_such"):
        await pool.run(lost, port=port)
    assert msgspec.json.decode(await pool.run(task(handlers.echo, "on"), port=port)) == "on"


async def test_a_child_finds_modules_on_a_path_that_was_added_at_run_time(
    port: RecordingPort, pool: ProcessPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.run(task(handlers.own_pid), port=port)  # the fork server runs by now
    (tmp_path / "late_module.py").write_text("def run(job): return 'found'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir("/")
    late = ProcessPool(size=1)
    await late.start()
    found = await late.run(msgspec.structs.replace(task(handlers.echo), handler="late_module:run"), port=port)
    await late.aclose()
    assert found == b'"found"'


def test_a_task_is_made_of_a_job_and_makes_it_again() -> None:
    port = RecordingPort()
    job = Job(
        id="7",
        name="work",
        data={"a": 1},
        options=JobOptions(attempts=2),
        queue="q",
        timestamp=5,
        port=port,
        progress={"percent": 2**63},
        failed_reason="before",
        stacktrace=("one",),
        processed_by="worker-1",
    )
    sent = msgspec.msgpack.decode(
        msgspec.msgpack.encode(ChildTask.of(job, handler="m:f", data=b'{"a":1}')), type=ChildTask
    )
    again = sent.job({"a": 1}, port=port)
    assert msgspec.structs.asdict(again) == msgspec.structs.asdict(job)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 1, "recycle_after": 0}, {"size": 1, "memory_limit": 0}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidOption, match="must be 1 or more; got 0"):
        ProcessPool(**options)


async def test_a_pool_runs_nothing_before_start_and_after_close(port: RecordingPort) -> None:
    pool = ProcessPool(size=1)
    with pytest.raises(StockyardError, match="the process pool is not open"):
        await pool.run(task(handlers.own_pid), port=port)
    await pool.start()
    await pool.aclose()
    with pytest.raises(StockyardError, match="the process pool is not open"):
        await pool.run(task(handlers.own_pid), port=port)


async def test_children_share_what_their_handlers_import(pool: ProcessPool, port: RecordingPort) -> None:
    assert await pool.run(task(loaded_before.tell), port=port) == b"true"
