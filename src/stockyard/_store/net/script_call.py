"""Calls of scripts by their checksums, and what is sent when the server does not hold one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from stockyard._store.net.connection import Command
from stockyard.errors import ServerError, ServerRefused

if TYPE_CHECKING:
    from stockyard._store.composed_script import ComposedScript
    from stockyard._store.scripts import Script


class ScriptCall(NamedTuple):
    """One call of a script.

    Attributes:
        script: the script.
        keys: its keys, in its order.
        arguments: what follows them.
    """

    script: Script | ComposedScript
    keys: Sequence[str]
    arguments: Sequence[str | bytes | int | float]

    def command(self, *, reads_apart: bool = False) -> Command:
        """Return the command; ``reads_apart``: a script that only reads is called as one."""
        verb = "EVALSHA_RO" if reads_apart and self.script.reads_only else "EVALSHA"
        return (verb, self.script.sha, len(self.keys), *self.keys, *self.arguments)


def load_command(script: Script | ComposedScript) -> Command:
    """Return the command after which the server holds a script."""
    return ("SCRIPT", "LOAD", script.text)


def is_unknown_script(reply: Any) -> bool:
    """Say whether the server refused a script because it does not hold it: it did not run."""
    return isinstance(reply, ServerRefused) and str(reply).startswith("NOSCRIPT")


async def run_unknown(
    ask: Callable[[Sequence[Command]], Awaitable[list[Any]]],
    calls: Sequence[ScriptCall],
    commands: list[Command],
    replies: list[Any],
) -> bool:
    """Load the scripts that the server did not hold, and send their calls again: they did not run.

    Args:
        ask: sends commands on the connection, and returns their replies.
        calls: what was called.
        commands: the commands of ``calls``, and plain ones behind them.
        replies: theirs; each new reply takes the place of the refusal.

    Returns:
        Whether the server knew every script now.
    """
    unknown = [at for at, reply in enumerate(replies) if is_unknown_script(reply)]
    loads = {}
    for at in unknown:
        script = calls[at].script
        if commands[at][0] == "EVALSHA_RO":
            # A user that may only read may not load a script; to run its text loads it, too.
            commands[at] = ("EVAL_RO", script.text, *commands[at][2:])
        else:
            loads[script.sha] = load_command(script)
    answers = await ask([*loads.values(), *(commands[at] for at in unknown)])
    loaded = dict(zip(loads, answers, strict=False))
    for at, reply in zip(unknown, answers[len(loads) :], strict=True):
        # Why it could not be loaded says more than that it is not there.
        refusal = loaded.get(calls[at].script.sha)
        replies[at] = refusal if is_unknown_script(reply) and isinstance(refusal, ServerError) else reply
    return not any(map(is_unknown_script, replies))
