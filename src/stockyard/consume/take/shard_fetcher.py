"""The fetcher of one shard: shares the worker's places with those of the other shards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

from stockyard._aio.retry_delay import RetryDelay
from stockyard.consume.run.ending import Ending
from stockyard.consume.take.fetcher import LIMITED_PAUSE, Fetcher
from stockyard.consume.take.shares import Shares
from stockyard.errors import ReplyLost, ServerError

_SLOW_SECONDS = 0.25
"""From here on a call may be one that is never answered."""

_MARKER_SECONDS = 0.05
"""How long a worker keeps a marker while its places are kept for calls of other shards, which may bring none."""


class ShardFetcher(Fetcher):
    """Keeps a worker's hands full, together with the fetchers of the other shards.

    A blocking call cannot wait for several slots, so each shard has a wait of its own. It does not take: a call
    that waits and takes needs a place that is kept for it, and one that is kept for an empty shard is of no use to
    a full one. When the marker was set and the worker has no place for its job, the marker is set again, for
    another worker; this one looks without it, once it has a place.

    ``share`` is called before it starts.
    """

    _shares: Shares
    _has_marker = False
    _may_have_marker = False
    _slow_calls = 0
    _waits_for_room = False

    def share(self, shares: Shares) -> None:
        """Have a share of the places of a worker."""
        self._shares = shares
        shares.join(self)

    @property
    def wants(self) -> bool:
        """Whether it knows of jobs, or does not know that there are none, and its server seems to answer."""
        knows = self._demand.has_plenty or self._shall_look
        return (
            knows
            and self._is_taking
            and not self._rest.is_on
            and bool(self._tasks)
            and not self._slow_calls
            and not self._outage.is_on
        )

    @property
    def room(self) -> int:
        return 0 if self._outage.is_on else super().room

    def wake(self) -> None:
        """Have it look whether there is a place."""
        if self._demand.has_plenty:
            self._work.set()
        elif self._waits_for_room:
            self._listening.set()

    def _interrupt(self) -> None:
        """Let a call wait on: it brings no job."""

    async def stop_taking(self) -> None:
        await super().stop_taking()
        # Only now: before, the marker might have gone to the wait that was broken off.
        if self._has_marker or self._may_have_marker:
            await self._pass_marker_on()

    @property
    def _places(self) -> int:
        if not self._is_taking or self._rest.is_on:
            return 0
        return min(self._size.jobs, self._shares.room(self, self._capacity))

    def _free(self, places: int) -> None:
        super()._free(places)
        self._shares.wake()

    async def _turn(self, ended: list[Ending], room: int, retry_delay: RetryDelay, *, waits: bool = False) -> None:
        if room:
            self._shares.took(self, time.monotonic(), room)
        if self._shares.free(self._capacity) > room:
            # Ended runs have left places that are not for this call.
            self._shares.wake()
        with self._calling():
            await super()._turn(ended, room, retry_delay, waits=waits)

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        """Leave its turn to the others once a call takes long."""
        is_slow = False

        def begin() -> None:
            nonlocal is_slow
            is_slow = True
            self._slow_calls += 1
            self._shares.wake()

        timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, begin)
        try:
            yield
        finally:
            timer.cancel()
            self._slow_calls -= is_slow

    def _answered(self) -> None:
        if self._outage.is_on:
            self._shall_look = True
            self._work.set()
        super()._answered()

    def _note(self, asked: int, got: int, limited_ms: int, next_due: int) -> None:
        super()._note(asked, got, limited_ms, next_due)
        self._shares.wake()

    def _leave_places(self, room: int) -> None:
        is_free = self._shares.free(self._capacity) > 0
        if is_free or self._has_marker:
            self._listening.set()
        if is_free:
            self._shares.wake(unless=self)

    async def _listen(self) -> None:
        retry_delay = RetryDelay()
        while self._is_taking:
            if self._outage.is_on:
                # Without places: none of them is kept for a server that may not answer.
                await self._turn(self._batch(), 0, retry_delay)
                continue
            limited = self._demand.limited_seconds(time.monotonic())
            if limited > 0:
                await asyncio.sleep(min(limited, LIMITED_PAUSE))
                if not self._is_taking:
                    break
            room = self._places
            if self._rest.is_on:
                if self._has_marker:
                    await self._pass_marker_on()
                self._listening.clear()
                await self._listening.wait()
            elif self._shall_look and room > 0:
                self._shall_look = self._has_marker = False
                await self._turn(self._batch(), room, retry_delay)
                # What it brought starts before the next wait is put together, as in any fetcher.
                await asyncio.sleep(0)
            elif self._has_marker and self._shares.idle(self._capacity) <= 0:
                await self._pass_marker_on()
            elif self._shall_look or self._demand.has_plenty or self._shares.free(self._capacity) <= 0:
                await self._wait_for_room()
            else:
                await self._wait(retry_delay)

    async def _wait_for_room(self) -> None:
        """Wait until a place may be free, with the marker only as long as calls of other shards take."""
        self._listening.clear()
        self._waits_for_room = True
        try:
            async with asyncio.timeout(_MARKER_SECONDS if self._has_marker else None):
                await self._listening.wait()
        except TimeoutError:
            await self._pass_marker_on()
        finally:
            self._waits_for_room = False

    async def _pass_marker_on(self) -> None:
        """Let another worker look for the job that the marker was set for."""
        self._has_marker = False
        with contextlib.suppress(ServerError), self._calling():
            await self._blocking_taker.set_marker()

    async def _wait(self, retry_delay: RetryDelay) -> None:
        """Wait for the marker, or until it is time to look without one."""
        try:
            is_set = await self._blocking_taker.wait(
                self._demand.block_seconds(time.monotonic(), self._keyspace.clock())
            )
            self._shall_look = True
            self._has_marker = is_set
        except ServerError as error:
            self._shall_look = True
            self._may_have_marker = isinstance(error, ReplyLost)
            if self._is_taking:
                self._outage.begin(error)
                await retry_delay.wait()
            return
        retry_delay.reset()
        self._answered()
