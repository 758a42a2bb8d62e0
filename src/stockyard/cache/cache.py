"""A cache as its users see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from time import monotonic, sleep
from typing import Any, Generic, ParamSpec, TypeVar, overload

from stockyard._aio.portal import Portal
from stockyard._aio.randomness import random_number
from stockyard._store.caches import caching
from stockyard._store.caches.caching import STORED, CacheKeyspace, Found, NewEntry, invalidated_by
from stockyard.blocking import BlockingCache
from stockyard.cache.default_key import DefaultKeys
from stockyard.cache.entries import Entries
from stockyard.cache.freshness import is_due_early, jittered
from stockyard.cache.loads import Loader, Loads, Plan
from stockyard.cache.memo import Memo
from stockyard.cache.near import NearCache, NearEntry
from stockyard.cache.options import CacheSpec, checked_key, checked_tags
from stockyard.cache.stats import CacheStats, Counts
from stockyard.errors import PayloadError, ServerError, ServerRefused
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.fixed import Fixed
from stockyard.model.payload import TypedCodec

T = TypeVar("T")
D = TypeVar("D")
P = ParamSpec("P")


class Cache(Fixed, Generic[T]):
    """Keeps answers under keys for a while, on the server, where all processes share them.

    Made by ``App.cache``; it opens connections at the first call and may be used from several loops. Values are
    JSON on the server and come back as the declared type; one that does not fit it any more is a miss. None is a
    value. What is returned may be shared with others of this process: do not change it.
    """

    def __init__(
        self,
        name: str,
        *,
        spec: CacheSpec,
        keyspace: CacheKeyspace,
        codec: TypedCodec[T],
        entries: Entries,
        loads: Loads[T],
        near: NearCache | None,
        counts: Counts,
        touched: Callable[[Cache[Any]], None],
        portal: Portal,
    ) -> None:
        self.name = name
        self._spec = spec
        self._plan = Plan(spec.ttl_ms)
        self._keyspace = keyspace
        self._codec = codec
        self._entries = entries
        self._loads = loads
        self._near = near
        self._kept = near.kept if near else {}
        self._counts = counts
        self._away_until = 0.0
        self._touched = touched
        self._portal = portal
        self._default_keys = DefaultKeys()
        self._is_made = True

    @property
    def sync(self) -> BlockingCache[T]:
        """This cache for code without a running loop: ``cache.sync.get(...)`` blocks until it is done."""
        view: BlockingCache[T] = self._portal.blocking(self)
        return view

    @property
    def near(self) -> NearCache | None:
        """This process's own copies, or None."""
        return self._near

    @overload
    def peek(self, key: str) -> T | None: ...
    @overload
    def peek(self, key: str, default: D) -> T | D: ...
    def peek(self, key: str, default: Any = None) -> Any:
        """Return this process's own copy of an entry, without asking the server; ``default`` if there is none."""
        kept = self._kept.get(key)
        return default if kept is None or kept.until <= monotonic() else self._copy(kept)

    @overload
    async def get(self, key: str) -> T | None: ...
    @overload
    async def get(self, key: str, default: D) -> T | D: ...
    async def get(self, key: str, default: Any = None) -> Any:
        """Return an entry's value, or ``default`` when there is none in date.

        Raises:
            InvalidOption: the key is no text.
            ServerError: the server did not answer.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.until > monotonic():
            return self._copy(kept)
        found, value = await self._read(key)
        if found is not None and value is not _MISSING and found.fresh_ms > 0:
            self._counts.hits += 1
            return value
        self._counts.misses += 1
        return default

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        """Return the values of those keys that have one, in few round trips; errors are those of ``get``."""
        wanted = tuple(dict.fromkeys(checks.several("keys", keys, of="texts")))
        self._entries.expect_reads(len(wanted))
        values = await asyncio.gather(*(self.get(key, _MISSING) for key in wanted))
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not _MISSING}

    async def set(
        self, key: str, value: T | None, ttl: Duration | None = None, *, tags: Iterable[str] = ()
    ) -> bool:
        """Write an entry; a load of this key that runs anywhere will not overwrite it.

        Args:
            key: non-empty text.
            value: of the declared type, or None for nothing.
            ttl: how long it is in date. Defaults to the cache's own.
            tags: names under which it can be invalidated together with others.

        Returns:
            Whether it was stored; False when there is no room for it, which is counted as an error.

        Raises:
            InvalidOption: a key or a tag is no text, or the ttl is no duration.
            PayloadError: the value is not JSON-able or does not fit the declared type.
            ServerError: the server did not answer.
        """
        entry = self._entry(key, value, self._ttl_ms(ttl), checked_tags(tags))
        self._touched(self)
        try:
            return await self._entries.write(entry) == STORED
        finally:
            self._forget((key,))

    async def set_many(
        self, values: Mapping[str, T | None], ttl: Duration | None = None, *, tags: Iterable[str] = ()
    ) -> int:
        """Write entries in few round trips; return how many were stored. See ``set``."""
        ttl_ms, checked = self._ttl_ms(ttl), checked_tags(tags)
        new = [
            self._entry(key, value, ttl_ms, checked)
            for key, value in checks.by_name("values", values, of="values").items()
        ]
        self._touched(self)
        try:
            answers = await self._entries.write_many(new)
        finally:
            self._forget(values)
        return answers.count(STORED)

    async def get_or_set(
        self,
        key: str,
        loader: Loader,
        ttl: Duration | None = None,
        *,
        stale: Duration | None = None,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
        tags: Iterable[str] = (),
    ) -> T:
        """Return an entry's value; where there is none, one caller of all processes computes it for all.

        Args:
            key: non-empty text.
            loader: ``async def``, or ``def`` that runs in a thread; without arguments, or with the key.
            ttl: how long the value is in date. Defaults to the cache's own.
            stale: for how long after that it is still returned at once, while one refresh runs in the background.
                Defaults to none.
            early: how eagerly it is refreshed in the background before its time, so that nobody waits at its end;
                1 is usual. Defaults to 0, never.
            negative_ttl: how long None is in date, if that is what the loader returns; 0 forgets it. Defaults to
                ``ttl``.
            tags: names under which it can be invalidated; one that is invalidated while the load runs counts.

        Raises:
            InvalidOption: the key is no text, the loader no function, or another argument out of its range.
            What the loader raises, in every caller of this process that waits for it; other processes try
                themselves.
            PayloadError: the value is not JSON-able, does not fit the declared type, or would not come back as it
                was.
            LoadCycle: the loader that runs asks for its own key, itself or by other loads.
            SharedWorkCancelled: the load was cancelled, and this caller was not.

        Without its server, or when that has no room, the cache only shares loads within the process; this is
        counted as an error and not raised. A caller that is cancelled does not end the load that others share.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.until > monotonic():
            return self._copy(kept)
        checked_key(key)
        checks.function("loader", loader)
        if early or early.__class__ is not float:
            checks.number("early", early, least=0)
        is_usual = ttl is stale is negative_ttl is None and tags == ()
        plan = self._plan if is_usual else Plan.of(self._ttl_ms(ttl), stale, negative_ttl, tags)
        self._touched(self)
        while True:
            found, value = await self._read_anyway(key)
            if found is not None and value is not _MISSING and found.fresh_ms > -plan.stale_ms:
                if found.fresh_ms <= 0:
                    self._counts.stale += 1
                    self._loads.refresh(key, loader, plan, found.stamp)
                    return value  # type: ignore[no-any-return]
                self._counts.hits += 1
                if early and is_due_early(found.fresh_ms, found.took_ms, early, 1 - random_number()):
                    self._loads.refresh(key, loader, plan, found.stamp)
                return value  # type: ignore[no-any-return]
            self._counts.misses += 1
            seen, is_away = found.stamp if found else b"", monotonic() < self._away_until
            result = await self._loads.wait(key, loader, plan, seen, is_away=is_away)
            if result.is_current:
                return result.value

    @overload
    def memo(self, function: Callable[P, Any], /) -> Memo[P, T]: ...

    @overload
    def memo(
        self,
        function: None = None,
        /,
        *,
        ttl: Duration | None = None,
        key: Callable[..., str] | None = None,
        tags: Callable[..., Iterable[str]] | Iterable[str] = (),
        stale: Duration | None = None,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
    ) -> Callable[[Callable[P, Any]], Memo[P, T]]: ...

    def memo(
        self,
        function: Any = None,
        /,
        *,
        ttl: Duration | None = None,
        key: Callable[..., str] | None = None,
        tags: Callable[..., Iterable[str]] | Iterable[str] = (),
        stale: Duration | None = None,
        early: float = 0.0,
        negative_ttl: Duration | None = None,
    ) -> Any:
        """Decorate a function so that its answers are remembered.

        Args:
            function: ``async def``, or ``def`` that then runs in a thread; the result is awaited either way.
            key: names an answer by the function's arguments. Defaults to its own name and all arguments, kept
                apart by value and type; of a method the object is one of them.
            tags: of an answer; a list, or a function of the same arguments.
            ttl, stale, early, negative_ttl: as in ``get_or_set``.

        Raises:
            InvalidOption: ``early`` is out of its range, or it is no function; without ``key``: it has no name of
                its own; when called: an argument has no canonical text, as an object without declared fields.

        Example:
            @approvals.memo(ttl="1m", key=lambda account, order: f"{account}/{order}")
            async def approve(account: str, order: str) -> Approval: ...
        """
        checks.number("early", early, least=0)
        if function is not None:
            checks.function("function", function)

        async def ask(name: str, loader: Loader, args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
            found = tags(*args, **kwargs) if callable(tags) else tags
            options: dict[str, Any] = {"stale": stale, "early": early, "negative_ttl": negative_ttl}
            return await self.get_or_set(name, loader, ttl, tags=found, **options)

        def decorate(target: Callable[..., Any]) -> Memo[..., T]:
            return Memo(
                target,
                key=self._default_keys.of(target) if key is None else key,
                ask=ask,
                forget=self.delete,
                sync=lambda call: partial(self._portal.call, call),
            )

        return decorate if function is None else decorate(function)

    async def delete(self, *keys: str) -> int:
        """Delete entries; return how many there were. What is being loaded for them anywhere is not stored.

        Raises:
            ServerError: the server did not answer.
        """
        try:
            return await caching.delete(self._keyspace, self.name, [checked_key(key) for key in keys])
        finally:
            self._forget(keys)

    async def invalidate(self, *tags: str) -> int:
        """Let no entry under these tags hold any more, however many there are; return how many tags were in use.

        Raises:
            ServerError: the server did not answer.
        """
        if not (found := checked_tags(tags)):
            return 0
        try:
            return await caching.invalidate(self._keyspace, self.name, found)
        finally:
            for tag in found if self._near else ():
                self._near.forget_tag(tag)  # type: ignore[union-attr]

    async def clear(self) -> int:
        """Delete every entry and tag of this cache; return how many entries there were.

        What is being loaded anywhere is not stored.
        """
        try:
            return await caching.drop(self._keyspace, self.name)
        finally:
            self._forget(list(self._kept))

    def stats(self) -> CacheStats:
        """Return what this cache did in this process."""
        return self._counts.snapshot()

    async def aclose(self) -> None:
        """Break off this loop's loads."""
        await self._loads.aclose()

    def __repr__(self) -> str:
        return f"<Cache {self.name!r}>"

    def _copy(self, kept: NearEntry) -> T:
        counts = self._counts
        counts.near_hits += 1
        if not counts.near_hits & _BREATH:
            # Who asks without a pause would keep the interpreter from the thread that hears of writes.
            sleep(0)
        return kept.value  # type: ignore[no-any-return]

    async def _read(self, key: str) -> tuple[Found | None, Any]:
        """Return an entry and its value; a value that does not fit the type is missing."""
        near = self._near
        if near is None:
            found = await self._entries.read(checked_key(key))
            return found, _MISSING if found is None else self._decoded(found)
        self._touched(self)
        ticket = near.begin(checked_key(key))
        try:
            found = await self._entries.read(key)
            value = _MISSING if found is None else self._decoded(found)
            if found is not None and value is not _MISSING and found.fresh_ms > 0:
                near.keep(key, ticket, value, tuple(invalidated_by(key, found)), found.fresh_ms / 1000)
        finally:
            near.end(key, ticket)
        return found, value

    async def _read_anyway(self, key: str) -> tuple[Found | None, Any]:
        """The same; nothing where the server does not answer. Whether it is back, one caller finds out for all."""
        if monotonic() >= self._away_until:
            if self._away_until:
                self._away_until = monotonic() + self._keyspace.server.call_timeout
            try:
                answer = await self._read(key)
                self._away_until = 0.0
                return answer
            except ServerRefused:
                self._away_until = 0.0
            except ServerError:
                self._away_until = monotonic() + self._keyspace.server.call_timeout
        self._counts.errors += 1
        return None, _MISSING

    def _decoded(self, found: Found) -> Any:
        try:
            return self._codec.decode(found.value)
        except PayloadError:
            return _MISSING

    def _forget(self, keys: Iterable[str]) -> None:
        if self._near is not None:
            for key in keys:
                self._near.forget(key)

    def _ttl_ms(self, ttl: Duration | None) -> int:
        return self._spec.ttl_ms if ttl is None else checks.positive_ms("ttl", ttl)

    def _entry(self, key: str, value: T | None, ttl_ms: int, tags: tuple[str, ...]) -> NewEntry:
        ttl_ms = jittered(ttl_ms, self._spec.jitter, random_number())
        return NewEntry(checked_key(key), self._codec.encode(value), ttl_ms, tags=tags)


_BREATH = 2**10 - 1
_MISSING: Any = object()
