"""What a new connection sends first, and what the replies mean."""

from typing import Any

import pytest

from stockyard import ServerError, ServerRefused, ServerUnavailable
from stockyard._store.net.login import check_login, login_commands
from stockyard._store.net.refusals import refusal_of
from stockyard.config import Address
from stockyard.errors import AuthenticationFailed, ServerTooOld

LOOK = [("INFO", "server"), ("PING",)]
HERE = Address("redis", "here", 6379, password="s3cret")


@pytest.mark.parametrize(
    ("address", "client_name", "sent"),
    [
        (Address("redis"), None, []),
        (Address("redis", password="p"), None, [("AUTH", "p")]),
        (Address("redis", username="u", password="p"), None, [("AUTH", "u", "p")]),
        (Address("unix", path="/s", username="u"), None, [("AUTH", "u", "")]),
        (Address("rediss", database=3), "bull:q", [("CLIENT", "SETNAME", "bull:q"), ("SELECT", 3)]),
        (
            Address("redis", password="p", database=1),
            "w",
            [("AUTH", "p"), ("CLIENT", "SETNAME", "w"), ("SELECT", 1)],
        ),
    ],
)
def test_the_server_learns_only_what_it_must(address: Address, client_name: str | None, sent: list[Any]) -> None:
    assert login_commands(address, client_name) == [*sent, *LOOK]


def check(*replies: Any) -> None:
    read = [refusal_of(each[1:], HERE) if str(each).startswith("-") else each for each in replies]
    check_login(HERE, read)


@pytest.mark.parametrize("version", [b"redis_version:6.2.0\r\n", "# Server\r\nredis_version:7.4.1\r\n", b""])
def test_a_server_of_today_is_fine(version: Any) -> None:
    check(b"OK", version, b"PONG")
    check(version, b"PONG")


@pytest.mark.parametrize("version", [b"# Server\r\nredis_version:6.0.16\r\n", "redis_version:3.2\r\n"])
def test_an_old_server_is_named(version: Any) -> None:
    with pytest.raises(ServerTooOld, match=r"Stockyard needs Redis 6\.2 or later"):
        check(version, b"PONG")


def test_a_user_may_be_forbidden_to_look() -> None:
    check(b"OK", "-NOPERM this user has no permissions to run the 'info' command", "-NOPERM no 'ping' either")


@pytest.mark.parametrize(
    ("replies", "error", "said"),
    [
        (
            ["-WRONGPASS invalid username-password pair or user is disabled.", "-NOAUTH Authentication required."],
            AuthenticationFailed,
            "refused the credentials (invalid username-password pair or user is disabled.); check REDIS_PASSWORD",
        ),
        (
            ["-ERR invalid password", b""],
            AuthenticationFailed,
            "the credentials (invalid password); check",
        ),
        (["-NOAUTH Authentication required."], AuthenticationFailed, "(NOAUTH Authentication required.); check"),
        (
            [b"OK", "-ERR DB index is out of range", b""],
            ServerRefused,
            "refused the connection: DB index is out of range",
        ),
        (
            ["-NOPERM this user has no permissions to run the 'select' command", b""],
            ServerRefused,
            "refused the connection: this user has no permissions to run the 'select' command",
        ),
        (
            ["-DENIED Redis is running in protected mode", b""],
            ServerRefused,
            "refused the connection: DENIED Redis is running in protected mode",
        ),
        (["-ERR max number of clients reached", b""], ServerUnavailable, "its maxclients is reached"),
        (["-ERR max number of clients reached"], ServerUnavailable, "its maxclients is reached"),
    ],
)
def test_a_refusal_says_what_to_do(replies: list[Any], error: type[ServerError], said: str) -> None:
    with pytest.raises(error) as refused:
        check(*replies, b"PONG")
    assert type(refused.value) is error
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_server_that_loads_its_data_is_not_there_yet() -> None:
    with pytest.raises(ServerUnavailable, match="still loading its data"):
        check(b"redis_version:7.2.0\r\n", "-LOADING Redis is loading the dataset in memory")
