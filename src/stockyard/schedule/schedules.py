"""The schedules of one queue: make, change, look at and end them."""

from __future__ import annotations

import builtins
import logging
from typing import Unpack

from msgspec import UNSET

from stockyard._aio.portal import Portal
from stockyard._store.jobs import scheduling
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.blocking import BlockingSchedules
from stockyard.errors import InvalidOption, ScheduleConflict
from stockyard.model import checks
from stockyard.model.fixed import Fixed
from stockyard.model.payload import encode_payload
from stockyard.model.schedule import Schedule, Timing
from stockyard.topology import QueueSpec
from stockyard.topology.admission import check_job
from stockyard.topology.schedule_declaration import ScheduleDeclaration, ScheduleOptions

_log = logging.getLogger(__name__)
_TIMES_TRIED = 4
"""Times of a pattern of which one must be free for its next run."""


class Schedules(Fixed):
    """Makes, changes and removes the schedules of one queue; made by ``App.schedules``.

    The next run of a schedule is a job of its own, made by whichever worker starts the run before it, on Node
    or here. Times that pass while no worker is there come once, late, unless ``misfire`` says otherwise.

    Example:
        schedules = app.schedules("execution:reconciliation")
        await schedules.upsert("sync", every="5s", name="reconcile")
        await schedules.upsert("report", cron="0 18 * * MON-FRI", tz="America/New_York", overlap="skip")
    """

    def __init__(self, spec: QueueSpec, *, keyspace: QueueKeyspace, portal: Portal) -> None:
        self.queue: str = spec.name
        self._spec = spec
        self._keyspace = keyspace
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> BlockingSchedules:
        """These schedules for code without a running loop: ``schedules.sync.list()`` blocks until it is done."""
        view: BlockingSchedules = self._portal.blocking(self, needs_loop=())
        return view

    async def upsert(self, schedule_id: str, /, **options: Unpack[ScheduleOptions]) -> Schedule:
        """Make a schedule, or change the one of that id; with the same options again it changes nothing.

        Args:
            schedule_id: its name in this queue.
            options: when it runs, and what: see ``ScheduleOptions``. Of the options of ``add`` it takes those that
                are not of one job alone; what is left out takes the queue's default.

        ``misfire`` and ``overlap`` are Stockyard's own: workers on Node run once and allow, and a program on Node
        that changes the schedule resets them to that.

        Raises:
            InvalidOption: an option is not known or out of its range, or the schedule has no run to come.
            PayloadError: the payload is not JSON-able, or does not fit the handler's declared type.
            HandlerError: the queue declares handlers, and none of that name.
            ScheduleConflict: the ids of its next runs belong to jobs that cannot be replaced now.
        """
        return await self._upsert(ScheduleDeclaration.of(schedule_id, options))

    async def upsert_declared(self) -> tuple[Schedule, ...]:
        """Make or change the schedules that the queue declares; workers do so when they start.

        One that has come to its end, or whose next runs are taken, is left as it is, with a line in the log.

        Raises:
            PayloadError, HandlerError: the queue's handlers do not take one of them.
            ServerError: the server did not answer.
        """
        made: builtins.list[Schedule] = []
        for each in self._spec.schedules:
            try:
                made.append(await self._upsert(each))
            except (ScheduleConflict, InvalidOption) as error:
                _log.warning("queue %s: %s", self.queue, error, extra={"queue": self.queue})
        return tuple(made)

    async def list(self, first: int = 0, last: int = -1) -> tuple[Schedule, ...]:
        """Return the schedules at positions ``first`` to ``last`` inclusive, the next to run first.

        Repeatable jobs of BullMQ 5 are among them, and nothing is changed by looking.

        Raises:
            InvalidOption: a position is no whole number.
        """
        places = checks.place("first", first), checks.place("last", last)
        return tuple(await scheduling.read_page(self._keyspace, *places))

    async def get(self, schedule_id: str, /) -> Schedule | None:
        """Return one schedule, or None."""
        return await scheduling.read_one(self._keyspace, schedule_id)

    async def count(self) -> int:
        """Return how many schedules there are."""
        return await scheduling.count(self._keyspace)

    async def remove(self, schedule_id: str, /) -> bool:
        """End a schedule, with its next run unless that waits or runs already; return whether there was one."""
        return await scheduling.remove(self._keyspace, schedule_id)

    async def upcoming(self, schedule_id: str, count: int = 5, /) -> tuple[int, ...]:
        """Return the times of a schedule's next runs, at most so many, in ms since the epoch.

        Raises:
            InvalidOption: its record holds a pattern that cannot be read.
        """
        found = await self.get(schedule_id)
        return () if found is None else found.upcoming(count)

    async def _upsert(self, wanted: ScheduleDeclaration) -> Schedule:
        text = (
            "{}"
            if wanted.data is UNSET
            else encode_payload(wanted.data, what="the payload of schedule", of=wanted.id).decode()
        )
        check_job(self._spec, wanted.job_name, wanted.data, text, check=wanted.check)
        options = self._spec.defaults.merged(**wanted.options)
        self._spec.check_use(options)
        await self._keyspace.learn_time()
        new = scheduling.NewSchedule(
            wanted.id,
            wanted.job_name,
            text,
            options,
            wanted.timing,
            wanted.misfire,
            wanted.overlap,
            self._next_dues(wanted.timing, immediately=wanted.immediately),
        )
        answer = await scheduling.upsert(self._keyspace, new)
        if isinstance(answer, scheduling.SlotTaken):
            raise ScheduleConflict(wanted.id, _why_not(wanted.id, self.queue, answer))
        if isinstance(answer, int):
            why = wanted.timing.why_never(self._keyspace.clock())
            raise InvalidOption(f"schedule {wanted.id!r} would never run: {why}")
        return answer

    def _next_dues(self, timing: Timing, *, immediately: bool) -> tuple[int, ...]:
        """Return the next times of a pattern: several, because a run may have been promoted before its time."""
        if timing.cron is None:
            return ()
        now = self._keyspace.clock()
        dues: list[int] = []
        if immediately and (timing.end is None or timing.end >= now):
            dues.append(now)
        due = timing.cron_after(now)
        while due is not None and len(dues) < _TIMES_TRIED:
            dues.append(due)
            due = timing.cron_after(due)
        return tuple(dues)


def _why_not(identity: str, queue: str, taken: scheduling.SlotTaken) -> str:
    what = "33 of its next runs exist" if taken.code == ReplyCode.SLOTS_TAKEN else "its next runs exist"
    return (
        f"schedule {identity!r} of queue {queue!r} was not changed: {what} as jobs that are running or finished, "
        f"{taken.job_id!r} among them; change it after the next run, or remove those jobs"
    )
