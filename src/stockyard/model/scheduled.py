"""What a job knows of the schedule whose run it is."""

from __future__ import annotations

from stockyard.model.options import JobOptions

_RUN_PREFIX = "repeat:"


class Scheduled:
    """The schedule side of a job."""

    __slots__ = ()
    id: str
    options: JobOptions

    @property
    def schedule_id(self) -> str | None:
        """Id of the schedule whose run the job is, or None for any other job."""
        run = self.id.removeprefix(_RUN_PREFIX)
        schedule_id, colon, time = run.rpartition(":")
        return schedule_id if run != self.id and colon and time.isdecimal() else None

    @property
    def run_number(self) -> int | None:
        """Number of the run in its schedule, from 1, or None for a job that is no run."""
        return None if self.schedule_id is None else self.options.run_number
