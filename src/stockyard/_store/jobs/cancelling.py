"""Cancels a job that has not ended, and hears which running jobs are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from stockyard._store.channels.broadcast import Broadcast
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard._wire.own_keys import cancel_channel
from stockyard.errors import ServerError

_CANCEL = load("editing.cancel")


class Cancellation(msgspec.Struct, frozen=True, array_like=True):
    """A job that is to stop.

    Attributes:
        job_id: its id.
        reason: text that it fails with.
    """

    job_id: str
    reason: str


_decode = msgspec.json.Decoder(Cancellation).decode


async def cancel(keyspace: QueueKeyspace, job_id: str, reason: str) -> int:
    """Let a job fail with this reason; return 0, ``JOB_MISSING``, or ``WRONG_STATE`` when it has ended."""
    message = msgspec.json.encode(Cancellation(job_id, reason))
    channel = cancel_channel(keyspace.keys.naming, keyspace.keys.queue)
    return int(await keyspace.run(_CANCEL, keyspace.keys.job(job_id), job_id, reason, channel, message))


async def read_cancelled(keyspace: QueueKeyspace, job_ids: Iterable[str]) -> list[Cancellation]:
    """Return which of these jobs were cancelled before their workers listened."""
    cancelled = []
    for job_id in job_ids:
        reason = await keyspace.server.call("HGET", keyspace.keys.job(job_id), "defa")
        if reason is not None:
            cancelled.append(Cancellation(job_id, reason.decode(errors="replace")))
    return cancelled


class ReceivedCancellations:
    """What came in on the connection.

    Attributes:
        begun: queues whose cancellations are heard from now on.
        refused: queues whose cancellations the user of this connection may not hear, each with the refusal.
        cancelled: queue and cancellation, in order.
        halts_changed: whether halts have changed, or a change of them may have been missed.
    """

    __slots__ = ("begun", "cancelled", "halts_changed", "refused")

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.refused: list[tuple[str, ServerError]] = []
        self.cancelled: list[tuple[str, Cancellation]] = []
        self.halts_changed: bool = False


class CancelChannel:
    """The cancellations of some queues of one server, on a connection of its own; and changes of halts.

    Args:
        server: the server.
        halts: the channel that says that halts have changed.
    """

    def __init__(self, server: Server, halts: str) -> None:
        # Not by slots: cancellations are few, and any node of a cluster passes on those of all.
        self._broadcast = Broadcast(server.dedicated(None))
        self._queues: dict[bytes, str] = {}
        self._halts = halts.encode()

    async def open(self, keyspaces: Callable[[], Iterable[QueueKeyspace]]) -> None:
        """Connect and ask for changes of halts, and for the cancellations of some queues.

        Args:
            keyspaces: gives the queues, once connected: a worker may have started meanwhile.

        Raises:
            ServerUnavailable, ServerRefused: nobody answers, or not to us.
        """
        await self._broadcast.open()
        self._queues.clear()
        self._broadcast.listen(self._halts)
        for keyspace in keyspaces():
            self.listen(keyspace)

    def listen(self, keyspace: QueueKeyspace) -> None:
        """Ask for the cancellations of one more queue."""
        channel = cancel_channel(keyspace.keys.naming, keyspace.keys.queue).encode()
        self._queues[channel] = keyspace.keys.queue
        self._broadcast.listen(channel)

    async def hear(self) -> ReceivedCancellations:
        """Return what came in; nothing for a sign of life.

        Raises:
            ReplyLost: the connection broke or fell silent; from here on, cancellations are missed.
        """
        received, parsed = await self._broadcast.hear(), ReceivedCancellations()
        # Both may come in at once: a change right behind the begin of the subscription.
        has_changed = received.texts.pop(self._halts, None) is not None
        parsed.halts_changed = has_changed or self._halts in received.begun
        parsed.begun = [self._queues[channel] for channel in received.begun if channel != self._halts]
        # Halts that are not heard of are looked up.
        refused = [each for each in received.refused if each[0] != self._halts]
        parsed.refused = [(self._queues[channel], error) for channel, error in refused]
        for channel, messages in received.texts.items():
            for message in messages:
                try:
                    parsed.cancelled.append((self._queues[channel], _decode(message)))
                except msgspec.MsgspecError:
                    continue  # published by a stranger
        return parsed

    def drop(self) -> None:
        """Disconnect at once."""
        self._broadcast.drop()

    async def close(self) -> None:
        """Disconnect; closing twice is fine."""
        await self._broadcast.close()
