"""Loads of one cache: one at a time for each key, in the process and across processes, shared by all who wait."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stockyard import telemetry
from stockyard._aio.elastic_threads import ElasticThreads
from stockyard._aio.per_loop import PerLoop
from stockyard._aio.randomness import jitter, random_number
from stockyard._aio.shared import shared
from stockyard._store.caches import caching
from stockyard._store.caches.caching import OUTDATED, STORED, CacheKeyspace, Claim, NewEntry
from stockyard.cache.budget import Budget
from stockyard.cache.entries import Entries
from stockyard.cache.freshness import jittered
from stockyard.cache.locks import Locks
from stockyard.cache.nesting import Place, enclosing, running, waiting
from stockyard.cache.options import CacheSpec, checked_tags
from stockyard.cache.stats import Counts
from stockyard.errors import PayloadError, ServerError, ServerRefused
from stockyard.model.duration import Duration, milliseconds
from stockyard.model.payload import TypedCodec

T = TypeVar("T")
Loader = Callable[[], Any] | Callable[[str], Any]
"""Computes a value: ``def`` (in a thread) or ``async def``, without arguments or with the key as the only one."""

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.025
_ONE_HOUR = 3_600_000
_LONGEST_WAIT = 10
"""Leases of a lock that a load waits for another process at most, before it runs beside that one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of a loaded value, in milliseconds; a negative time of 0 keeps nothing of None."""

    ttl_ms: int
    stale_ms: int = 0
    negative_ms: int | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, ttl_ms: int, stale: Duration | None, negative_ttl: Duration | None, tags: Iterable[str]) -> Plan:
        """Check what ``Cache.get_or_set`` was given; raises InvalidOption."""
        return cls(
            ttl_ms,
            0 if stale is None else milliseconds(stale, option="stale"),
            None if negative_ttl is None else milliseconds(negative_ttl, option="negative_ttl"),
            checked_tags(tags),
        )

    @property
    def lifetime_ms(self) -> int:
        """How long its tags must be remembered, whenever the load ends."""
        return max(2 * (self.ttl_ms + self.stale_ms), _ONE_HOUR)


@dataclass(frozen=True, slots=True)
class LoadResult(Generic[T]):
    """A value, and whether nothing has outdated it since its load began."""

    value: T
    is_current: bool


class Loads(Generic[T]):
    """The loads of one cache.

    Args:
        keyspace, cache: where the locks are.
        spec: how long the locks hold.
        entries: where loaded values go.
        codec: how they are written.
        locks: keeps the locks.
        budget: makes room for locks on a full server.
        counts: where loads, waits and errors are counted.
        threads: where plain functions run.
    """

    def __init__(
        self,
        keyspace: CacheKeyspace,
        cache: str,
        *,
        spec: CacheSpec,
        entries: Entries,
        codec: TypedCodec[T],
        locks: Locks,
        budget: Budget,
        counts: Counts,
        threads: PerLoop[ElasticThreads],
    ) -> None:
        self._keyspace = keyspace
        self._cache = cache
        self._spec = spec
        self._entries = entries
        self._codec = codec
        self._locks = locks
        self._budget = budget
        self._counts = counts
        self._threads = threads
        self._server = keyspace.place
        self._warned: set[str] = set()
        self._flights: PerLoop[dict[str, asyncio.Task[LoadResult[T]]]] = PerLoop(dict)

    async def wait(self, key: str, loader: Loader, plan: Plan, seen: bytes, *, is_away: bool) -> LoadResult[T]:
        """Return the value of the load that runs for a key, or of one that is started now.

        With ``is_away`` the server is not asked: the load is this process's alone. Who joins a load that was
        outdated on its way learns it: its own question came later than the answer. A caller that is cancelled
        leaves the load to the others.

        Raises:
            LoadCycle: the caller runs within a load that this one waits for.
            SharedWorkCancelled: the load was cancelled.
        """
        outer = enclosing()
        if outer is None:
            return await self._joined(key, loader, plan, seen, is_away=is_away)
        with waiting(outer, Place(self._server, self._cache, key)):
            return await self._joined(key, loader, plan, seen, is_away=is_away)

    async def _joined(self, key: str, loader: Loader, plan: Plan, seen: bytes, *, is_away: bool) -> LoadResult[T]:
        what = f"the load of {key!r} in cache {self._cache!r}"
        flight = self._flights.get().get(key)
        if flight is not None:
            self._counts.waits += 1
            return await shared(flight, what)
        result = await shared(self._start(key, loader, plan, seen, is_away=is_away), what)
        return LoadResult(result.value, True)

    def refresh(self, key: str, loader: Loader, plan: Plan, seen: bytes) -> None:
        """Load in the background, unless that is being done; an error is counted and logged."""
        if key not in self._flights.get():
            self._start(key, loader, plan, seen, is_away=False).add_done_callback(self._note_failure)

    async def aclose(self) -> None:
        """Break off this loop's loads."""
        flights = list((self._flights.pop() or {}).values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _start(
        self, key: str, loader: Loader, plan: Plan, seen: bytes, *, is_away: bool
    ) -> asyncio.Task[LoadResult[T]]:
        flights = self._flights.get()
        load = self._run(key, loader, plan, "", None) if is_away else self._load(key, loader, plan, seen)
        flight = asyncio.create_task(load, name=f"load of {self._cache}: {key}")
        flights[key] = flight

        def finish(_: object) -> None:
            if flights.get(key) is flight:
                del flights[key]
            if not flight.cancelled():
                flight.exception()

        flight.add_done_callback(finish)
        return flight

    async def _load(self, key: str, loader: Loader, plan: Plan, seen: bytes) -> LoadResult[T]:
        await self._locks.ready(self._spec.lock_ms)
        token = self._locks.token()
        claim = await self._claim(key, token, plan, seen)
        if isinstance(claim, LoadResult):
            return claim
        with self._locks.held(self._cache, key, token, self._spec.lock_ms):
            try:
                return await self._run(key, loader, plan, token, claim.versions)
            except BaseException:
                with suppress(ServerError):
                    await caching.release(self._keyspace, self._cache, key, token)
                raise

    async def _claim(self, key: str, token: str, plan: Plan, seen: bytes) -> LoadResult[T] | Claim:
        """Wait for the lock or for what another process loads; without a server, load for this process alone.

        The wait is bounded: loads of two processes that wait for each other would else never end.
        """
        pause = _FIRST_PAUSE
        is_full = False
        leases = _LONGEST_WAIT if enclosing() is None else 1
        patient_until = time.monotonic() + leases * self._spec.lock_ms / 1000
        while True:
            try:
                claim = await caching.claim(
                    self._keyspace,
                    self._cache,
                    key,
                    token,
                    lease_ms=self._spec.lock_ms,
                    stale_ms=plan.stale_ms,
                    seen=seen,
                    tags=plan.tags,
                    lifetime_ms=plan.lifetime_ms,
                )
            except ServerRefused as error:
                if is_full or not caching.is_full(error):
                    return self._unlocked(error)
                is_full = True
                with suppress(ServerError):
                    await self._budget.make_room()
                continue
            except ServerError as error:
                return self._unlocked(error)
            if claim.versions is not None:
                return claim
            if claim.found is not None:
                try:
                    return LoadResult(self._codec.decode(claim.found.value), True)
                except PayloadError:
                    seen = claim.found.stamp
                    continue
            if time.monotonic() > patient_until:
                _log.warning(
                    "cache %s waited %.1f s for the load of %r in another process and loads it too",
                    self._cache,
                    leases * self._spec.lock_ms / 1000,
                    key,
                )
                return Claim()
            if pause == _FIRST_PAUSE:
                self._counts.waits += 1
            await asyncio.sleep(jitter(pause))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _unlocked(self, error: ServerError) -> Claim:
        self._counts.errors += 1
        self._warn("loads without its lock", error)
        return Claim()

    def _warn(self, what: str, error: ServerError) -> None:
        """Warn of what goes on as long as the server is as it is: once, until the next value is stored."""
        if what not in self._warned:
            self._warned.add(what)
            _log.warning("cache %s %s: %s", self._cache, what, error)

    async def _run(
        self, key: str, loader: Loader, plan: Plan, token: str, versions: list[str] | None
    ) -> LoadResult[T]:
        self._counts.loads += 1
        started = time.perf_counter()
        is_nested = enclosing() is not None
        place = Place(self._server, self._cache, key)
        with running(place, is_nested=is_nested), telemetry.span(telemetry.LOAD, cache=self._cache, key=key):
            value: T = await _call(loader, key, self._threads.get(), is_nested=is_nested)
        took_ms = min(round((time.perf_counter() - started) * 1000), 2**31)
        text = self._codec.encode(value)
        ttl_ms, stale_ms = plan.ttl_ms, plan.stale_ms
        if value is None and plan.negative_ms is not None:
            ttl_ms, stale_ms = plan.negative_ms, 0
        value = self._codec.decode(text)
        if versions is None:
            return LoadResult(value, True)
        if not ttl_ms:
            with suppress(ServerError):
                await caching.release(self._keyspace, self._cache, key, token)
            return LoadResult(value, True)
        ttl_ms = jittered(ttl_ms, self._spec.jitter, random_number())
        entry = NewEntry(key, text, ttl_ms, stale_ms, took_ms, token, plan.tags, versions)
        try:
            answer = await self._entries.write(entry)
        except ServerError as error:
            self._counts.errors += 1
            self._warn("could not store what it loaded", error)
            return LoadResult(value, True)
        if answer == STORED:
            self._warned.clear()
        return LoadResult(value, answer != OUTDATED)

    def _note_failure(self, flight: asyncio.Task[LoadResult[T]]) -> None:
        if not flight.cancelled() and (error := flight.exception()) is not None:
            self._counts.errors += 1
            _log.warning("cache %s could not refresh an entry: %r", self._cache, error)


async def _call(loader: Loader, key: str, threads: ElasticThreads, *, is_nested: bool) -> Any:
    arguments = () if _binds(loader) else (key,)
    if inspect.iscoroutinefunction(loader):
        return await loader(*arguments)
    value = await threads.run(loader, *arguments, is_nested=is_nested)
    # A lambda around an async function is a plain function that returns a coroutine.
    return await value if isinstance(value, Awaitable) else value


def _binds(loader: Loader) -> bool:
    """Say whether the loader can be called without arguments."""
    try:
        inspect.signature(loader).bind()
    except TypeError:
        return False
    except ValueError:
        return True
    return True
