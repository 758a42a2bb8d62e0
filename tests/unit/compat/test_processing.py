"""Processors as handlers: what they take, and in what words they fail."""

import asyncio
import datetime
from typing import Any

import pytest

from stockyard import errors
from stockyard.compat.bullmq import AbortController, AbortError, UnrecoverableError
from stockyard.compat.bullmq.custom_errors import as_port
from stockyard.compat.bullmq.failure import FinalFailure, failure_of
from stockyard.compat.bullmq.job_scheduler import default_repeat_strategy, moment_of
from stockyard.compat.bullmq.json_values import plain, result_of
from stockyard.compat.bullmq.processing import takes_signal
from stockyard.consume.executors.results import ChildResult
from stockyard.consume.run.error_outcome import reason_of, trace_of


@pytest.mark.parametrize(
    ("processor", "takes"),
    [
        (lambda job, token: None, False),
        (lambda job, token, signal: None, True),
        (lambda *arguments: None, True),
        (lambda job, token, **more: None, False),
        (lambda job, token, *, signal=None: None, False),
    ],
)
def test_a_third_argument_is_the_signal(processor: Any, takes: bool) -> None:
    assert takes_signal(processor) is takes


@pytest.mark.parametrize("kind", [UnrecoverableError, errors.UnrecoverableError])
def test_an_error_is_stored_in_its_own_words(kind: type[Exception]) -> None:
    for error, is_final in ((KeyError("nope"), False), (kind("never"), True)):
        failure = failure_of(error, None)
        assert isinstance(failure, FinalFailure) is is_final
        assert reason_of(failure) == str(error)
        assert trace_of(failure).endswith(f"{type(error).__name__}: {error}\n")


def test_results_are_what_json_dumps_writes() -> None:
    assert [result_of(value) for value in (None, True, 5, "text")] == [None, True, 5, "text"]
    assert result_of({"pair": (1, 2)}) == ChildResult(b'{"pair":[1,2]}')
    assert plain({1: (2,)}) == {"1": [2]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        result_of(float("inf"))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errors.JobNotFound("7", "gone"), TypeError, "Missing key for job 7. cmd"),
        (errors.LeaseLost("7", "lost"), TypeError, "Missing lock for job 7. cmd"),
        (errors.JobStateError("7", "no"), TypeError, "Job 7 is not in the failed state. cmd"),
        (errors.JobLocked("7", "runs"), RuntimeError, "locked by another worker"),
    ],
)
def test_errors_are_those_of_the_port(error: Exception, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as raised, as_port("7", "cmd", "failed"):
        raise error
    assert raised.value.__cause__ is error


async def test_a_signal_is_set_once() -> None:
    controller = AbortController()
    signal = controller.signal
    signal.throw_if_aborted()
    waiting = asyncio.ensure_future(signal.wait())
    controller.abort("first")
    controller.abort("second")
    await waiting
    assert (signal.aborted, signal.reason) == (True, "first")
    with pytest.raises(AbortError) as raised:
        signal.throw_if_aborted()
    assert raised.value.reason == "first"


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        (None, None),
        ("", None),
        (1_700_000_000_000, 1_700_000_000_000),
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        (datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC), 1_700_000_000_000),
    ],
)
def test_moments(given: Any, moment: int | None) -> None:
    assert moment_of(given) == moment


def test_the_next_time_of_a_pattern() -> None:
    assert default_repeat_strategy(0, {"pattern": "0 18 * * *"}) == 18 * 3_600_000
    assert default_repeat_strategy(0, {}) is None
    assert default_repeat_strategy(0, {"pattern": "* * * * *", "startDate": 3_600_000}) == 3_660_000
    assert (default_repeat_strategy(0, {"pattern": "* * * * *", "immediately": True}) or 0) > 3_660_000
