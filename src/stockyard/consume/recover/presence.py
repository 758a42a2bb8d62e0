"""Notes on the server that there is a worker of a release, also while all of its places are taken."""

from __future__ import annotations

from contextlib import suppress

from stockyard._aio.service import Periodic
from stockyard._store.jobs import versioning
from stockyard._store.keyspace import QueueKeyspace
from stockyard.errors import ServerError
from stockyard.topology import QueueSpec

_SECONDS = 15.0
"""Between two notes; a release that is not heard of for a minute has no workers."""


class ReleasePresence:
    """Notes the release and the payload versions of a worker, as it asks for no jobs while it has no free place.

    Args:
        keyspace: the queue.
        spec: it; of one without versions nothing is noted.
    """

    def __init__(self, keyspace: QueueKeyspace, spec: QueueSpec) -> None:
        self._keyspace = keyspace
        self._spec = spec
        self._periodic = Periodic(self.note, _SECONDS, name=f"release of a worker of {keyspace.queue}")

    async def start(self) -> None:
        """Note it now, before the worker is ready, and then in every interval."""
        if self._spec.versions:
            # Where the server does not answer, the first call that takes jobs notes it as well.
            with suppress(ServerError):
                await self.note()
            await self._periodic.start()

    async def stop(self) -> None:
        """End; stopping twice is fine."""
        await self._periodic.stop()

    async def note(self) -> None:
        """Note it once."""
        await versioning.note_worker(self._keyspace, self._spec.defaults.version or 0, self._spec.versions)
