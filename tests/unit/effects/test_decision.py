"""What a run does about an effect that was begun before: a row of the crash matrix after the other."""

from typing import Any

import pytest

from stockyard.effects import Applied, EffectOutcome, EffectRecord, Venue
from stockyard.effects.decision import NO_VENUE, Asked, Step, asks_at, decide, judge, may_resend, proves_from

STARTED, DEADLINE = 1_000_000, 1_000_800
FOREVER = Venue(dedup="forever")
WINDOW = Venue(dedup="window:10s")
OPEN_ORDERS = Venue(dedup="open_orders")
VERIFIED = Venue(dedup="open_orders", verify="eventual", settle="16s")
PROVES = DEADLINE + 16_000


def record(outcome: str = "open", **fields: Any) -> EffectRecord:
    given = {
        "payload": "p",
        "first_started_on": STARTED,
        "started_on": STARTED,
        "deadline": DEADLINE,
        "may_have_applied": outcome == "unknown",
        **fields,
    }
    return EffectRecord(key="k", queue="q", job_id="7", outcome=outcome, **given)


def step(
    known: EffectRecord | None, venue: Venue = NO_VENUE, *, now: int = DEADLINE + 1, reconciled: bool = False
) -> Step:
    return decide(known, Asked("p", 800, now), venue, is_reconciled=reconciled).step


@pytest.mark.parametrize("venue", [NO_VENUE, FOREVER, WINDOW, OPEN_ORDERS, VERIFIED])
def test_what_was_never_begun_is_begun(venue: Venue) -> None:
    assert step(None, venue) is Step.BEGIN


@pytest.mark.parametrize("outcome", ["open", "unknown"])
def test_what_may_have_been_applied_is_sent_again_only_where_a_second_request_is_ignored(outcome: str) -> None:
    assert step(record(outcome), FOREVER) is Step.RESEND
    assert step(record(outcome), WINDOW) is Step.RESEND
    for venue in (NO_VENUE, OPEN_ORDERS, VERIFIED):
        assert step(record(outcome), venue) is Step.UNKNOWN


def test_a_window_must_hold_until_the_second_request_has_arrived() -> None:
    last = STARTED + 10_000 - 800
    assert may_resend(record(), Asked("p", 800, last), WINDOW)
    assert not may_resend(record(), Asked("p", 800, last + 1), WINDOW)
    held_up = Venue(dedup="window:10s", settle="2s")
    assert may_resend(record(), Asked("p", 800, last - 2_000), held_up)
    assert not may_resend(record(), Asked("p", 800, last - 1_999), held_up)


def test_a_window_counts_from_the_first_attempt_that_may_have_been_applied() -> None:
    again = record(first_started_on=STARTED - 9_500)
    assert not may_resend(again, Asked("p", 800, DEADLINE + 1), WINDOW)


@pytest.mark.parametrize("outcome", ["open", "unknown"])
def test_a_run_waits_until_not_found_proves_something_and_the_venue_was_asked(outcome: str) -> None:
    known = record(outcome)
    decision = decide(known, Asked("p", 800, DEADLINE + 1_000), VERIFIED, is_reconciled=True)
    assert decision == (Step.WAIT, 15_000, "")
    late = decide(known, Asked("p", 800, PROVES + 5), VERIFIED, is_reconciled=True)
    assert late == (Step.WAIT, 1_000, "")


def test_a_question_before_that_moment_does_not_end_the_wait() -> None:
    assert step(record("unknown", asked_on=PROVES - 1), VERIFIED, now=PROVES + 9, reconciled=True) is Step.WAIT
    assert step(record("unknown", asked_on=PROVES), VERIFIED, now=PROVES + 9, reconciled=True) is Step.UNKNOWN


def test_without_a_proof_or_someone_who_asks_it_is_unknown_at_once() -> None:
    assert step(record("unknown"), VERIFIED, reconciled=False) is Step.UNKNOWN
    assert step(record("unknown"), OPEN_ORDERS, reconciled=True) is Step.UNKNOWN


def test_counting_attempts_changes_nothing() -> None:
    for fence in (1, 5, 100):
        assert step(record("unknown", fence=fence, times_asked=fence), NO_VENUE) is Step.UNKNOWN


def test_what_is_recorded_is_returned() -> None:
    assert step(record("committed", value={"id": 1})) is Step.RETURN


def test_what_certainly_failed_is_begun_again() -> None:
    assert step(record("failed")) is Step.BEGIN


@pytest.mark.parametrize("venue", [NO_VENUE, FOREVER, WINDOW, VERIFIED])
def test_nothing_is_done_while_another_run_may_be_sending(venue: Venue) -> None:
    decision = decide(record(), Asked("p", 800, DEADLINE - 500), venue, is_reconciled=True)
    assert decision == (Step.WAIT, 500, "")


@pytest.mark.parametrize("outcome", ["open", "unknown", "committed", "failed"])
def test_another_payload_is_an_error_whatever_became_of_it(outcome: str) -> None:
    decision = decide(record(outcome), Asked("other", 800, DEADLINE), FOREVER, is_reconciled=True)
    assert decision.step is Step.MISMATCH
    assert "job 7" in decision.reason


@pytest.mark.parametrize("answer", [Applied({"id": 1}), "applied"])
def test_found_is_committed_at_any_time_and_at_any_venue(answer: Any) -> None:
    for venue in (NO_VENUE, VERIFIED):
        assert judge(answer, record("unknown"), venue, asked_at=STARTED) is EffectOutcome.COMMITTED


def test_not_found_proves_nothing_before_the_last_request_must_have_arrived() -> None:
    known = record("unknown")
    assert proves_from(known, VERIFIED) == PROVES
    assert judge("not_applied", known, VERIFIED, asked_at=PROVES - 1) is EffectOutcome.UNKNOWN
    assert judge("not_applied", known, VERIFIED, asked_at=PROVES) is EffectOutcome.FAILED


def test_not_found_proves_nothing_where_no_query_is_to_be_trusted() -> None:
    assert judge("not_applied", record("unknown"), OPEN_ORDERS, asked_at=PROVES * 2) is EffectOutcome.UNKNOWN


@pytest.mark.parametrize("answer", [None, "unknown"])
def test_a_question_without_an_answer_settles_nothing(answer: Any) -> None:
    assert judge(answer, record("unknown"), VERIFIED, asked_at=PROVES) is EffectOutcome.UNKNOWN


@pytest.mark.parametrize("answer", [True, "failed", 0])
def test_what_is_no_answer_is_an_error(answer: Any) -> None:
    with pytest.raises(TypeError, match="must return"):
        judge(answer, record("unknown"), VERIFIED, asked_at=PROVES)


def test_the_venue_is_asked_at_once_then_when_it_proves_something_then_ever_more_rarely() -> None:
    assert asks_at(record("unknown"), VERIFIED) == 0
    early = record("unknown", asked_on=DEADLINE + 10, times_asked=1)
    assert asks_at(early, VERIFIED) == DEADLINE + 1_010
    near = record("unknown", asked_on=PROVES - 100, times_asked=1)
    assert asks_at(near, VERIFIED) == PROVES
    late = record("unknown", asked_on=PROVES, times_asked=4)
    assert asks_at(late, VERIFIED) == PROVES + 8_000
    assert asks_at(record("unknown", asked_on=PROVES, times_asked=40), VERIFIED) == PROVES + 300_000
