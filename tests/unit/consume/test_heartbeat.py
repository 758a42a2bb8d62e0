"""Signs of life, judged from what a worker last did."""

import math

import pytest

from stockyard.consume.heartbeat import BLOCKED_SECONDS, QUIET_SECONDS, HealthCheck, Heartbeat

NOW = 1000.0


def heartbeat(phase: str = "working", *, beat: float = 0.1, answered: float = 0.1, trouble: str = "") -> Heartbeat:
    made = Heartbeat()
    made.phase, made.beat, made.answered, made.trouble = phase, NOW - beat, NOW - answered, trouble
    return made


def sick(made: Heartbeat, *, room: int = 5, waits_until: float = math.inf) -> list[tuple[str, bool]]:
    """What is not well, and whether that is fatal."""
    found = made.judge("q", room=room, waits_until=waits_until, now=NOW)
    return [(each.name, each.is_fatal) for each in found if not each.ok]


def test_a_worker_that_waits_for_jobs_is_well() -> None:
    assert sick(heartbeat(answered=4.9), waits_until=NOW + 0.1) == []
    assert sick(heartbeat(), waits_until=NOW - 0.9) == []


def test_a_wait_that_does_not_end_is_fatal() -> None:
    assert sick(heartbeat(), waits_until=NOW - 1.1) == [("q: taking", True)]


def test_a_loop_that_does_not_run_is_fatal() -> None:
    assert sick(heartbeat(beat=BLOCKED_SECONDS - 0.1)) == []
    assert sick(heartbeat(beat=BLOCKED_SECONDS + 0.1)) == [("q: loop", True)]


def test_a_worker_that_could_take_and_does_not_is_fatal() -> None:
    quiet = heartbeat(answered=QUIET_SECONDS + 0.1)
    assert sick(quiet) == [("q: taking", True)]
    assert sick(quiet, room=0) == []
    assert sick(quiet, waits_until=NOW + 1) == []


def test_a_server_that_is_known_to_be_away_is_no_reason_to_start_again() -> None:
    assert sick(heartbeat(answered=600, trouble="no server")) == [("q: server", False)]


@pytest.mark.parametrize("phase", ["made", "starting", "stopping"])
def test_it_is_not_ready_before_it_works_and_once_it_stops(phase: str) -> None:
    assert sick(heartbeat(phase)) == [("q: worker", False)]


def test_one_that_has_stopped_has_nothing_to_say() -> None:
    assert heartbeat("stopped").judge("q", room=0, waits_until=math.inf, now=NOW) == []


def test_an_answer_ends_the_trouble() -> None:
    made = heartbeat(trouble="no server")
    made.reply()
    assert made.trouble == ""
    assert HealthCheck("q: server", True, "answers", False) in made.judge(
        "q", room=1, waits_until=math.inf, now=NOW
    )
