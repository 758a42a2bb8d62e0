"""Queues of one operation alone, as the user of a role sees them, and as the admin does who prepares them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, get_args

from stockyard import App, Job, Topology
from stockyard._store.net.server_at import server_at
from stockyard.model.family import ChildKind
from tests.support.waiting import eventually

LOCK_SECONDS = 0.4


class Stage:
    """Queues of one operation alone, as the role's user sees them and as the admin does, who prepares them.

    Args:
        user, admin: URLs of the server with their logins.
        name: of the queue.

    Attributes:
        naming: how its keys are spelled.
    """

    def __init__(self, user: str, admin: str, name: str) -> None:
        self.topology = Topology("roles")
        self.topology.queue(name, lock=f"{LOCK_SECONDS}s", remove_on_complete=5, remove_on_fail=5)
        self.topology.queue(f"{name}-limited", rate="1/10s", lock=f"{LOCK_SECONDS}s")
        self.topology.queue(f"{name}-ticks", coalesce="latest", max_length=2, lock=f"{LOCK_SECONDS}s")
        self.topology.queue(f"{name}-news", max_length=2, on_full="drop_oldest", expires_in="1ms")
        self.topology.queue(f"{name}-keys", ordered=True, on_poison="park", attempts=1, lock=f"{LOCK_SECONDS}s")
        self.name = name
        self.app = App(self.topology, user, prefix="bull")
        self.admin = App(self.topology, admin, prefix="bull")
        self.naming = self.app.settings.naming(self.topology.slots)
        self.queue = self.app.queue(name)
        self.prepared = self.admin.queue(name)
        self.ran = 0

    @contextlib.asynccontextmanager
    async def works(self, queue: str = "", *, app: App | None = None, **options: Any) -> AsyncIterator[None]:
        """A worker runs, the user's unless told otherwise."""
        worker = (app or self.app).worker(
            queue or self.name, self._handle, handle_signals=False, drain_delay=0.05, **options
        )
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            await worker.stop(grace=1)
            await running

    def admin_works(self) -> contextlib.AbstractAsyncContextManager[None]:
        """The admin's worker runs."""
        return self.works(app=self.admin)

    async def ends(self, job: Job[Any], state: str = "completed", *, queue: str = "") -> None:
        """Wait, as the admin, until a job is in a state."""
        stored = await self.admin.queue(queue or self.name).get_job(job.id)
        assert stored is not None

        async def is_there() -> bool:
            return await stored.state() == state

        await eventually(is_there, within=60)

    async def at_the_server(self, *command: str) -> None:
        """Run a command as the admin; one without a key, on every primary."""
        server = server_at(self.admin.settings.address)
        for each in await server.primaries() if command[0] == "SCRIPT" else [server]:
            await each.call(*command)
        await server.aclose()

    async def aclose(self) -> None:
        await self.app.aclose()
        await self.admin.aclose()

    async def _handle(self, job: Job[Any]) -> Any:
        self.ran += 1
        handler = getattr(self, f"_{job.name}", None)
        return await handler(job) if handler else job.data

    async def _bad(self, job: Job[Any]) -> None:
        raise ValueError("bad")

    async def _lost(self, job: Job[Any]) -> None:
        async with job.effect(job.id, max_duration="1s"):
            raise ConnectionError("no answer")

    async def _flaky(self, job: Job[Any]) -> None:
        if job.attempts_made == 0:
            raise ValueError("flaky")

    async def _slow(self, job: Job[Any]) -> None:
        await asyncio.sleep(0.75 * LOCK_SECONDS)

    async def _busy(self, job: Job[Any]) -> None:
        await job.update_progress(50)
        for line in "abc":
            await job.log(line)
        await job.logs()
        await job.clear_logs(1)
        await job.clear_logs()
        await job.update_data({"more": 1})
        await job.state()

    async def _delayed(self, job: Job[Any]) -> None:
        if job.attempts_started == 1:
            await job.move_to_delayed("20ms")

    async def _again(self, job: Job[Any]) -> None:
        if job.attempts_started == 1:
            await job.move_to_wait()

    async def _limited(self, job: Job[Any]) -> None:
        if job.attempts_started == 1:
            await job.rate_limit("20ms")

    async def _parent(self, job: Job[Any]) -> None:
        if job.attempts_started == 1:
            await self.queue.add("fine", parent=job)
            await self.queue.add("bad", parent=job, on_failure="continue_parent")
            await self.queue.add("stray", parent=job, delay="1h")
            (stray,) = await self.queue.get_jobs("delayed")
            await stray.detach_from_parent()
            await job.wait_for_children()
        await job.children_values()
        await job.ignored_failures()
        await job.failed_children()
        await job.children_counts()
        for kind in get_args(ChildKind):
            await job.children(kind)
