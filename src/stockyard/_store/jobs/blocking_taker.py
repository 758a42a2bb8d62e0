"""Waits for a queue's marker on a connection of its own, and takes jobs in the same breath."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import Any

from stockyard._store.jobs.finishing import (
    FinishReply,
    TakeRequest,
    finish_and_take,
    finish_reply_of,
    take_call,
)
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._store.net.script_call import ScriptCall, is_unknown_script
from stockyard._wire.client_name import worker_client_name
from stockyard.errors import ServerError, ServerRefused

SILENCE = 3.0
"""Seconds past the block time after which the connection counts as dead and is rebuilt."""

_LOOKS, _LOOK_PAUSE = 40, 0.025
"""How often, and at what seconds' distance, to look whether the server has noticed that a connection is closed."""


class BlockingTaker:
    """A worker's blocking connection; its name makes the worker visible to BullMQ's tools.

    The call that takes is sent right behind the call that waits, so the server runs it the moment the
    marker is set: the round trip between the two is saved. When it runs is not known when it is sent;
    it reads the server's clock.

    Args:
        keyspace: the queue.
        worker: the worker's name, or None.
        closes_with_server: the end of the server's connections in this loop is the end of this one; else its user
            closes it. Defaults to False.

    Attributes:
        waits_until: when the wait that is under way is to end, by ``time.monotonic``; infinity without one. After
            one that ended in silence it stays until there is a new connection.
    """

    def __init__(
        self, keyspace: QueueKeyspace, *, worker: str | None = None, closes_with_server: bool = False
    ) -> None:
        self._keyspace = keyspace
        self._connection = keyspace.server.dedicated(
            keyspace.base,
            client_name=worker_client_name(keyspace.keys.naming, keyspace.keys.queue, worker),
            closes_with_server=closes_with_server,
        )
        self._client_id = 0
        self._offset = 0
        self._received_before = 0
        self.waits_until: float = math.inf

    async def open(self) -> None:
        """Connect now, so that the worker is seen before its first wait."""
        await self._connection.reopen()
        clock = self._keyspace.server.clock
        before, local = self._keyspace.clock(), clock.local()
        client_id, server_time = await self._connection.call(("CLIENT", "ID"), ("TIME",))
        self.waits_until = math.inf
        self._client_id = client_id if isinstance(client_id, int) else 0
        clock.note(local, clock.local(), server_time)
        if not isinstance(server_time, ServerRefused) and not self._keyspace.follows_server:
            there = int(server_time[0]) * 1000 + int(server_time[1]) // 1000
            self._offset = (before + self._keyspace.clock()) // 2 - there

    def is_receiving(self) -> bool:
        """Say whether the reply of the wait that is under way has begun to come."""
        return self._connection.received > self._received_before

    async def wait_and_take(self, seconds: float, request: TakeRequest) -> FinishReply:
        """Wait until the marker is set, at most so long, and take jobs then.

        Raises:
            ServerUnavailable: nothing was sent.
            ReplyLost: the connection broke or fell silent; jobs may have been started under the request's token.
        """
        if not self._connection.is_open:
            await self.open()
        request.clock_offset = self._offset
        # A clock that is moved by hand stands still while this waits; who moves it sets the marker.
        now = self._keyspace.clock() if self._keyspace.server.clock.is_manual else ""
        script, arguments = take_call(self._keyspace, request, now=now)
        call = ScriptCall(script, self._keyspace.script_keys(script), arguments)
        take = self._keyspace.server.script_command(call)
        marker, taken = await self._wait(seconds, take)
        if is_unknown_script(taken):
            return await finish_and_take(self._keyspace, [], request)
        if self._connection.is_misled:
            self._keyspace.server.drop_idle()
        reply = finish_reply_of(accepted(taken))
        if not reply.records:
            accepted(marker)
        return reply

    async def wait(self, seconds: float) -> bool:
        """Wait until the marker is set, at most so long, and take nothing but the marker; say whether it was set.

        Raises:
            ServerUnavailable: nothing was sent.
            ReplyLost: the connection broke or fell silent; the marker may have been taken.
        """
        if not self._connection.is_open:
            await self.open()
        (marker,) = await self._wait(seconds)
        if self._connection.is_misled:
            self._keyspace.server.drop_idle()
        return accepted(marker) is not None

    async def set_marker(self) -> None:
        """Set the marker that a wait took, so that another worker looks for jobs."""
        await self._keyspace.server.call("ZADD", self._keyspace.keys["marker"], 0, "0")

    async def _wait(self, seconds: float, *then: Command) -> list[Any]:
        """Wait for the marker, and have the server run what follows behind that; return the replies."""
        wait = ("BZPOPMIN", self._keyspace.keys["marker"], f"{max(seconds, 0.001):.3f}")
        self.waits_until = time.monotonic() + seconds
        self._received_before = self._connection.received
        try:
            replies = await self._connection.ask([wait, *then], seconds + SILENCE, silence=SILENCE)
            self.waits_until = math.inf
        finally:
            if time.monotonic() < self.waits_until:
                self.waits_until = math.inf
        return replies

    async def interrupt(self) -> None:
        """Break off a wait; when this returns, the server will not start jobs for it any more."""
        waiting = self._client_id if self._connection.is_open else 0
        self._connection.drop()
        if not waiting:
            return
        # The server forgets what a closed connection waits for as soon as it notices that. Killing it would need
        # a right to kill any connection.
        with contextlib.suppress(ServerError):
            server = await self._keyspace.holder()
            for _ in range(_LOOKS):
                if not await server.call("CLIENT", "LIST", "ID", waiting):
                    return
                await asyncio.sleep(_LOOK_PAUSE)

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._connection.close()
