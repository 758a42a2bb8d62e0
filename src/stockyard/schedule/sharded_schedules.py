"""The schedules of a queue with shards: each is in one of them, with all of its runs."""

from __future__ import annotations

import builtins
from collections.abc import Callable

from stockyard._aio.portal import Portal
from stockyard._aio.together import of_each
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.shard_map import ShardMap
from stockyard.model import checks
from stockyard.model.schedule import Schedule
from stockyard.model.sharding import part_of
from stockyard.schedule.schedules import Schedules
from stockyard.topology import QueueSpec
from stockyard.topology.schedule_declaration import ScheduleDeclaration


class ShardedSchedules(Schedules):
    """The schedules of one queue with shards.

    Args:
        spec: the queue.
        shard_map: its shards.
        make: gives the schedules of one shard.
        portal: for callers without a loop.
    """

    def __init__(
        self,
        spec: QueueSpec,
        *,
        shard_map: ShardMap,
        make: Callable[[QueueKeyspace], Schedules],
        portal: Portal,
    ) -> None:
        self.queue: str = spec.name
        self._spec = spec
        self._map = shard_map
        self._make = make
        self._portal = portal
        self._is_made = True

    async def list(self, first: int = 0, last: int = -1) -> tuple[Schedule, ...]:
        """Return the schedules at positions ``first`` to ``last`` inclusive, the next to run first.

        Raises:
            InvalidOption: a position is no whole number.
        """
        start, end = checks.place("first", first), checks.place("last", last)
        found = await of_each(await self._all(), lambda shard: shard.list())
        schedules = sorted((each for shard in found for each in shard), key=lambda each: each.next_run)
        return tuple(schedules[start : end + 1 or None])

    async def get(self, schedule_id: str, /) -> Schedule | None:
        """Return one schedule, or None."""
        found = await of_each(await self._all(), lambda shard: shard.get(schedule_id))
        return next((each for each in found if each is not None), None)

    async def count(self) -> int:
        """Return how many schedules there are."""
        return sum(await of_each(await self._all(), lambda shard: shard.count()))

    async def remove(self, schedule_id: str, /) -> bool:
        """End a schedule, with its next run unless that waits or runs already; return whether there was one."""
        return any(await of_each(await self._all(), lambda shard: shard.remove(schedule_id)))

    async def _upsert(self, wanted: ScheduleDeclaration) -> Schedule:
        declared = self._map.declared
        home = declared[part_of(wanted.id, len(declared))]
        schedule = await self._make(home)._upsert(wanted)
        # With another number of shards it was in another one, and would go on there beside this.
        others = [each for each in await self._map.learn() if each.shard_queue != home.shard_queue]
        await of_each(others, lambda each: self._make(each).remove(wanted.id))
        return schedule

    async def _all(self) -> builtins.list[Schedules]:
        return builtins.list(map(self._make, await self._map.learn()))
