"""What an error reply means: whether another server is to be asked, what happened, and what to do."""

from __future__ import annotations

import re

from stockyard._store.net.slot_map import Node
from stockyard.errors import AuthenticationFailed, ServerError, ServerRefused, ServerUnavailable, SlotMoving

FULL = "the server is full"
"""What the message of a server without memory begins with."""

_HANDED_OVER = "its connections lead to a server that is not the primary any more"
_WRONG_SERVER = {
    "READONLY": "it is a replica, which takes no writes",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "LOADING": "it is still loading its data",
    "UNBLOCKED": _HANDED_OVER,
    "REDIRECT": _HANDED_OVER,
    "CLUSTERDOWN": "no node of the cluster serves these keys now",
}
"""Replies after which nothing was written: the name is resolved again, and the call sent again."""

_ADVICE = {
    "OOM": f"{FULL}: it has reached maxmemory and wrote nothing; clean finished jobs, shrink the caches, or raise "
    "maxmemory",
    "MISCONF": "the server cannot save its data to disk and refuses writes until it can; look for a full disk and "
    "into the server's log",
    "NOREPLICAS": "the server refuses writes because too few replicas follow it (min-replicas-to-write); start "
    "replicas, or lower that number",
    "BUSY": "another client's script has run for longer than the server's busy-reply-threshold; nothing was "
    "written; try again, or end that script by SCRIPT KILL",
}
"""What happened and what to do, for replies that need no word of the server's own."""

_LOGIN = ("WRONGPASS", "NOAUTH")
_LOGIN_WORDS = ("invalid password", "invalid username-password", "AUTH called without", "but no password is set")
_MAX_CLIENTS = "max number of clients reached"

# Redis 6.2 wraps what a command in a script was refused for: "ERR Error running script (call to f_<sha>):
# @user_script:12: @user_script: 12: -READONLY You can't write against a read only replica."
_WRAPPED = re.compile(r"^ERR Error running script \(.*@user_script: ?\d+: -?([A-Z]{3,}) ", re.DOTALL)


class Redirected(ServerUnavailable):
    """A node of a cluster did nothing, as a slot is another's, or becomes another's.

    Attributes:
        slot: its number.
        node: where to ask; its host may be ``UNKNOWN_HOST``.
        is_asking: only this once, and with ``ASKING``: the slot is still being moved.
    """

    def __init__(self, message: str, slot: int, node: Node, *, is_asking: bool) -> None:
        super().__init__(message)
        self.slot = slot
        self.node = node
        self.is_asking = is_asking


def leads_astray(refusal: ServerError) -> bool:
    """Say whether a refusal shows that a connection does not lead to the server to ask (any more)."""
    return isinstance(refusal, ServerUnavailable) and not isinstance(refusal, Redirected | SlotMoving)


def refusal_of(text: str, address: object, host: str = "") -> ServerError:
    """Return the error for an error reply.

    Args:
        text: the reply, its code first.
        address: of the server, for the message.
        host: that was asked: where a node is that is named by its port alone.

    Returns:
        ``ServerUnavailable`` when nothing was written and the call may be sent again elsewhere, as after a
        failover; else ``ServerRefused``.
    """
    wrapped = _WRAPPED.match(text)
    code, _, message = text.partition(" ")
    if wrapped is not None:
        code = wrapped[1]
    if (why := _WRONG_SERVER.get(code)) is not None:
        return ServerUnavailable(
            f"the server at {address} did nothing: {why}. A failover or a start that is under way ends by itself; "
            "otherwise let REDIS_URL name the primary"
        )
    if code in ("MOVED", "ASK"):
        return _redirected(code, message, address, host)
    if code == "TRYAGAIN":
        return SlotMoving(
            f"the cluster at {address} did nothing: it is moving the keys of a slot to another node; try again "
            "when that is done"
        )
    if (advice := _ADVICE.get(code)) is not None:
        return ServerRefused(advice)
    if _MAX_CLIENTS in text:
        return ServerUnavailable(out_of_connections(address))
    if code in _LOGIN or any(words in text for words in _LOGIN_WORDS):
        return AuthenticationFailed(text)
    # Callers recognise a script that the server does not hold by this code.
    return ServerRefused(message if code == "ERR" else text)


def _redirected(code: str, message: str, address: object, asked: str) -> Redirected:
    slot, _, place = message.partition(" ")
    host, _, port = place.strip().rpartition(":")
    return Redirected(
        f"the server at {address} did nothing: it is a node of a cluster, and these keys are at {place}; let "
        "REDIS_URL name the cluster, as in redis+cluster://host:port",
        int(slot),
        Node(host or asked, int(port)),
        is_asking=code == "ASK",
    )


def is_out_of_connections(message: str) -> bool:
    """Say whether a server turned a new connection away because it has too many."""
    return _MAX_CLIENTS in message


def out_of_connections(address: object) -> str:
    """Return what to say then."""
    return (
        f"the server at {address} takes no more connections: its maxclients is reached; close clients that are "
        "not needed, or raise maxclients"
    )
