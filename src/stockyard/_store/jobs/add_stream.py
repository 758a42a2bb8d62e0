"""Adds jobs on a connection of its own: batches are written as they fill, and their replies read in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from stockyard._aio.randomness import jitter
from stockyard._store.jobs.adding import Answer, Batch, add_command, answers_of, scripts_of_adds
from stockyard._store.jobs.durability import confirmed, wait_command
from stockyard._store.jobs.indexing import note_added
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._store.net.script_call import is_unknown_script, load_command
from stockyard.errors import NotDurable, ReplyLost, ServerRefused, ServerUnavailable
from stockyard.model.durability import Durability


def _loads(keyspace: QueueKeyspace) -> list[Command]:
    """Return what loads the scripts that add; they are composed for the first connection, not at the import."""
    return [_load(script) for script in scripts_of_adds(keyspace)]


_load = cache(load_command)


class _Answered(NamedTuple):
    """A batch with the replies to its add and to the wait behind that."""

    jobs: Batch
    reply: Any
    waited: Any = None


class AddStream:
    """The adds of one producer on their way: while the server works on one batch, the next is prepared.

    Args:
        keyspace: the queue.
        durability: what has to be safe before a batch is answered. Defaults to nothing.
    """

    def __init__(self, keyspace: QueueKeyspace, *, durability: Durability | None = None) -> None:
        self._keyspace = keyspace
        self._connection = keyspace.server.dedicated(keyspace.base, closes_with_server=True)
        self._is_ready = False
        self._sent: deque[Batch] = deque()
        self._answered: deque[_Answered] = deque()
        self._durability = durability
        self._wait: list[Command] = []
        if durability is not None:
            self._wait = [wait_command(durability, keyspace.server.call_timeout)]

    @property
    def is_open(self) -> bool:
        """Whether a batch can be written now."""
        return self._is_ready and self._connection.is_open

    async def open(self) -> None:
        """Connect; tried again until the call timeout.

        Raises:
            ServerUnavailable: nobody answered in that time.
        """
        self._sent.clear()
        self._answered.clear()
        await self._connect(time.monotonic() + self._keyspace.server.call_timeout)

    async def _connect(self, deadline: float, before: ServerUnavailable | None = None) -> None:
        """Connect; ``before`` is why the server did nothing a moment ago, said again where the time is over."""
        self._is_ready = False
        await self._connection.open_until(deadline, before=before)
        try:
            # All or none: a batch of one kind must not overtake one whose script the server lacks.
            loaded = await self._connection.ask(_loads(self._keyspace), max(deadline - time.monotonic(), 0.001))
        except ReplyLost as error:
            if before is not None and time.monotonic() >= deadline:
                raise before from None
            raise ServerUnavailable(
                f"the server at {self._keyspace.server.address} went away while connecting"
            ) from error
        if self._connection.is_misled:
            # Other refusals are for the calls: who may not load scripts can still run those that are there.
            raise next(reply for reply in loaded if isinstance(reply, ServerUnavailable))
        self._is_ready = True

    def write(self, jobs: Batch) -> None:
        """Put one batch on the wire; the server may run it from now on.

        Raises:
            ServerUnavailable: not connected; nothing was sent.
        """
        self._connection.write([add_command(self._keyspace, jobs), *self._wait])
        self._sent.append(jobs)

    async def read(self) -> Sequence[Answer | NotDurable]:
        """Return the ids, or refusals, of the oldest written batch.

        Raises:
            ReplyLost: they may or may not have been added, nor those written after them.
            ServerRefused: the server answered with an error; those written after them go on.
        """
        if not self._answered:
            await self._receive()
            if _did_not_run(self._answered[0].reply):
                await self._send_again()
        self._keyspace.server.clock.check_for_step()
        jobs, reply, waited = self._answered.popleft()
        answers = answers_of(self._keyspace, accepted(reply), jobs)
        await note_added(self._keyspace, jobs, answers)
        return answers if self._durability is None else confirmed(answers, self._durability, waited)

    async def _receive(self) -> None:
        jobs = self._sent.popleft()
        reply, *waited = await self._connection.read(1 + len(self._wait), self._keyspace.server.call_timeout)
        self._answered.append(_Answered(jobs, reply, *waited))

    async def _send_again(self) -> None:
        """Send the batches that did not run again, in order, until they do or the call timeout.

        They did not run because the scripts of the server were flushed, or because it is not the one to ask any
        more, as after a failover.
        """
        deadline = time.monotonic() + self._keyspace.server.call_timeout
        pause = 0.02
        while self._sent:
            await self._receive()
        while any(_did_not_run(each.reply) for each in self._answered):
            if not self._connection.is_open:
                self._keyspace.server.drop_idle()
                await asyncio.sleep(jitter(pause))
                pause = min(pause * 2, 0.5)
                if time.monotonic() >= deadline:
                    return
                try:
                    refusals = (each.reply for each in self._answered)
                    await self._connect(
                        deadline, next((each for each in refusals if isinstance(each, ServerUnavailable)), None)
                    )
                except ServerUnavailable as error:
                    self._answered = deque(
                        each._replace(reply=error) if _did_not_run(each.reply) else each for each in self._answered
                    )
                    return
            kept = [each.jobs for each in self._answered if _did_not_run(each.reply)]
            again = list(_loads(self._keyspace))
            for jobs in kept:
                again += (add_command(self._keyspace, jobs), *self._wait)
            self._is_ready = False
            answers = await self._connection.ask(again, self._keyspace.server.call_timeout)
            self._is_ready = True
            # Connections opened meanwhile may lead to the old server, which answers reads with old data.
            self._keyspace.server.drop_idle()
            replies = iter(answers[len(_loads(self._keyspace)) :])
            self._answered = deque(
                _Answered(each.jobs, next(replies), *(next(replies) for _ in self._wait))
                if _did_not_run(each.reply)
                else each
                for each in self._answered
            )
            if any(isinstance(reply, ServerRefused) for reply in answers[: len(_loads(self._keyspace))]):
                return


def _did_not_run(reply: Any) -> bool:
    return isinstance(reply, ServerUnavailable) or is_unknown_script(reply)
