"""Makes jobs again and again, at intervals or by a cron pattern."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from stockyard.compat.bullmq.job import Job, Owner
from stockyard.compat.bullmq.json_values import plain
from stockyard.compat.bullmq.options import add_options, milliseconds, opts_of
from stockyard.errors import ScheduleConflict
from stockyard.model.options import RunOptions
from stockyard.model.schedule import Schedule, Timing
from stockyard.schedule.schedules import Schedules
from stockyard.topology.schedule_declaration import ScheduleOptions


class ScheduleOwner(Owner, Protocol):
    """A queue or a worker with schedulers."""

    prefix: str

    @property
    def engine_schedules(self) -> Schedules:
        """The schedules of the engine."""


class JobScheduler:
    """The job schedulers of a queue; ``Queue.upsertJobScheduler`` and its siblings call it.

    Args:
        queue: the queue, or a worker of it.
    """

    def __init__(self, queue: ScheduleOwner) -> None:
        self.queue = queue

    async def upsertJobScheduler(
        self,
        job_scheduler_id: str,
        repeat_opts: Mapping[str, Any],
        job_name: str | None = None,
        job_data: Any = None,
        opts: Mapping[str, Any] | None = None,
        override: bool = True,
        producer_id: str | None = None,
    ) -> Job | None:
        """Make a scheduler, or change the one of that id.

        Args:
            job_scheduler_id: its id.
            repeat_opts: ``every`` (ms) or ``pattern`` (cron, seconds in front if it has six fields), and ``tz``
                (UTC, if left out), ``limit``, ``startDate``, ``endDate`` (ms or ISO), ``offset``, ``immediately``.
            job_name: of its jobs. Defaults to its id.
            job_data: their payload.
            opts: their options.
            override: has no effect: workers make next runs themselves.
            producer_id: has no effect.

        Returns:
            The next run, or None where its limit or its end is reached.

        Raises:
            ValueError: the options exclude each other, or one cannot be read.
            TypeError: the ids of its next runs belong to jobs that cannot be replaced now.
        """
        repeat = _checked(repeat_opts)
        if _is_over(repeat, int(time.time() * 1000)):
            return None
        options = schedule_options(repeat, opts or {}, self.queue.prefix)
        name, data = job_name or job_scheduler_id, {} if job_data is None else plain(job_data)
        try:
            schedule = await self.queue.engine_schedules.upsert(
                job_scheduler_id, **(options | {"name": name, "data": data})
            )
        except ScheduleConflict as error:
            raise TypeError(f"Cannot create job scheduler iteration - {error}") from error
        run = await Job.fromId(self.queue, schedule.next_job_id)
        return run or Job(self.queue, name, job_data, opts, schedule.next_job_id)

    async def removeJobScheduler(self, job_scheduler_id: str) -> int:
        """End a scheduler; return 0, or 1 where there is none of that id."""
        return int(not await self.queue.engine_schedules.remove(job_scheduler_id))

    async def isJobScheduler(self, job_scheduler_id: str) -> bool:
        """Return whether there is a scheduler of that id."""
        return await self.queue.engine_schedules.get(job_scheduler_id) is not None

    async def getScheduler(self, job_scheduler_id: str) -> dict[str, Any] | None:
        """Return a scheduler as a dict with ``key``, ``name``, ``next``, ``template`` …, or None."""
        found = await self.queue.engine_schedules.get(job_scheduler_id)
        return None if found is None else scheduler_json(found)

    async def getJobSchedulers(self, start: int = 0, end: int = -1, asc: bool = False) -> list[dict[str, Any]]:
        """Return the schedulers from one place to another, the last to run first; with ``asc`` the next first."""
        found = await self.queue.engine_schedules.list()
        ordered = found if asc else found[::-1]
        return [scheduler_json(each) for each in ordered[start : None if end == -1 else end + 1]]

    async def getSchedulersCount(self) -> int:
        """Return how many schedulers there are."""
        return await self.queue.engine_schedules.count()


def _checked(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse options that exclude each other, in the port's words."""
    every, pattern = given.get("every"), given.get("pattern")
    if pattern and every:
        raise ValueError("Both .pattern and .every options are defined for this repeatable job")
    if not pattern and not every:
        raise ValueError("Either .pattern or .every options must be defined for this repeatable job")
    if given.get("immediately") and given.get("startDate"):
        raise ValueError("Both .immediately and .startDate options are defined for this repeatable job")
    return given


def _is_over(repeat: Mapping[str, Any], now: int) -> bool:
    limit, end = repeat.get("limit"), moment_of(repeat.get("endDate"))
    return (limit is not None and (repeat.get("count") or 0) + 1 > limit) or (end is not None and now > end)


def schedule_options(repeat: Mapping[str, Any], opts: Mapping[str, Any], prefix: str) -> ScheduleOptions:
    """Return the engine's options of a schedule; those that belong to one job alone are left out.

    Args:
        repeat: when it runs.
        opts: the options of its jobs.
        prefix: of the keys.
    """
    of_jobs = add_options(opts, prefix)
    chosen: dict[str, Any] = {name: value for name, value in of_jobs.items() if name in RunOptions.__annotations__}
    if repeat.get("every"):
        chosen["every"] = milliseconds(repeat["every"])
        if repeat.get("offset"):
            chosen["offset"] = milliseconds(repeat["offset"])
    else:
        chosen |= {"cron": repeat["pattern"], "tz": repeat.get("tz") or "UTC"}
        chosen["immediately"] = bool(repeat.get("immediately"))
    given = {
        "limit": repeat.get("limit"),
        "start": moment_of(repeat.get("startDate")),
        "end": moment_of(repeat.get("endDate")),
    }
    options: ScheduleOptions = chosen | {  # type: ignore[assignment]  # its keys are those of the tables above
        name: value for name, value in given.items() if value is not None
    }
    return options


def moment_of(value: Any) -> int | None:
    """Return a moment in ms since the epoch: of ms, of a datetime, or of ISO text; None of nothing.

    Raises:
        ValueError: the text cannot be read.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, str) and not value.isdecimal():
        return round(datetime.fromisoformat(value).timestamp() * 1000)
    return int(value)


def default_repeat_strategy(millis: float, opts: Mapping[str, Any]) -> int | None:
    """Return the next time of a pattern after one, in ms since the epoch; None without a pattern.

    Args:
        millis: the time.
        opts: ``pattern``, ``tz`` (UTC, if left out), ``startDate``, ``immediately``.

    Raises:
        ValueError: the pattern or the zone cannot be read.
    """
    pattern = opts.get("pattern")
    if not pattern:
        return None
    if opts.get("immediately"):
        return int(time.time() * 1000)
    timing = Timing(cron=pattern, tz=opts.get("tz") or "UTC", start=moment_of(opts.get("startDate")))
    return timing.cron_after(int(millis))


def scheduler_json(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule by the port's names; what it does not have is left out."""
    timing = schedule.timing
    found = {
        "iterationCount": schedule.runs_made,
        "limit": timing.limit,
        "startDate": timing.start,
        "endDate": timing.end,
        "tz": timing.tz,
        "pattern": timing.cron,
        "every": timing.every_ms,
        "offset": timing.offset_ms,
    }
    template = {"data": schedule.data, "opts": opts_of(schedule.options)}
    return {
        "key": schedule.id,
        "name": schedule.job_name,
        "next": schedule.next_run,
        **{name: value for name, value in found.items() if value is not None},
        "template": template,
    }
