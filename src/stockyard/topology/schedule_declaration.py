"""A schedule as a queue declares it, checked before any worker starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stockyard.errors import InvalidOption, suggestion
from stockyard.model.options import KNOWN_OPTIONS, JobOptions
from stockyard.model.schedule import checked_policies, checked_schedule_id, checked_timing
from stockyard.model.text import is_text

_TIMING = ("every", "cron", "tz", "offset", "limit", "start", "end")
_ARGUMENTS = (*_TIMING, "immediately", "misfire", "overlap", "name", "data", "check")
_NOT_FOR_RUNS = ("job_id", "delay", "eta", "parent", "on_failure", "deduplication")


@dataclass(frozen=True, slots=True)
class ScheduleDeclaration:
    """A schedule's id, and the arguments that ``Schedules.upsert`` takes.

    Attributes:
        id: its name in its queue.
        arguments: checked, as they were given.
    """

    id: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, schedule_id: str, arguments: Mapping[str, Any]) -> ScheduleDeclaration:
        """Check what does not depend on the time.

        Raises:
            InvalidOption: an argument is not known or out of its range.
        """
        identity = checked_schedule_id(schedule_id)
        check_arguments(identity, arguments)
        timing: dict[str, Any] = {name: arguments.get(name) for name in _TIMING}
        checked_timing(**timing, immediately=arguments.get("immediately", False))
        checked_policies(arguments.get("misfire", "run_once"), arguments.get("overlap", "allow"))
        if (name := arguments.get("name")) is not None and not is_text(name):
            raise InvalidOption(f"a job's name must be non-empty text; got {name!r}")
        JobOptions().merged(**{name: value for name, value in arguments.items() if name in KNOWN_OPTIONS})
        return cls(identity, dict(arguments))


def check_arguments(schedule_id: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that no schedule has.

    Raises:
        InvalidOption: one is not known, or belongs to single jobs.
    """
    known = (*_ARGUMENTS, *(name for name in KNOWN_OPTIONS if name not in _NOT_FOR_RUNS))
    for name in arguments:
        if name in _NOT_FOR_RUNS:
            raise InvalidOption(f"a schedule decides {name} of its runs itself; leave it out")
        if name not in known:
            raise InvalidOption(f"unknown option {name!r} of schedule {schedule_id!r}{suggestion(name, known)}")
