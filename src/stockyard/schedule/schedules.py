"""The schedules of one queue: make, change, look at and end them."""

from __future__ import annotations

import builtins
import logging
from typing import Any, Unpack

from msgspec import UNSET

from stockyard._aio.portal import Portal
from stockyard._store import scheduling
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard.errors import InvalidOption, ScheduleConflict
from stockyard.model.duration import Duration
from stockyard.model.fixed import Fixed
from stockyard.model.moment import Moment
from stockyard.model.options import AddOptions
from stockyard.model.payload import encode_payload
from stockyard.model.schedule import (
    Misfire,
    Overlap,
    Schedule,
    Timing,
    checked_policies,
    checked_schedule_id,
    checked_timing,
)
from stockyard.model.text import is_text
from stockyard.topology import QueueSpec
from stockyard.topology.admission import check_job
from stockyard.topology.schedule_declaration import check_arguments

_log = logging.getLogger(__name__)
_TIMES_TRIED = 4
"""Times of a pattern of which one must be free for its next run."""


class Schedules(Fixed):
    """The schedules of one queue; made by ``App.schedules``.

    The next run of a schedule is a job of its own, made by whichever worker starts the run before it, on Node
    or here. Times that pass while no worker is there come once, late, unless ``misfire`` says otherwise.

    Example:
        schedules = app.schedules("execution:reconciliation")
        await schedules.upsert("sync", every="5s", name="reconcile")
        await schedules.upsert("report", cron="0 18 * * MON-FRI", tz="America/New_York", overlap="skip")
    """

    def __init__(self, spec: QueueSpec, *, keyspace: QueueKeyspace, portal: Portal) -> None:
        self.queue = spec.name
        self._spec = spec
        self._keyspace = keyspace
        self._portal = portal
        self._is_made = True

    @property
    def sync(self) -> Any:
        """These schedules for code without a running loop: ``schedules.sync.list()`` blocks until it is done."""
        return self._portal.blocking(self, needs_loop=())

    async def upsert(
        self,
        schedule_id: str,
        /,
        *,
        every: Duration | None = None,
        cron: str | None = None,
        tz: str | None = None,
        offset: Duration | None = None,
        limit: int | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        immediately: bool = False,
        misfire: Misfire = "run_once",
        overlap: Overlap = "allow",
        name: str | None = None,
        data: Any = UNSET,
        check: bool | None = None,
        **options: Unpack[AddOptions],
    ) -> Schedule:
        """Make a schedule, or change the one of that id; with the same arguments again it changes nothing.

        Args:
            schedule_id: its name in this queue.
            every: time between two runs; the first comes at once unless ``offset`` or ``start`` say otherwise.
            cron: pattern with 5 fields, or 6 with seconds in front, instead of ``every``.
            tz: IANA zone of the pattern. Defaults to the zone of the machine that reads it, as on Node: name it.
            offset: how far runs lie behind the multiples of ``every``; 0 is on them. Defaults to where the first
                run falls.
            limit: runs in all, over every change and restart. Defaults to no limit.
            start, end: no run before and none after: datetimes with a zone, or ms since the epoch.
            immediately: make the first run of a pattern now. Defaults to False.
            misfire: what becomes of runs that were missed: ``"run_once"`` makes one of them late, ``"skip"`` makes
                none, ``"run_all"`` makes up for all, one after the other. Defaults to ``"run_once"``.
            overlap: ``"skip"`` lets a run end at once while an earlier one goes on. Defaults to ``"allow"``.
            name: chooses the handler. Defaults to the schedule's id.
            data: payload of every run; None is ``null``. Defaults to an empty object.
            check: refuse a name or a payload that the queue's declared handlers do not take, as ``Queue.add``
                does. Defaults to what the queue declares.
            options: those of ``add`` that are not of one job alone; what is left out takes the queue's default.

        ``misfire`` and ``overlap`` are Stockyard's own: workers on Node run once and allow, and a program on Node
        that changes the schedule resets them to that.

        Raises:
            InvalidOption: an argument is out of its range, or the schedule has no run to come.
            PayloadError: the payload is not JSON-able, or does not fit the handler's declared type.
            HandlerError: the queue declares handlers, and none of that name.
            ScheduleConflict: the ids of its next runs belong to jobs that cannot be replaced now.
        """
        identity = checked_schedule_id(schedule_id)
        check_arguments(identity, options)
        timing = checked_timing(
            every=every,
            cron=cron,
            tz=tz,
            offset=offset,
            limit=limit,
            start=start,
            end=end,
            immediately=immediately,
        )
        policies = checked_policies(misfire, overlap)
        if name is not None and not is_text(name):
            raise InvalidOption(f"a job's name must be non-empty text; got {name!r}")
        text = (
            "{}" if data is UNSET else encode_payload(data, what="the payload of schedule", of=identity).decode()
        )
        check_job(self._spec, name or identity, data, text, check=check)
        await self._keyspace.learn_time()
        new = scheduling.NewSchedule(
            identity,
            name or identity,
            text,
            self._spec.defaults.merged(**options),
            timing,
            *policies,
            self._next_dues(timing, immediately=immediately),
        )
        answer = await scheduling.upsert(self._keyspace, new)
        if isinstance(answer, scheduling.SlotTaken):
            raise ScheduleConflict(identity, _why_not(identity, self.queue, answer))
        if isinstance(answer, int):
            raise InvalidOption(f"schedule {identity!r} would never run: it ends before its first run")
        return answer

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
                made.append(await self.upsert(each.id, **each.arguments))
            except (ScheduleConflict, InvalidOption) as error:
                _log.warning("queue %s: %s", self.queue, error, extra={"queue": self.queue})
        return tuple(made)

    async def list(self, first: int = 0, last: int = -1) -> tuple[Schedule, ...]:
        """Return the schedules at positions ``first`` to ``last`` inclusive, the next to run first.

        Repeatable jobs of BullMQ 5 are among them, and nothing is changed by looking.
        """
        return tuple(await scheduling.read_page(self._keyspace, first, last))

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
