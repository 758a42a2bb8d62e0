"""What operators do to a queue with shards: it is done to each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stockyard._aio.together import of_each
from stockyard._store.jobs.managing import EventLimits
from stockyard._store.snapshots import Canary
from stockyard.errors import InvalidOption, QueueStateError
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.job import JobState
from stockyard.produce.admin import QueueAdmin
from stockyard.produce.over_shards import OverShards
from stockyard.topology import Rate


class ShardedAdmin(OverShards, QueueAdmin):
    """The administration of a queue with shards.

    Where several shards are changed, one after the other may be: what breaks off in between is done in part, and
    is done to the end by doing it again.
    """

    async def pause(self) -> None:
        """Let no job start, on any worker, until ``resume``; jobs that run go on, adding too."""
        await of_each(await self._all(), lambda shard: shard.pause())

    async def resume(self) -> None:
        """Let jobs start again; what a BullMQ 5 set aside when it paused a shard waits again first."""
        await of_each(await self._all(), lambda shard: shard.resume())

    async def set_concurrency(self, limit: int | None) -> bool:
        """Take the bound off that BullMQ set, and say whether there was one; a queue with shards cannot have one.

        Raises:
            InvalidOption: a limit is given: each shard would count its own jobs.
        """
        if limit is not None:
            raise self._no_limit("a concurrency over all workers")
        return any(await of_each(await self._all(), lambda shard: shard.set_concurrency(None)))

    async def set_rate(self, rate: Rate | str | None) -> bool:
        """Take the bound off that BullMQ set, and say whether there was one; a queue with shards cannot have one.

        Raises:
            InvalidOption: a rate is given: each shard would count its own jobs.
        """
        if rate is not None:
            raise self._no_limit("a rate over all workers")
        return any(await of_each(await self._all(), lambda shard: shard.set_rate(None)))

    async def rate_limit(self, duration: Duration) -> None:
        """Let no job start for so long, in any shard; see ``Queue.rate_limit``."""
        await of_each(await self._all(), lambda shard: shard.rate_limit(duration))

    async def clear_rate_limit(self) -> bool:
        """End what ``rate_limit`` began; say whether there was anything."""
        return any(await of_each(await self._all(), lambda shard: shard.clear_rate_limit()))

    async def set_canary(self, version: int, share: float) -> Canary | None:
        """Refuse; a queue with shards has no payload versions.

        Raises:
            InvalidOption: always.
        """
        raise InvalidOption(f"queue {self.name!r} has shards, and such queues have no payload versions")

    async def clear_canary(self) -> Canary | None:
        """Do nothing: a queue with shards has no payload versions."""
        return None

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove the jobs that wait, and return how many; see ``Queue.drain``."""
        return sum(await of_each(await self._all(), lambda shard: shard.drain(delayed=delayed)))

    async def clean(self, state: JobState | str, *, older_than: Duration = 0, limit: int = 0) -> list[str]:
        """Remove jobs of one state, the oldest of each shard first; return their ids. See ``Queue.clean``.

        Args:
            state, older_than: as there.
            limit: how many at most, shard after shard. Defaults to 0, no limit.
        """
        checks.whole("limit", limit)
        removed: list[str] = []
        for shard in await self._all():
            removed += await shard.clean(state, older_than=older_than, limit=limit and limit - len(removed))
            if limit and len(removed) >= limit:
                break
        return removed

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the queue with everything of it, shard after shard; see ``Queue.obliterate``."""
        checks.flag("force", force)
        if not force:
            await self._refuse_active("let them end, or obliterate it with force=True")
            await self.pause()
            await self._refuse_active("some began meanwhile. It is paused now: obliterate it again")
        for shard in await self._all():
            await shard.obliterate(force=force)

    async def retry_all(
        self, state: JobState | str = JobState.FAILED, *, limit: int | None = None, before: datetime | None = None
    ) -> int:
        """Put finished jobs back to wait, the oldest of each shard first; see ``Queue.retry_all``.

        Args:
            state, before: as there.
            limit: how many at most, shard after shard. Defaults to None, all.
        """
        if limit is not None:
            checks.whole("limit", limit, hint="None is all of them")
        again = 0
        for shard in await self._all():
            left = None if limit is None else limit - again
            again += await shard.retry_all(state, limit=left, before=before)
        return again

    async def promote_all(self) -> int:
        """Let the jobs that are delayed run now, by their own priority; return how many."""
        return sum(await of_each(await self._all(), lambda shard: shard.promote_all()))

    async def release_deduplication(self, dedup_id: str, *, owner: str | None = None) -> bool:
        """Free a deduplication id, so that the next job under it is added; see ``Queue.release_deduplication``."""
        shards = await self._all()
        return any(await of_each(shards, lambda shard: shard.release_deduplication(dedup_id, owner=owner)))

    async def trim_events(self, length: int) -> int:
        """Cut the event stream of each shard to about its last ``length`` entries; return how many went."""
        return sum(await of_each(await self._all(), lambda shard: shard.trim_events(length)))

    async def set_event_limits(self, *, entries: int | None = None, size: int | None = None) -> bool:
        """Bound the event stream of each shard; see ``Queue.set_event_limits``."""
        shards = await self._all()
        return any(await of_each(shards, lambda shard: shard.set_event_limits(entries=entries, size=size)))

    async def event_limits(self) -> EventLimits:
        """Return how much the event stream of the first shard keeps; ``set_event_limits`` sets all alike."""
        return await self._declared[0].event_limits()

    async def publish_event(self, name: str, fields: Mapping[str, str | int | float] | None = None) -> str:
        """Put an event of your own into the stream of the first shard; see ``Queue.publish_event``."""
        return await self._declared[0].publish_event(name, fields)

    async def _refuse_active(self, what_to_do: str) -> None:
        if any(await of_each(await self._all(), lambda shard: shard.count(JobState.ACTIVE))):
            raise QueueStateError(self.name, f"queue {self.name!r} has running jobs: {what_to_do}")

    def _no_limit(self, what: str) -> InvalidOption:
        return InvalidOption(
            f"queue {self.name!r} has {len(self._declared)} shards, and each would count its own jobs, so {what} "
            "is not possible; the concurrency of a worker holds over all shards"
        )
