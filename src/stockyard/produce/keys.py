"""The keys of a queue's jobs: which have jobs, which are parked, and how those go on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from stockyard._aio.portal import Portal
from stockyard._store.jobs import keyed
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.blocking import BlockingKeys
from stockyard.errors import InvalidOption, JobNotFound, QueueStateError
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.model.job import JobPort
from stockyard.model.key_order import KeyInfo, KeyOrder, KeyState
from stockyard.produce.job_port import expired_error
from stockyard.topology import QueueSpec

_MOST = 10_000


class Keys(Fixed):
    """The keys of one queue; ``Queue.keys``.

    A parked key is one whose job failed for good: its next jobs wait until one of ``resume``, ``skip`` and
    ``replay`` lets them go on. Each of these raises ``QueueStateError`` for a key that is not parked, and
    ``InvalidOption`` for a queue whose jobs of one key are like any others.
    """

    def __init__(self, spec: QueueSpec, *, keyspace: QueueKeyspace, jobs: JobPort, portal: Portal) -> None:
        self._queue: str = spec.name
        self._order = spec.key_order
        self._keyspace = keyspace
        self._jobs = jobs
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> BlockingKeys:
        """These keys for code without a running loop."""
        view: BlockingKeys = self._portal.blocking(self, needs_loop=())
        return view

    async def list(self, state: str | None = None, *, count: int = 100) -> Sequence[KeyInfo]:
        """Return the keys that have jobs, the parked ones first, then those with the longest lines.

        Args:
            state: a ``KeyState`` or its text, for the keys in it alone. Defaults to all.
            count: how many at most. Defaults to 100.

        Raises:
            InvalidOption: there is no such state, or the count is no whole number from 1 to 10,000.
        """
        if state is not None:
            checks.one_of("state", state, list(KeyState))
        checks.whole("count", count, least=1, most=_MOST)
        await self._keyspace.learn_time()
        # Those that are parked have a place of their own; of the others all are looked at, up to a bound.
        parked = await keyed.read_keys(self._keyspace, state=KeyState.PARKED, most=count)
        if state == KeyState.PARKED:
            return parked
        if state is not None:
            found: Sequence[KeyInfo] = [each for each in await self._some(_MOST) if each.state == state]
        else:
            found = parked if len(parked) >= count else await self._with_longest(parked, count)
        return sorted(found, key=lambda each: (not _is_parked(each), -each.length, each.key))[:count]

    async def _with_longest(self, parked: Sequence[KeyInfo], count: int) -> Sequence[KeyInfo]:
        """Return the parked keys, those with the longest lines, and, where these are few, some without a line."""
        # Where a key is costs five times what its length does: of most keys the length alone is asked for.
        longest = await keyed.read_longest(self._keyspace, count + len(parked), looked_at=_MOST)
        found = {each.head: each for each in (*longest, *parked)}
        if len(found) < count:
            found |= {each.head: each for each in await self._some(count + len(found))}
        return [*found.values()]

    async def _some(self, most: int) -> Sequence[KeyInfo]:
        return await keyed.read_keys(self._keyspace, state="", most=most)

    async def get(self, key: str) -> KeyInfo | None:
        """Return one key, or None where it has no job; of several jobs at a time, the first says how it is.

        Raises:
            InvalidOption: the key is no text.
        """
        heads, _ = await self._look(key, 1)
        return next(iter(heads), None)

    async def waiting(self, key: str, *, count: int = 100) -> Sequence[str]:
        """Return the ids of the jobs in the line of a key, the next one first.

        Args:
            key: the key.
            count: how many at most. Defaults to 100.

        Raises:
            InvalidOption: the key is no text, or the count is no whole number from 1 to 10,000.
        """
        _, waiting = await self._look(key, checks.whole("count", count, least=1, most=_MOST))
        return waiting

    async def resume(self, key: str) -> str:
        """Let a parked key go on with its next job; return the id of the failed one, which stays failed."""
        order = self._declared()
        await self._keyspace.learn_time()
        job_id = await keyed.resume(self._keyspace, order, checks.text("key", key))
        if job_id is None:
            raise self._not_parked(key)
        return job_id

    async def skip(self, key: str) -> str:
        """Remove the failed job of a parked key, and let the key go on with the next; return the removed id.

        Raises:
            JobLocked: a worker runs a job below the failed one; the key goes on all the same.
        """
        job_id = await self.resume(key)
        # Its record may have been removed before: by its age, or by hand.
        with contextlib.suppress(JobNotFound):
            await self._jobs.remove(job_id)
        return job_id

    async def replay(self, key: str) -> str:
        """Run the failed job of a parked key again, with all of its attempts, before the next; return its id.

        Raises:
            JobNotFound: its record was removed: ``resume`` the key.
            JobStateError: it has expired, so that a worker would drop it: ``resume`` or ``skip`` the key, which
                stays parked.
        """
        self._declared()
        await self._keyspace.learn_time()
        code, job_id = await keyed.replay(self._keyspace, checks.text("key", key))
        if code == ReplyCode.WRONG_STATE:
            raise self._not_parked(key)
        if code == ReplyCode.JOB_EXPIRED:
            remedy = f"key {key!r} stays parked: resume or skip it, and add a new job if it is still wanted"
            raise expired_error(self._queue, job_id, await self._jobs.get_job(job_id), remedy=remedy)
        if code == ReplyCode.JOB_MISSING:
            raise JobNotFound(
                key, f"the failed job of key {key!r} of queue {self._queue!r} was removed: resume the key"
            )
        return job_id

    async def _look(self, key: str, most: int) -> tuple[Sequence[KeyInfo], Sequence[str]]:
        await self._keyspace.learn_time()
        return await keyed.look(self._keyspace, checks.text("key", key), most=most)

    def _declared(self) -> KeyOrder:
        if self._order is None:
            raise InvalidOption(
                f"queue {self._queue!r} declares nothing of keys: declare it with ordered=True to have jobs of a "
                "key in order"
            )
        return self._order

    def _not_parked(self, key: str) -> QueueStateError:
        return QueueStateError(self._queue, f"key {key!r} of queue {self._queue!r} is not parked")


def _is_parked(key: KeyInfo) -> bool:
    return key.state is KeyState.PARKED
