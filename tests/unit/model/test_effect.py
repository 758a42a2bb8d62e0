"""The block around a dangerous step: what it says became of it, however it ends."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from stockyard import Delay, InvalidOption, JobOptions, PayloadError, ReplyLost
from stockyard.effects import (
    Effect,
    EffectHalted,
    EffectMismatch,
    EffectRecorded,
    EffectRefused,
    NotApplied,
    OutcomeUnknown,
)
from stockyard.errors import BlockingCallRefused
from stockyard.model.effect_port import EffectReport, EffectRequest, EffectStart
from stockyard.model.effectful import Effectful, digest_of

BEGUN = EffectStart("begun", fence=1, started_on=1_000, deadline=1_800, left_ms=60_000)


class Port:
    """Answers as it is given, and keeps what it is asked."""

    def __init__(self, start: EffectStart = BEGUN, *, stands: str = "", lost: int = 0) -> None:
        self.requests: list[EffectRequest] = []
        self.reports: list[EffectReport] = []
        self._start = start
        self._stands = stands
        self._lost = lost

    async def begin_effect(self, job_id: str, request: EffectRequest) -> EffectStart:
        self.requests.append(request)
        self._lose()
        return self._start

    async def report_effect(self, job_id: str, report: EffectReport) -> str:
        await asyncio.sleep(0)
        self.reports.append(report)
        self._lose()
        return self._stands or report.outcome

    def lose(self, replies: int) -> None:
        self._lost = replies

    def _lose(self) -> None:
        if self._lost:
            self._lost -= 1
            raise ReplyLost("cut")

    def blocking(self, target: Any) -> Any:
        return Blocking(target)

    @property
    def said(self) -> list[tuple[str, str, str]]:
        return [(report.outcome, report.value, report.reason) for report in self.reports]


class Blocking:
    """Runs coroutine methods of an object where no loop runs."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return lambda *args: asyncio.run(getattr(self._target, name)(*args))


class Running(Effectful):
    """A job as an effect sees it."""

    id = "7"
    options = JobOptions()
    attempts_started = 2
    attempt = 1

    def __init__(self, port: Port, data: Any = None) -> None:
        self.port = port
        self.data = data


def effect(port: Port, **options: Any) -> Effect:
    return Running(port, {"b": 1, "a": 2}).effect("k", **{"max_duration": "800ms", **options})


async def test_what_is_recorded_is_committed() -> None:
    port = Port()
    async with effect(port) as one:
        assert (one.key, one.fence, one.started_on, one.deadline) == ("k", 1, 1_000, 1_800)
        assert 0 < one.remaining <= 60
        one.record({"id": 5})
    assert port.said == [("committed", '{"id":5}', "")]


async def test_the_request_says_who_asks_and_about_what() -> None:
    port = Port()
    async with effect(port, min_duration="20ms") as one:
        one.record()
    (request,) = port.requests
    assert (request.key, request.starts, request.attempt, request.most_ms, request.least_ms) == (
        "k",
        2,
        1,
        800,
        20,
    )
    assert request.payload == digest_of(b'{"a": 2, "b": 1}')
    assert port.reports[0].nonce == request.nonce


async def test_certainly_not_done_is_failed_and_the_handler_goes_on() -> None:
    port = Port()
    async with effect(port) as one:
        one.failed("rejected")
    assert port.said == [("failed", "", "rejected")]


async def test_what_contradicts_is_refused_and_no_order_is_taken_for_refused() -> None:
    port = Port()

    async def run(*steps: str) -> None:
        async with effect(port) as one:
            for step in steps:
                one.record(5) if step == "record" else one.failed("rejected")

    with pytest.raises(InvalidOption, match=r"failed\(\) contradicts record\(\), which the block of effect k"):
        await run("record", "failed")
    with pytest.raises(InvalidOption, match=r"record\(\) contradicts failed\('rejected'\)"):
        await run("failed", "record")
    assert [said[:2] for said in port.said] == [("committed", "5"), ("unknown", "")]


async def test_a_function_may_say_that_it_was_not_applied() -> None:
    async def place(one: Effect) -> str:
        one.failed("rejected")
        return "nothing"

    port = Port()
    assert await effect(port).run(place) == "nothing"
    assert port.said == [("failed", "", "rejected")]


async def test_certainly_not_done_may_be_raised() -> None:
    port = Port()
    with pytest.raises(NotApplied, match="no funds"):
        async with effect(port):
            raise NotApplied("no funds")
    assert port.said == [("failed", "", "no funds")]


@pytest.mark.parametrize("error", [OSError("reset"), ValueError("what?"), KeyboardInterrupt()])
async def test_any_other_exception_leaves_it_unknown(error: BaseException) -> None:
    port = Port()
    with pytest.raises(type(error)):
        async with effect(port):
            raise error
    assert [outcome for outcome, *_ in port.said] == ["unknown"]


async def test_what_was_answered_stands_whatever_comes_behind_it() -> None:
    port = Port()

    async def run() -> None:
        async with effect(port) as one:
            one.record(1)
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        await run()
    assert port.said == [("committed", "1", "")]


async def test_a_block_that_says_nothing_is_unknown() -> None:
    port = Port()
    with pytest.raises(OutcomeUnknown, match=r"without effect\.record"):
        async with effect(port):
            pass
    assert [outcome for outcome, *_ in port.said] == ["unknown"]


async def test_a_certain_failure_after_an_attempt_that_is_unknown_is_unknown() -> None:
    port = Port(stands="unknown")
    with pytest.raises(OutcomeUnknown, match="earlier attempt"):
        async with effect(port) as one:
            one.failed("duplicate")
    with pytest.raises(OutcomeUnknown, match="earlier attempt"):
        async with effect(port):
            raise NotApplied("duplicate")


async def test_a_step_that_takes_too_long_is_unknown() -> None:
    port = Port(EffectStart("begun", fence=1, deadline=1, left_ms=20))
    with pytest.raises(TimeoutError):
        async with effect(port):
            await asyncio.Event().wait()
    assert [outcome for outcome, *_ in port.said] == ["unknown"]


async def test_a_run_that_is_broken_off_still_writes_what_it_knows() -> None:
    port, is_in = Port(), asyncio.Event()

    async def run() -> None:
        async with effect(port) as one:
            one.record(1)
            is_in.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await is_in.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert port.said == [("committed", "1", "")]


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (EffectStart("recorded", value='{"id":5}'), EffectRecorded),
        (EffectStart("wait", wait_ms=1500), Delay),
        (EffectStart("unknown", reason="may have been applied"), OutcomeUnknown),
        (EffectStart("mismatch", reason="another payload"), EffectMismatch),
        (EffectStart("refused", reason="no lease"), EffectRefused),
        (EffectStart("halted", reason="execution:* halted by ada"), EffectHalted),
    ],
)
async def test_the_block_is_not_entered_where_the_gate_says_no(start: EffectStart, error: type[Exception]) -> None:
    port = Port(start)
    with pytest.raises(error) as raised:
        async with effect(port):
            raise AssertionError("the block was entered")
    assert port.reports == []
    if isinstance(raised.value, EffectRecorded):
        assert raised.value.value == {"id": 5}
    if isinstance(raised.value, Delay):
        assert raised.value.delay == 1.5


async def test_lost_replies_are_asked_for_again_under_the_same_name() -> None:
    port = Port(lost=2)
    async with effect(port) as one:
        one.record(1)
    assert len({request.nonce for request in port.requests}) == 1
    assert len(port.requests) == 3


async def test_what_is_recorded_is_written_though_the_server_is_away_for_a_while() -> None:
    port = Port()
    async with effect(port) as one:
        one.record(1)
        port.lose(6)
    assert port.said[-1] == ("committed", "1", "")
    assert len(port.reports) == 7


async def test_what_is_unknown_is_not_held_up_by_a_server_that_is_away() -> None:
    port = Port()

    async def run() -> None:
        async with effect(port):
            port.lose(100)
            raise OSError("reset")

    with pytest.raises(ReplyLost):
        await run()
    assert len(port.reports) == 4


async def test_a_function_is_called_once_and_its_result_kept() -> None:
    async def place(one: Effect) -> dict[str, int]:
        return {"fence": one.fence}

    port = Port()
    assert await effect(port).run(place) == {"fence": 1}
    assert port.said == [("committed", '{"fence":1}', "")]
    assert await effect(Port(EffectStart("recorded", value='{"fence":1}'))).run(place) == {"fence": 1}


async def test_a_function_that_raises_leaves_it_unknown() -> None:
    async def place(one: Effect) -> None:
        raise OSError("reset")

    port = Port()
    with pytest.raises(OSError, match="reset"):
        await effect(port).run(place)
    assert [outcome for outcome, *_ in port.said] == ["unknown"]


def test_a_plain_function_uses_with() -> None:
    port = Port()
    with effect(port) as one:
        one.record(3)
    assert port.said == [("committed", "3", "")]
    with pytest.raises(OutcomeUnknown), effect(port):
        pass


async def test_an_effect_is_begun_once() -> None:
    one = effect(Port())
    async with one:
        one.record()
    with pytest.raises(InvalidOption, match="begun already"):
        await one.begin()


@pytest.mark.parametrize(
    "options",
    [{"max_duration": 0}, {"max_duration": "soon"}, {"min_duration": "2s"}, {"key": ""}, {"key": "k" * 201}],
)
def test_wrong_arguments_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        Running(Port()).effect(**{"key": "k", "max_duration": "800ms", **options})


def test_a_payload_is_json() -> None:
    with pytest.raises(PayloadError):
        effect(Port(), payload=object())


async def test_what_is_recorded_is_json() -> None:
    with pytest.raises(PayloadError):
        async with effect(Port()) as one:
            one.record(object())


def test_the_order_of_members_makes_no_other_payload() -> None:
    assert digest_of(b'{"a":1,"b":[1,2]}') == digest_of(b'{"b":[1,2],"a":1}')
    assert digest_of(b'{"a":1}') != digest_of(b'{"a":2}')


async def test_a_run_that_is_broken_off_while_it_reports_reports_again() -> None:
    port, is_reporting = Port(), asyncio.Event()
    report_effect, calls = port.report_effect, 0

    async def held(job_id: str, report: EffectReport) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            is_reporting.set()
            await asyncio.Event().wait()
        return await report_effect(job_id, report)

    port.report_effect = held  # type: ignore[method-assign]

    async def run() -> None:
        async with effect(port) as one:
            one.record(1)

    task = asyncio.create_task(run())
    await is_reporting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert port.said == [("committed", "1", "")]


@pytest.mark.parametrize("say", [lambda one: one.record(1), lambda one: one.failed("rejected")])
async def test_what_is_said_outside_of_the_block_is_refused(say: Callable[[Effect], None]) -> None:
    port = Port()
    with pytest.raises(InvalidOption, match=r"has not begun: write `async with job\.effect"):
        say(effect(port))
    assert port.reports == []


async def test_a_plain_with_in_a_loop_says_what_to_write() -> None:
    port = Port()
    with pytest.raises(BlockingCallRefused, match=r"effect k: .* write `async with"), effect(port):
        raise AssertionError("the block was entered")
    assert port.requests == []


async def test_a_step_that_takes_too_long_says_so() -> None:
    port = Port(EffectStart("begun", fence=1, started_on=1_000, deadline=1_500, left_ms=20))
    with pytest.raises(TimeoutError, match=r"effect k was not over within its 0\.5 s"):
        async with effect(port):
            await asyncio.Event().wait()
    assert port.said == [("unknown", "", "TimeoutError: effect k was not over within its 0.5 s")]
