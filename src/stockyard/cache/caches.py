"""All caches of one App: their server, their budget, their locks, and the thread behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stockyard._aio.elastic_threads import ElasticThreads
from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._store.caches import caching
from stockyard._store.caches.caching import CacheKeyspace
from stockyard._store.net.server_at import server_at
from stockyard.blocking import BlockingCaches
from stockyard.cache.background import Background
from stockyard.cache.budget import Budget
from stockyard.cache.cache import Cache
from stockyard.cache.entries import Entries
from stockyard.cache.loads import Loads
from stockyard.cache.locks import Locks
from stockyard.cache.near import NearCache
from stockyard.cache.options import CacheOptions, CacheSpec
from stockyard.cache.stats import CacheStats, CacheUsage, Counts
from stockyard.cache.tracker import track
from stockyard.cache.uses import Uses
from stockyard.config import Address
from stockyard.errors import InvalidOption
from stockyard.leases.keeper import LeaseKeeper
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.model.naming import Naming
from stockyard.model.payload import TypedCodec

_WITHOUT_END = 2**53


@dataclass(frozen=True, slots=True)
class _Declared:
    cache: Cache[Any]
    type: Any
    options: CacheOptions


class Caches(Fixed):
    """The caches of one App.

    Args:
        address: of the server that holds them.
        naming: how keys are spelled.
        call_timeout: seconds of a call.
        budget: bytes for all of them; None for a quarter of the server's memory.
        is_bounded: False for a server of their own, which evicts by itself.
        portal: runs blocking calls.
    """

    def __init__(
        self,
        address: Address,
        *,
        naming: Naming,
        call_timeout: float,
        budget: int | None,
        is_bounded: bool,
        portal: Portal,
    ) -> None:
        self._server = server_at(address, call_timeout=call_timeout)
        self._keyspace = CacheKeyspace(self._server, naming)
        self._budget = Budget(self._keyspace, budget, is_bounded=is_bounded)
        self._uses = PerLoop(lambda: Uses(self._keyspace))
        self._background = Background()
        self._locks = Locks(lambda: LeaseKeeper(address, naming=naming), self._background)
        # Of each loop: a forked child has loops of its own, but no thread of its parent.
        self._threads = PerLoop(ElasticThreads)
        self._portal = portal
        self._declared: dict[str, _Declared] = {}
        self._is_made = True

    def cache(self, name: str, declared: Any, options: CacheOptions) -> Cache[Any]:
        """Return a cache; asked again, the same.

        Raises:
            InvalidOption: the name or an option is wrong, or it was declared otherwise before.
            PayloadError: the type cannot be read from JSON.
        """
        known = self._declared.get(name)
        if known is None:
            made = _Declared(self._make(name, declared, options), declared, options)
            # One step: another thread may have declared it meanwhile.
            known = self._declared.setdefault(name, made)
        if (declared is not Any and declared != known.type) or (options and options != known.options):
            raise InvalidOption(
                f"cache {name!r} was declared before with type {known.type!r} and {dict(known.options)!r}; "
                "ask for it by its name alone, or say the same"
            )
        return known.cache

    @property
    def sync(self) -> BlockingCaches:
        """The same for code without a running loop: ``app.caches.sync.usage()`` blocks until it is done."""
        view: BlockingCaches = self._portal.blocking(self)
        return view

    def stats(self) -> dict[str, CacheStats]:
        """Return what each cache did in this process, by name."""
        return {name: each.cache.stats() for name, each in self._declared.items()}

    async def names(self) -> list[str]:
        """Return the caches of this prefix that hold entries of any process; it looks through all keys."""
        return await caching.names(self._keyspace)

    async def usage(self) -> list[CacheUsage]:
        """Return what each cache of this prefix holds on the server, from all processes; expired entries are out.

        Empty on a server of its own, which keeps no account.
        """
        if not self._budget.is_bounded:
            return []
        totals = await caching.evict_to(self._keyspace, _WITHOUT_END)
        return [
            CacheUsage(name, entries=each.entries, bytes=each.bytes, evictions=each.evictions)
            for name, each in totals.items()
        ]

    async def budget(self) -> int | None:
        """Return how many bytes they may take together now; None on a server that evicts by itself."""
        return await self._budget.bytes() if self._budget.is_bounded else None

    async def aclose(self) -> None:
        """Close what this loop opened; loads that run are broken off."""
        for each in self._declared.values():
            await each.cache.aclose()
        if (uses := self._uses.pop()) is not None:
            await uses.aclose()
        await self._server.aclose()

    def close(self) -> None:
        """End the thread behind the caches."""
        self._background.close(self._close_behind)

    async def _close_behind(self) -> None:
        await self._locks.close()
        await self._server.aclose()

    def _make(self, name: str, declared: Any, options: CacheOptions) -> Cache[Any]:
        spec = CacheSpec.of(options)
        checks.name("a cache's name", name)
        counts = Counts()
        codec: TypedCodec[Any] = TypedCodec(declared, what="a value of cache", of=name, none_is_empty=True)
        entries = Entries(self._keyspace, name, budget=self._budget, uses=self._uses, counts=counts)
        loads = Loads(
            self._keyspace,
            name,
            spec=spec,
            entries=entries,
            codec=codec,
            locks=self._locks,
            budget=self._budget,
            counts=counts,
            threads=self._threads,
        )
        near = NearCache(spec.near_ms / 1000, spec.near_entries) if spec.near_ms else None
        return Cache(
            name,
            spec=spec,
            keyspace=self._keyspace,
            codec=codec,
            entries=entries,
            loads=loads,
            near=near,
            counts=counts,
            touched=self._serve,
            portal=self._portal,
        )

    def _serve(self, cache: Cache[Any]) -> None:
        """A cache is used: what it needs behind it runs from now on."""
        if self._budget.is_bounded:
            self._background.start("memory", self._budget.watch)
        near = cache.near
        if near is not None:
            self._background.start(f"copies of {cache.name}", lambda: track(self._keyspace, cache.name, near))
