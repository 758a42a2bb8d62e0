"""The first commands of a connection, and what their replies mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stockyard.config import Address
from stockyard.errors import AuthenticationFailed, ServerRefused, ServerTooOld, ServerUnavailable

OLDEST_SERVER = (6, 2)

_CODES = ("WRONGPASS ", "NOPERM ", "ERR ")


def login_commands(address: Address, client_name: str | None) -> list[tuple[str | int, ...]]:
    """Return what a new connection sends: who it is, what it is called, its database; and a look at the server.

    They go out in one write; the last two ask for the server's version and whether it has loaded its data.
    """
    commands: list[tuple[str | int, ...]] = []
    if address.username:
        commands.append(("AUTH", address.username, address.password or ""))
    elif address.password:
        commands.append(("AUTH", address.password))
    if client_name:
        commands.append(("CLIENT", "SETNAME", client_name))
    if address.database:
        commands.append(("SELECT", address.database))
    # PING is refused while the server loads its data, INFO is not.
    return [*commands, ("INFO", "server"), ("PING",)]


def check_login(address: Address, replies: Sequence[Any]) -> None:
    """Raise what is to be known of the replies.

    Raises:
        AuthenticationFailed: the server refused the credentials.
        ServerRefused: it refused the name or the database.
        ServerUnavailable: it takes no calls now, or no more connections.
        ServerTooOld: it is older than Redis 6.2.
    """
    *logins, version, pong = replies
    for reply in logins:
        if isinstance(reply, ServerRefused) and not isinstance(reply, AuthenticationFailed):
            raise ServerRefused(
                f"the server at {address} refused the connection: {_without_code(reply)}"
            ) from reply
        _check_availability(address, reply)
    _check_availability(address, pong if isinstance(pong, ServerUnavailable) else version)
    # A user may be forbidden to ask.
    if not isinstance(version, Exception):
        _check_version(address, version if isinstance(version, str) else version.decode())


def _check_availability(address: Address, reply: Any) -> None:
    if isinstance(reply, ServerUnavailable):
        raise reply
    if isinstance(reply, AuthenticationFailed):
        raise AuthenticationFailed(
            f"the server at {address} refused the credentials ({_without_code(reply)}); "
            "check REDIS_PASSWORD or the user and password in REDIS_URL"
        ) from reply


def _check_version(address: Address, facts: str) -> None:
    for fact in facts.splitlines():
        name, _, version = fact.partition(":")
        if name == "redis_version" and tuple(map(int, version.split(".")[:2])) < OLDEST_SERVER:
            raise ServerTooOld(
                f"the server at {address} is Redis {version}; Stockyard needs Redis 6.2 or later, or any Valkey"
            )


def _without_code(refusal: Exception) -> str:
    text = str(refusal)
    for code in _CODES:
        text = text.removeprefix(code)
    return text
