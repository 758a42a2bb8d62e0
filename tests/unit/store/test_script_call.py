"""What is sent for a script, and what again when the server does not hold it."""

from collections.abc import Sequence
from typing import Any

import pytest

from stockyard import ServerRefused
from stockyard._store.net.connection import Command
from stockyard._store.net.script_call import ScriptCall, is_unknown_script, load_command, run_unknown
from stockyard._store.scripts import load
from stockyard.errors import AuthenticationFailed

WRITES, READS = load("adding.add"), load("reading.health")
UNKNOWN = ServerRefused("NOSCRIPT No matching script. Please use EVAL.")


class Answering:
    """Answers with what it was given, and keeps what was asked."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked: list[Command] = []

    async def __call__(self, commands: Sequence[Command]) -> list[Any]:
        self.asked += commands
        return self.replies


def test_a_script_is_called_by_its_checksum() -> None:
    call = ScriptCall(WRITES, ("k1", "k2"), ("a", 1))
    assert call.command() == ("EVALSHA", WRITES.sha, 2, "k1", "k2", "a", 1)
    assert call.command(reads_apart=True)[0] == "EVALSHA"
    assert ScriptCall(READS, (), ()).command(reads_apart=True) == ("EVALSHA_RO", READS.sha, 0)
    assert load_command(WRITES) == ("SCRIPT", "LOAD", WRITES.text)


@pytest.mark.parametrize("reply", [None, b"NOSCRIPT", [UNKNOWN], ServerRefused("NO"), OSError("NOSCRIPT")])
def test_only_a_refusal_says_that_a_script_is_unknown(reply: Any) -> None:
    assert is_unknown_script(UNKNOWN)
    assert not is_unknown_script(reply)


async def test_what_ran_is_not_sent_again() -> None:
    calls = [ScriptCall(WRITES, ("a",), ()), ScriptCall(WRITES, ("b",), ()), ScriptCall(WRITES, ("c",), ())]
    commands = [*(call.command() for call in calls), ("PING",)]
    replies = [UNKNOWN, b"ran", UNKNOWN, b"PONG"]
    ask = Answering(b"sha", b"first", b"third")
    assert await run_unknown(ask, calls, commands, replies)
    assert ask.asked == [load_command(WRITES), commands[0], commands[2]]
    assert replies == [b"first", b"ran", b"third", b"PONG"]


async def test_a_script_that_only_reads_is_run_by_its_text() -> None:
    call = ScriptCall(READS, ("k",), ("a",))
    commands = [call.command(reads_apart=True)]
    replies: list[Any] = [UNKNOWN]
    ask = Answering(b"read")
    assert await run_unknown(ask, [call], commands, replies)
    assert ask.asked == [("EVAL_RO", READS.text, 1, "k", "a")]
    assert replies == [b"read"]


async def test_a_user_who_may_not_load_scripts_is_told_so() -> None:
    call = ScriptCall(WRITES, (), ())
    replies: list[Any] = [UNKNOWN]
    forbidden = AuthenticationFailed("NOPERM script|load")
    assert await run_unknown(Answering(forbidden, UNKNOWN), [call], [call.command()], replies)
    assert replies == [forbidden]


async def test_a_script_that_was_flushed_again_is_still_unknown() -> None:
    call = ScriptCall(WRITES, (), ())
    replies: list[Any] = [UNKNOWN]
    assert not await run_unknown(Answering(b"sha", UNKNOWN), [call], [call.command()], replies)
    assert replies == [UNKNOWN]
