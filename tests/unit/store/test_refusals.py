"""What error replies of servers mean, in the words of each version."""

import pytest

from stockyard import ServerRefused, ServerUnavailable
from stockyard._store.net.refusals import refusal_of
from stockyard.errors import AuthenticationFailed

SHA = "5dd0a0c7c0ac2ed2f2ab87ff7d9a2d9d4e9c1c54"
OLD = f"ERR Error running script (call to f_{SHA}): @user_script:12: @user_script: 12: "


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("READONLY You can't write against a read only replica.", "it is a replica"),
        (
            f"READONLY You can't write against a read only replica. script: {SHA}, on @user_script:7.",
            "it is a replica",
        ),
        (f"{OLD}-READONLY You can't write against a read only replica.", "it is a replica"),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "lost its primary"),
        ("LOADING Redis is loading the dataset in memory", "still loading its data"),
        ("UNBLOCKED force unblock from blocking operation, instance state changed", "not the primary any more"),
        ("REDIRECT 127.0.0.1:6380", "not the primary any more"),
    ],
)
def test_a_server_that_is_not_the_one_to_ask_did_nothing(reply: str, said: str) -> None:
    error = refusal_of(reply, "redis://here")
    assert isinstance(error, ServerUnavailable)
    assert said in str(error)
    assert "REDIS_URL" in str(error)
    assert not any(word in str(error) for word in (SHA, "@user_script", "READONLY"))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", "raise maxmemory"),
        (f"{OLD}-OOM command not allowed when used memory > 'maxmemory'.", "raise maxmemory"),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable", "full disk"),
        ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
        ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
        ("ERR DB index is out of range", "DB index is out of range"),
        ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT"),
    ],
)
def test_other_refusals_say_what_to_do(reply: str, said: str) -> None:
    error = refusal_of(reply, "redis://here")
    assert isinstance(error, ServerRefused)
    assert said in str(error)
    assert SHA not in str(error)


def test_a_refused_login() -> None:
    reply = "WRONGPASS invalid username-password pair or user is disabled."
    assert isinstance(refusal_of(reply, "redis://here"), AuthenticationFailed)


def test_a_payload_that_speaks_of_a_replica_is_no_replica() -> None:
    error = refusal_of("ERR unknown command 'READONLY You', with args", "redis://here")
    assert isinstance(error, ServerRefused)
