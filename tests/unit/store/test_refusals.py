"""What error replies of servers mean, in the words of each version."""

import pytest

from stockyard import ServerRefused, ServerUnavailable
from stockyard._store.net.refusals import Redirected, leads_astray, refusal_of
from stockyard._store.net.slot_map import Node
from stockyard.errors import AuthenticationFailed, SlotMoving

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


@pytest.mark.parametrize(
    ("reply", "slot", "node", "is_asking"),
    [
        ("MOVED 3999 127.0.0.1:6381", 3999, Node("127.0.0.1", 6381), False),
        ("ASK 3999 127.0.0.1:6381", 3999, Node("127.0.0.1", 6381), True),
        ("MOVED 1 node-1.example.org:6381", 1, Node("node-1.example.org", 6381), False),
        ("MOVED 1 ::1:6381", 1, Node("::1", 6381), False),
        ("MOVED 1 :6381", 1, Node("asked", 6381), False),
        ("ASK 1 :6381", 1, Node("asked", 6381), True),
        ("MOVED 1 ?:6381", 1, Node("?", 6381), False),
    ],
)
def test_a_node_names_another(reply: str, slot: int, node: Node, is_asking: bool) -> None:
    error = refusal_of(reply, "redis://here", "asked")
    assert isinstance(error, Redirected)
    assert (error.slot, error.node, error.is_asking) == (slot, node, is_asking)
    assert "redis+cluster://" in str(error)
    # The connection is right for other keys.
    assert not leads_astray(error)


def test_a_slot_that_is_being_moved() -> None:
    error = refusal_of("TRYAGAIN Multiple keys request during rehashing of slot", "redis://here")
    assert isinstance(error, SlotMoving)
    assert not leads_astray(error)


def test_a_cluster_that_serves_not_all_slots() -> None:
    error = refusal_of("CLUSTERDOWN Hash slot not served", "redis://here")
    assert isinstance(error, ServerUnavailable)
    assert not isinstance(error, Redirected | SlotMoving)
    assert leads_astray(error)


@pytest.mark.parametrize("code", ["READONLY", "REDIRECT 127.0.0.1:1", "LOADING", "MASTERDOWN", "UNBLOCKED"])
def test_who_is_not_the_one_to_ask_is_left(code: str) -> None:
    assert leads_astray(refusal_of(f"{code} x", "redis://here"))


@pytest.mark.parametrize("code", ["NOREPLICAS", "MISCONF", "NOSCRIPT", "OOM", "CROSSSLOT", "ERR"])
def test_other_refusals_come_from_the_right_one(code: str) -> None:
    error = refusal_of(f"{code} x", "redis://here")
    assert isinstance(error, ServerRefused)
    assert not leads_astray(error)
