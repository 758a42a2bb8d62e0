"""The kill switch: halts queues and keys, resumes them, lists what is halted and who did it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from stockyard._store import breaking, halting
from stockyard._store.halting import CurrentHalts, HaltsKeyspace
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.server import Server
from stockyard._store.shard_map import ShardMap
from stockyard.errors import ServerError
from stockyard.model.halt import Halt, HaltChange
from stockyard.topology import QueueSpec, Topology


class KillSwitch(msgspec.Struct, frozen=True):
    """What an App has to halt queues.

    Attributes:
        halts: the record of all halts.
        topology: the queues that are halted at once; others follow when a worker of theirs looks.
        server: the server.
        shard_map: gives the shards of a queue.
    """

    halts: HaltsKeyspace
    topology: Topology
    server: Server
    shard_map: Callable[[QueueSpec], ShardMap]

    async def halt(self, asked: Halt) -> Halt:
        """Write a halt, and pause the queues that it holds."""
        halt = await self._dated(asked)
        keyspaces = await self._keyspaces(halt)
        try:
            _, current = await halting.change(self.halts, halt, "halt")
        except ServerError:
            if halt.key is None:
                # The node of the record is away: what can be halted without it is.
                await halting.apply_to_all(keyspaces, CurrentHalts(halt.since, (halt,)))
            raise
        await halting.apply_to_all(keyspaces, current)
        return halt

    async def resume(self, asked: Halt) -> bool:
        """Take a halt away, and close circuit breakers of its queues; say whether there was anything to do."""
        halt = await self._dated(asked)
        keyspaces = await self._keyspaces(halt)
        has_changed, current = await halting.change(self.halts, halt, "resume")
        if halt.key is None:
            opened = await halting.read_breakers(keyspaces)
            names = {each.queues for each in opened}
            for keyspace in keyspaces:
                if keyspace.queue in names:
                    await breaking.close(keyspace, f"closed by {halt.by}: {halt.reason}")
            has_changed = has_changed or bool(opened)
        await halting.apply_to_all(keyspaces, current)
        return has_changed

    async def current(self) -> list[Halt]:
        """Return what is halted, the longest first."""
        found: CurrentHalts = await halting.read(self.halts)
        opened = await halting.read_breakers(await self._shards(self.topology))
        return sorted([*found.halts, *opened], key=lambda each: each.since)

    async def audit(self, count: int) -> list[HaltChange]:
        """Return who halted and resumed what, the latest first."""
        return await halting.read_audit(self.halts, await self._shards(self.topology), count)

    async def _dated(self, halt: Halt) -> Halt:
        await self.server.learn_time()
        return Halt(queues=halt.queues, key=halt.key, reason=halt.reason, by=halt.by, since=self.server.clock())

    async def _keyspaces(self, halt: Halt) -> list[QueueKeyspace]:
        return await self._shards(spec for spec in self.topology if halt.applies_to(spec.name))

    async def _shards(self, specs: Iterable[QueueSpec]) -> list[QueueKeyspace]:
        return [keyspace for spec in specs for keyspace in await self.shard_map(spec).learn()]
