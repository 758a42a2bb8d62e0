"""Calls and scripts on a server: sent again where it refused them unrun, as during a failover, and never else."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from stockyard._aio.randomness import jitter
from stockyard._store.net.connection import Command, Connection, accepted
from stockyard._store.net.pool import Pool
from stockyard._store.net.refusals import refusal_of
from stockyard._store.net.script_call import ScriptCall, is_unknown_script, run_unknown
from stockyard.config import Address
from stockyard.errors import ReplyLost, ServerError, ServerRefused, ServerUnavailable

if TYPE_CHECKING:
    from stockyard._store.composed_script import ComposedScript
    from stockyard._store.scripts import Script

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
"""Seconds between two attempts to find the primary."""


class ServerCalls(ABC):
    """Runs calls on the connections that a subclass has.

    Args:
        address: where the server is.
        call_timeout: seconds until a call's first byte of reply, connecting included, and then from one byte to
            the next; a call whose bytes come or go does not time out, however slow the link is.

    Attributes:
        trouble: why calls are being sent again, as during a failover; empty while none is.
    """

    def __init__(self, address: Address, *, call_timeout: float) -> None:
        self.address = address
        self.call_timeout = call_timeout
        self.trouble: str = ""
        self._reads_apart = True
        """Whether scripts that only read are called as such: Redis 6.2 cannot, and a user may not be allowed."""

    @abstractmethod
    def _pool(self) -> Pool:
        """Return the caller's connections."""

    async def call(self, *command: str | bytes | int | float, timeout: float | None = None) -> Any:
        """Run one command and return its reply; the errors are those of ``ask``, and ServerRefused."""
        (reply,) = await self.ask([command], timeout=timeout)
        return accepted(reply)

    async def ask(
        self, commands: Sequence[Command], *, timeout: float | None = None, needs_primary: bool = False
    ) -> list[Any]:
        """Run commands in one round trip; error replies are returned in place.

        A server that refuses because it is not the one to ask, as after a failover, did nothing: its name is
        resolved again and what it refused is sent again, until the timeout.

        Args:
            commands: in their order.
            timeout: seconds. Defaults to the call timeout.
            needs_primary: they mean nothing to a replica, which accepts them all the same, as PUBLISH: look at the
                server's role before, at most once a second on each connection.

        Raises:
            ServerUnavailable: no connection within the time; nothing was sent.
            ReplyLost: sent, and the outcome is unknown; it is not sent again.
        """
        limit = timeout or self.call_timeout
        pool, connection, deadline, replies = await self._send(commands, limit, needs_primary=needs_primary)
        try:
            if connection.is_misled:
                pool.drop_idle()
                await self._ask_elsewhere(connection, commands, replies, deadline, limit)
                pool.drop_idle()
        finally:
            pool.give_back(connection)
        return replies

    async def run(
        self,
        script: Script | ComposedScript,
        keys: Sequence[str],
        *args: str | bytes | int | float,
        stays: bool = False,
    ) -> Any:
        """Run a script and return its reply; it is sent again only if it did not run: see ``ask``."""
        (reply,) = await self.run_many([ScriptCall(script, keys, args)], stays=stays)
        return accepted(reply)

    async def run_many(
        self,
        calls: Sequence[ScriptCall],
        *also: Command,
        timeout: float | None = None,
        needs_primary: bool = False,
        stays: bool = False,
        then: Command | None = None,
    ) -> list[Any]:
        """Run scripts, and plain commands after them, in one round trip; error replies are returned in place.

        Args:
            calls, also: what to run.
            timeout, needs_primary: those of ``ask``.
            stays: what was true of the old primary may be wrong by the time a new one answers: do not send it
                there.
            then: a command that is sent on the same connection when all of these have run; its reply is the last.
        """
        limit = timeout or self.call_timeout
        commands = [call.command(reads_apart=self._reads_apart) for call in calls]
        commands += also
        pool, connection, deadline, replies = await self._send(commands, limit, needs_primary=needs_primary)
        try:
            if connection.is_misled or any(map(_is_refusal, replies)):
                await self._run_refused(pool, connection, calls, commands, replies, deadline, limit, stays=stays)
            if then is not None and not any(isinstance(reply, ServerUnavailable) for reply in replies):
                replies += await connection.ask([then], limit)
        finally:
            pool.give_back(connection)
        return replies

    async def _run_refused(
        self,
        pool: Pool,
        connection: Connection,
        calls: Sequence[ScriptCall],
        commands: list[Command],
        replies: list[Any],
        deadline: float,
        limit: float,
        *,
        stays: bool,
    ) -> None:
        """Send again what was refused unrun; each new reply takes the place of the refusal."""
        if refused := [at for at, reply in enumerate(replies) if _is_refused_as_read(reply)]:
            self._reads_apart = False
            for at in refused:
                commands[at] = ("EVALSHA", *commands[at][1:])
            answers = await connection.ask([commands[at] for at in refused], limit)
            for at, reply in zip(refused, answers, strict=True):
                replies[at] = reply
        while connection.is_misled or any(map(is_unknown_script, replies)):
            if connection.is_misled:
                pool.drop_idle()
                if stays:
                    break
                is_done = await self._ask_elsewhere(connection, commands, replies, deadline, limit)
                # Connections that others opened meanwhile may lead to the old server, whose data is old.
                pool.drop_idle()
                if not is_done:
                    break
                continue
            # It has just answered, maybe after much that a slow link took past the deadline.
            left = max(deadline - time.monotonic(), limit / 2)
            if not await run_unknown(
                partial(connection.ask, timeout=left, silence=limit), calls, commands, replies
            ):
                break

    async def _send(
        self, commands: Sequence[Command], limit: float, *, needs_primary: bool
    ) -> tuple[Pool, Connection, float, list[Any]]:
        """Return the replies of the first connection that is free; the caller gives it back to its pool."""
        pool = self._pool()
        connection, deadline = await pool.take(limit)
        try:
            if needs_primary:
                await self._check_role(pool, connection, deadline)
            replies = await connection.ask(commands, deadline - time.monotonic(), silence=limit)
        except BaseException as error:
            pool.give_back(connection)
            if isinstance(error, ReplyLost):
                # The others lead to the same server: each of the next calls would wait for it just as long.
                pool.drop_idle()
            raise
        return pool, connection, deadline, replies

    def script_command(self, call: ScriptCall) -> Command:
        """Return the command of a script for a connection of the caller's own."""
        return call.command()

    async def ask_once(self, commands: Sequence[Command], *, timeout: float) -> list[Any]:
        """Run commands in one round trip, whatever becomes of them; the errors are those of ``ask``."""
        pool, connection, _, replies = await self._send(commands, timeout, needs_primary=False)
        pool.give_back(connection)
        return replies

    async def primaries(self) -> list[ServerCalls]:
        """Return every server that holds a part of the keys: of a cluster, its primaries.

        Raises:
            ServerUnavailable: no node of the cluster says which there are.
        """
        return [self]

    async def at(self, key: str) -> ServerCalls:
        """Return the server that holds a key; the errors are those of ``primaries``."""
        return self

    async def leads_to_primary(self) -> bool:
        """Say whether the server at the address is a primary; connections to a replica are dropped.

        Raises:
            ServerUnavailable, ReplyLost: it does not answer.
        """
        pool = self._pool()
        connection, deadline = await pool.take(self.call_timeout)
        try:
            is_primary = await connection.leads_to_primary(deadline - time.monotonic())
            if not is_primary:
                pool.drop_idle()
        finally:
            pool.give_back(connection)
        return is_primary

    def drop_idle(self) -> None:
        """Close the caller's connections that nobody uses: a server has shown that it is not the one to ask."""
        self._pool().drop_idle()

    async def _check_role(self, pool: Pool, connection: Connection, deadline: float) -> None:
        """Let a connection lead to a primary; ServerUnavailable at the deadline."""
        if not await connection.leads_to_primary(deadline - time.monotonic()):
            pool.drop_idle()
            await self._find_primary(connection, deadline)
            pool.drop_idle()

    async def _find_primary(self, connection: Connection, deadline: float) -> None:
        """Resolve the server's name again until it leads to a primary; ServerUnavailable at the deadline."""
        pause = _FIRST_PAUSE
        refusal = refusal_of("READONLY", connection.address)
        assert isinstance(refusal, ServerUnavailable)
        self._note_trouble(str(refusal))
        try:
            while True:
                wait = jitter(pause)
                if time.monotonic() + wait >= deadline:
                    raise refusal
                await connection.pause(wait)
                pause = min(pause * 2, _LONGEST_PAUSE)
                await connection.open_until(deadline, before=refusal)
                # A question whose answer is lost is asked again: nothing else was sent.
                with contextlib.suppress(ReplyLost):
                    if await connection.leads_to_primary(max(deadline - time.monotonic(), 0.001)):
                        return
        finally:
            self.trouble = ""

    def _note_trouble(self, why: str) -> None:
        self.trouble = why

    async def _ask_elsewhere(
        self,
        connection: Connection,
        commands: Sequence[Command],
        replies: list[Any],
        deadline: float,
        silence: float,
    ) -> bool:
        """Resolve the server's name again, and send again what was refused, until it is done or the deadline.

        Each new reply takes the place of the refusal. Returns whether none is left.
        """
        pause = _FIRST_PAUSE
        refusal = next(reply for reply in replies if isinstance(reply, ServerUnavailable))
        self._note_trouble(str(refusal))
        try:
            while connection.is_misled:
                # Of a transaction, all or nothing was done.
                all_or_none = commands[0][0] == "MULTI"
                refused = [
                    at for at, reply in enumerate(replies) if all_or_none or isinstance(reply, ServerUnavailable)
                ]
                wait = jitter(pause)
                if time.monotonic() + wait >= deadline:
                    return False
                await connection.pause(wait)
                pause = min(pause * 2, _LONGEST_PAUSE)
                try:
                    await connection.open_until(deadline, before=refusal)
                except ServerUnavailable as error:
                    for at in refused:
                        replies[at] = error
                    return False
                left = max(deadline - time.monotonic(), 0.001)
                answers = await connection.ask([commands[at] for at in refused], left, silence=silence)
                for at, reply in zip(refused, answers, strict=True):
                    replies[at] = reply
        finally:
            self.trouble = ""
        return True


def _is_refusal(reply: Any) -> bool:
    return isinstance(reply, ServerError)


def _is_refused_as_read(reply: Any) -> bool:
    return isinstance(reply, ServerRefused) and "evalsha_ro" in str(reply.__cause__ or reply).lower()
