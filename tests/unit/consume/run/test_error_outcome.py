"""What follows a run that did not return, decided without a server."""

import random
from datetime import timedelta
from typing import Any

import pytest

from stockyard._store.jobs.refused_ends import refusal
from stockyard.consume.executors.not_started import ChildNotStarted, NotStarted
from stockyard.consume.run.error_outcome import AskedRetry, outcome_of_error
from stockyard.errors import (
    AuthenticationFailed,
    Delay,
    HandlerError,
    JobTimeout,
    PayloadError,
    RateLimited,
    RemoteHandlerError,
    ReplyLost,
    Requeue,
    RunSignal,
    ServerRefused,
    ServerUnavailable,
    StockyardError,
    UnrecoverableError,
    WaitForChildren,
)
from stockyard.model.backoff import Backoff
from stockyard.model.job import Job
from stockyard.model.options import JobOptions
from stockyard.model.outcome import Completed, Delayed, Failed, Outcome, Requeued, Retried, WaitingChildren


def kill_reason(
    error: BaseException, *, max_started: int = 0, options: JobOptions | None = None, **job: Any
) -> Any:
    ran: Job[Any] = Job("1", "work", None, options or JobOptions(attempts=3), "q", 0, port=None, **job)  # type: ignore[arg-type]
    return outcome_of_error(ran, error, keep=7, strategies={}, rng=random.Random(1), max_started=max_started)


@pytest.mark.parametrize(
    ("signal", "outcome"),
    [
        (Delay("1m"), Delayed(60_000)),
        (Delay(timedelta(seconds=2)), Delayed(2000)),
        (Delay(0), Delayed(0)),
        (Requeue(), Requeued()),
        (RunSignal(), Requeued()),
        (RateLimited(1.5), Requeued(1500)),
        (WaitForChildren(), WaitingChildren()),
    ],
)
def test_a_signal_says_where_the_job_goes(signal: RunSignal, outcome: Outcome) -> None:
    assert kill_reason(signal) == outcome
    assert kill_reason(signal, options=JobOptions(attempts=1), max_started=1, attempts_started=1) == outcome


@pytest.mark.parametrize("signal", [Delay("soon"), RateLimited(-1)])
def test_a_signal_with_a_wrong_duration_fails_the_attempt(signal: RunSignal) -> None:
    decided = kill_reason(signal)
    assert isinstance(decided, Retried)
    assert decided.reason.startswith(("InvalidOption: delay must", "InvalidOption: duration must"))


@pytest.mark.parametrize(
    ("made", "error", "kind"),
    [
        (0, ValueError("no"), Retried),
        (1, ValueError("no"), Retried),
        (2, ValueError("no"), Failed),
        (0, UnrecoverableError("no"), Failed),
        (0, PayloadError("no"), Failed),
        (0, HandlerError("no"), Failed),
    ],
)
def test_another_attempt_follows_while_some_are_left(made: int, error: Exception, kind: type[Any]) -> None:
    decided = kill_reason(error, attempts_made=made)
    assert type(decided) is kind
    assert decided.reason == (
        str(error) if type(error) is UnrecoverableError else f"{type(error).__name__}: {error}"
    )


@pytest.mark.parametrize(("started", "kind"), [(1, Retried), (2, Failed), (3, Failed)])
def test_no_attempt_follows_the_last_start(started: int, kind: type[Any]) -> None:
    assert type(kill_reason(ValueError("no"), max_started=2, attempts_started=started)) is kind


@pytest.mark.parametrize(("limit", "kept"), [(None, 3), (0, 0), (1, 1), (2, 2), (9, 3)])
def test_the_newest_traces_stay(limit: int | None, kept: int) -> None:
    options = JobOptions(attempts=3, stack_trace_limit=limit)
    decided = kill_reason(ValueError("now"), options=options, stacktrace=("first", "second"))
    assert len(decided.stacktrace) == kept
    assert not kept or "ValueError: now" in decided.stacktrace[-1]
    assert decided.stacktrace[:-1] == ("first", "second")[3 - kept :][: max(kept - 1, 0)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AssertionError("no"), "AssertionError: no"),
        (AssertionError(), "AssertionError"),
        (KeyError("nope"), "KeyError: 'nope'"),
        (RemoteHandlerError("", type_name="shop.NotPaid", traceback=""), "NotPaid"),
        (RemoteHandlerError("no", type_name="shop.NotPaid", traceback=""), "NotPaid: no"),
        (UnrecoverableError("never"), "never"),
        (StockyardError("in every peer's words"), "in every peer's words"),
        (JobTimeout("timed out after 5 ms"), "JobTimeout: timed out after 5 ms"),
    ],
)
def test_a_reason_is_the_class_and_the_message(error: Exception, reason: str) -> None:
    assert kill_reason(error).reason == reason


def test_a_strategy_that_fails_leaves_no_attempt() -> None:
    decided = kill_reason(ValueError("no"), options=JobOptions(attempts=3, backoff=Backoff("own", 0)))
    assert isinstance(decided, Failed)
    assert decided.reason.startswith("ValueError: no (no retry: ")


async def test_a_strategy_that_is_a_coroutine_function_is_asked_where_that_can_be_waited_for() -> None:
    async def own(*_: Any) -> str:
        return "3s"

    ran: Job[Any] = Job("1", "work", None, JobOptions(attempts=3, backoff=Backoff("own", 500)), "q", 0, port=None)  # type: ignore[arg-type]

    def decided() -> AskedRetry:
        found = outcome_of_error(ran, ValueError("no"), keep=7, strategies={"own": own}, rng=random.Random(1))
        assert isinstance(found, AskedRetry)
        return found

    asked = await decided().outcome()
    unasked = decided().outcome_unasked()
    assert isinstance(asked, Retried)
    assert isinstance(unasked, Retried)
    assert (asked.delay_ms, unasked.delay_ms) == (3000, 500)


@pytest.mark.parametrize(
    ("outcome", "code", "kind", "text"),
    [
        (Completed("1", None), -4, StockyardError, "Job 1 has pending dependencies. moveToFinished"),
        (
            Completed("1", None),
            -9,
            UnrecoverableError,
            "Cannot complete job 1 because it has at least one failed child. moveToFinished",
        ),
        (
            WaitingChildren(),
            -9,
            UnrecoverableError,
            "Cannot complete job 1 because it has at least one failed child. moveToWaitingChildren",
        ),
    ],
)
def test_children_refuse_in_every_peers_words(outcome: Outcome, code: int, kind: type[Any], text: str) -> None:
    error = refusal("1", outcome, code)
    assert (type(error), str(error)) == (kind, text)


GONE = ServerUnavailable("no server")


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        ReplyLost("no reply"),
        ServerRefused("the server is full"),
        AuthenticationFailed("no"),
        ExceptionGroup("both", [GONE, ExceptionGroup("one", [ReplyLost("no")])]),
    ],
)
@pytest.mark.parametrize("attempts", [1, 3])
def test_an_error_of_the_server_uses_up_no_attempt(error: Exception, attempts: int) -> None:
    """The pause grows with the starts in a row that ended so, up to half a minute."""
    pauses = []
    for starts in (1, 2, 3, 40, 4000):
        ran = kill_reason(error, options=JobOptions(attempts=attempts), attempts_made=0, attempts_started=starts)
        assert isinstance(ran, Delayed)
        pauses.append(ran.delay_ms)
    for pause, longest in zip(pauses, (1000, 2000, 4000, 30_000, 30_000), strict=True):
        assert 0.75 * longest <= pause <= longest


@pytest.mark.parametrize(
    "error",
    [
        ServerRefused("WRONGTYPE Operation against a key holding the wrong kind of value"),
        ExceptionGroup("both", [GONE, ValueError("no")]),
    ],
)
def test_an_error_that_is_not_the_server_s_alone_uses_one_up(error: Exception) -> None:
    assert isinstance(kill_reason(error), Retried)


def test_a_worker_s_limit_of_starts_holds_for_errors_of_the_server() -> None:
    assert isinstance(kill_reason(GONE, max_started=5, attempts_started=4), Delayed)
    last = kill_reason(GONE, max_started=5, attempts_started=5)
    assert isinstance(last, Failed)
    assert "no server" in last.reason


@pytest.mark.parametrize("error", [NotStarted("no thread"), ChildNotStarted("no child")])
def test_a_handler_that_was_not_started_uses_up_no_attempt(error: StockyardError) -> None:
    decided = kill_reason(error, options=JobOptions(attempts=1))
    assert isinstance(decided, Delayed)
    assert 750 <= decided.delay_ms <= 1000
    assert isinstance(kill_reason(error, max_started=2, attempts_started=2), Failed)
