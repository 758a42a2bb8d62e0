"""What workers wrote down of jobs in order by key, and what in it is not in order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """The start or the end of a run.

    Attributes:
        at: when, by the clock that all processes of a machine share.
        key: the job's key.
        number: the job's place among those of its key, from 0.
        what: ``start`` or ``end``.
    """

    at: int
    key: str
    number: int
    what: str


def steps_of(lines: Iterable[str]) -> list[Step]:
    """Read the lines of workers; one that was cut by a kill is left out."""
    steps = []
    for line in lines:
        words = line.split()
        if line.endswith("\n") and len(words) == 4:
            steps.append(Step(int(words[0]), words[1], int(words[2]), words[3]))
    return sorted(steps)


def disorder(steps: Sequence[Step], jobs: int, *, may_be_cut: int = 0) -> list[str]:
    """Return what is not in order: a job that began before the one before it was over, or that never ran.

    Args:
        steps: of all workers, in the order of time.
        jobs: of each key.
        may_be_cut: runs that may have begun and never ended, as their worker was killed.
    """
    by_key: defaultdict[str, list[Step]] = defaultdict(list)
    for step in steps:
        by_key[step.key].append(step)
    found, cut = [], 0
    for key, mine in by_key.items():
        running, latest = None, -1
        for step in mine:
            if step.what == "end":
                if running != step.number:
                    found.append(f"{key}: {step.number} ended while {running} ran")
                running = None
                continue
            if running is not None:
                cut += 1
                if running != step.number:
                    found.append(f"{key}: {step.number} began while {running} ran")
            if step.number not in (latest, latest + 1):
                found.append(f"{key}: {step.number} began behind {latest}")
            running, latest = step.number, max(latest, step.number)
        if running is not None:
            found.append(f"{key}: {running} never ended")
        if latest != jobs - 1:
            found.append(f"{key}: {latest} was the last of {jobs}")
    if cut > may_be_cut:
        found.append(f"{cut} runs began and did not end")
    return found
