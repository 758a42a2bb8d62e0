"""Ended runs on their way to the server: batches, lost replies, missing locks, refused ends."""

import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest

from stockyard._store.records import ReplyCode
from stockyard.consume.finish.finisher import Finisher
from stockyard.consume.run.end_listener import EndListener
from stockyard.consume.run.ending import Ending
from stockyard.model.outcome import Completed, Failed, Outcome, Requeued

GONE = [ReplyCode.JOB_MISSING, ReplyCode.LOCK_MISSING, ReplyCode.WRONG_STATE]
REFUSED = Failed("a child failed", (), 0, None)


class Listener:
    """Notes what it is told of each ending."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def written(self, endings: Sequence[Ending], moment: int) -> None:
        self.calls += [("written", ending.job_id, str(moment)) for ending in endings]

    def unwritten(self, ending: Ending) -> None:
        self.calls.append(("unwritten", ending.job_id))

    def refused(self, ending: Ending, code: int) -> Outcome:
        self.calls.append(("refused", ending.job_id, str(code)))
        return REFUSED


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def finisher(listener: Listener) -> Finisher:
    return Finisher("q", listener=cast("EndListener", listener), on_ended=lambda: None)


def put(finisher: Finisher, *job_ids: str, outcome: Outcome | None = None) -> list[Ending]:
    endings = [Ending(each, "w:1", outcome or Completed("1", None), 1) for each in job_ids]
    for ending in endings:
        finisher.put(ending)
    return endings


def test_a_batch_is_bounded_by_number_and_size_but_never_empty(finisher: Finisher) -> None:
    put(finisher, "1", "2", "3", outcome=Completed("x" * 100, None))
    assert [each.job_id for each in finisher.batch(2)] == ["1", "2"]
    put(finisher, "4")
    assert [each.job_id for each in finisher.batch(50, 10)] == ["3"]
    assert [each.job_id for each in finisher.batch(50, 10)] == ["4"]
    assert len(finisher) == 0


def test_what_is_written_is_announced_in_its_order(finisher: Finisher, listener: Listener) -> None:
    put(finisher, "1", "2")
    finisher.read(finisher.batch(50), [0, 0], 7)
    assert listener.calls == [("written", "1", "7"), ("written", "2", "7")]
    assert len(finisher) == 0


def test_runs_of_a_call_that_failed_are_sent_first(finisher: Finisher) -> None:
    put(finisher, "1", "2")
    sent = finisher.batch(50)
    put(finisher, "3")
    finisher.give_back(sent, may_be_written=False)
    assert [each.job_id for each in finisher.batch(50)] == ["1", "2", "3"]


@pytest.mark.parametrize("code", [ReplyCode.JOB_MISSING, ReplyCode.WRONG_STATE])
def test_a_run_that_is_gone_was_written_by_the_call_whose_reply_was_lost(
    finisher: Finisher, listener: Listener, code: ReplyCode, caplog: pytest.LogCaptureFixture
) -> None:
    put(finisher, "1")
    finisher.give_back(finisher.batch(50), may_be_written=True)
    finisher.read(finisher.batch(50), [code], 7)
    assert listener.calls == [("written", "1", "7")]
    assert caplog.records == []


@pytest.mark.parametrize("code", [*GONE, ReplyCode.LOCK_MISMATCH])
def test_an_end_that_was_never_sent_before_and_is_refused_is_logged(
    finisher: Finisher, listener: Listener, code: ReplyCode, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "stockyard"):
        put(finisher, "1")
        finisher.read(finisher.batch(50), [code], 7)
        put(finisher, "2", outcome=Requeued())
        finisher.read(finisher.batch(50), [code], 7)
    assert listener.calls == [("unwritten", "1"), ("unwritten", "2")]
    (record,) = caplog.records
    assert record.getMessage().startswith("the end of job 1 of queue q is not recorded: ")


def _evicts(finisher: Finisher, sent: list[Ending]) -> None:
    finisher.restores_locks = True


def _was_slow(finisher: Finisher, sent: list[Ending]) -> None:
    finisher.hold_up(sent)


def _is_away(finisher: Finisher, sent: list[Ending]) -> None:
    finisher.begin_outage()


def _is_back(finisher: Finisher, sent: list[Ending]) -> None:
    finisher.begin_outage()
    finisher.end_outage(60)


@pytest.mark.parametrize("happened", [_evicts, _was_slow, _is_away, _is_back])
def test_a_lock_that_may_have_run_out_in_an_outage_is_restored_before_the_next_try(
    finisher: Finisher, listener: Listener, happened: Any
) -> None:
    put(finisher, "1", "2")
    sent = finisher.batch(50)
    happened(finisher, sent)
    finisher.read(sent, [ReplyCode.LOCK_MISSING, 0], 7)
    assert listener.calls == [("written", "2", "7")]
    again = finisher.batch(50)
    assert finisher.unlocked(again) == again
    finisher.read(again, [0], 8)
    assert listener.calls[1:] == [("written", "1", "8")]


def test_after_an_outage_has_passed_a_missing_lock_is_lost(finisher: Finisher, listener: Listener) -> None:
    finisher.begin_outage()
    finisher.end_outage(-1)
    put(finisher, "1")
    finisher.read(finisher.batch(50), [ReplyCode.LOCK_MISSING], 7)
    assert listener.calls == [("unwritten", "1")]


def test_a_run_that_another_worker_took_over_is_lost(finisher: Finisher, listener: Listener) -> None:
    put(finisher, "1")
    sent = finisher.batch(50)
    finisher.hold_up(sent)
    finisher.read(sent, [ReplyCode.LOCK_MISSING], 7)
    finisher.lose(finisher.batch(50), 8)
    assert listener.calls == [("unwritten", "1")]
    assert len(finisher) == 0


@pytest.mark.parametrize("code", [ReplyCode.CHILDREN_PENDING, ReplyCode.CHILDREN_FAILED])
def test_an_end_that_children_do_not_allow_becomes_another(
    finisher: Finisher, listener: Listener, code: ReplyCode
) -> None:
    put(finisher, "1")
    finisher.read(finisher.batch(50), [code], 7)
    (again,) = finisher.batch(50)
    assert (again.job_id, again.token, again.outcome) == ("1", "w:1", REFUSED)
    assert listener.calls == [("refused", "1", str(int(code)))]


def test_text_of_the_server_is_logged_as_the_reason(
    finisher: Finisher, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    put(finisher, "1")
    with caplog.at_level(logging.WARNING, "stockyard"):
        finisher.read(finisher.batch(50), ["WRONGTYPE of a key"], 7)
    assert "is not recorded: WRONGTYPE of a key" in caplog.text
    assert listener.calls == [("unwritten", "1")]
