"""Circuit breakers: which errors count."""

import pytest

from stockyard import UnrecoverableError
from stockyard.errors import HandlerError, JobCancelled, JobTimeout, PayloadError, RemoteHandlerError
from stockyard.halts import Breaker

REMOTE = RemoteHandlerError(
    "away",
    type_name="ConnectionResetError",
    traceback="",
    lineage=("builtins.ConnectionError", "builtins.OSError"),
)


@pytest.mark.parametrize("error", [ValueError(), ConnectionError(), JobTimeout(), TimeoutError()])
def test_an_error_counts(error: Exception) -> None:
    assert Breaker().counts(error)


@pytest.mark.parametrize("error", [UnrecoverableError(), PayloadError(), HandlerError(), JobCancelled()])
def test_what_is_the_job_s_own_does_not_count(error: Exception) -> None:
    assert not Breaker().counts(error)
    assert not Breaker(on=Exception).counts(error)


def test_errors_are_chosen_and_ignored() -> None:
    chosen = Breaker(on=(ConnectionError, TimeoutError), ignore=ConnectionRefusedError)
    assert chosen.counts(ConnectionResetError())
    assert chosen.counts(JobTimeout())
    assert not chosen.counts(ConnectionRefusedError())
    assert not chosen.counts(ValueError())


def test_errors_of_child_processes_are_known_by_their_names() -> None:
    assert Breaker(on=ConnectionError).counts(REMOTE)
    assert not Breaker(on=KeyError).counts(REMOTE)


def test_it_shows_its_settings() -> None:
    assert repr(Breaker(within="1m")) == "Breaker(failures=5, within=60, reset_after=60)"
