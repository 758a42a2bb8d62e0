"""Compares what producers and workers noted of their jobs with what the server holds of them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from stockyard._store.remains import Remains

ENDED = ("completed", "failed")
"""Results of a run that ends its job; the third, ``again``, is followed by another attempt."""


class Note(NamedTuple):
    """What a process noted of one job.

    Attributes:
        at: seconds since the epoch.
        what: of a producer ``try``, then ``ack`` (the id came back), ``unsure`` (it may have happened) or
            ``refused`` (it did not); of a worker ``start`` and ``end``.
        key: what the job is known by, over all processes; it is in its payload.
        job_id: the server's name for it, once known.
        run: which start of the job.
        result: how the run ended.
        player: the process.
    """

    at: float
    what: str
    key: str
    job_id: str = ""
    run: int = 0
    result: str = ""
    player: str = ""


class Faults(NamedTuple):
    """When they were, in seconds since the epoch.

    Attributes:
        times: when each began and when it was over.
        until: when the load ended; later pauses say nothing.
        forgets: seconds before each of which the server may have lost what it acknowledged.
        keeps_jobs: it may have lost ends of runs alone, and no job whose add it acknowledged.
    """

    times: Sequence[tuple[float, float]]
    until: float
    forgets: float = 0.0
    keeps_jobs: bool = False

    def may_forget(self, at: float) -> bool:
        """Whether the server may have lost what happened then."""
        return bool(self.forgets) and any(began - self.forgets <= at <= over for began, over in self.times)


@dataclass(slots=True)
class HistoryReport:
    """What became of the jobs.

    Attributes:
        acknowledged: adds whose id came back.
        refused: adds whose callers learnt that they did not happen.
        unsure: adds whose callers learnt that they may or may not have happened.
        unsure_added: of those, how many had.
        lost: acknowledged jobs that the server does not know any more.
        doubled: jobs that ran to their end more than once, one of ours before the last.
        doubled_by_peers: jobs that did after a run of a peer whose end was not recorded.
        gap: longest time, from the first fault on, in which one of the workers ended nothing, in seconds.
        resumed: from the end of a fault until the last worker ended a job that it began after it, in seconds.
        problems: what should not be, in words.
    """

    acknowledged: int = 0
    refused: int = 0
    unsure: int = 0
    unsure_added: int = 0
    lost: int = 0
    doubled: int = 0
    doubled_by_peers: int = 0
    gap: float = 0.0
    resumed: float = 0.0
    problems: list[str] = field(default_factory=list)


def judge(
    notes: Sequence[Note],
    remains: Remains,
    faults: Faults,
    *,
    workers: Iterable[str],
    peers: Container[str] = (),
) -> HistoryReport:
    """Compare what was noted with the server.

    Args:
        notes: of all processes, in order.
        remains: of the server, after every job had time to end.
        faults: when they were.
        workers: processes whose pauses count.
        peers: processes of others. Defaults to none.
    """
    report = HistoryReport()
    by_key: defaultdict[str, list[Note]] = defaultdict(list)
    for note in notes:
        by_key[note.key].append(note)
    for job_id, place in remains.unended.items():
        report.problems.append(f"job {job_id} is left in {place}")
    for job_id in remains.locks:
        report.problems.append(f"job {job_id} is left locked")
    for key in remains.records.keys() - by_key.keys():
        report.problems.append(f"job {key} was never added")
    for key, own in by_key.items():
        _judge_add(report, key, own, remains, faults)
        _judge_runs(report, key, own, remains, faults, peers)
    for worker in workers:
        _judge_pauses(report, worker, [note for note in notes if note.player == worker], faults)
    return report


def _judge_add(report: HistoryReport, key: str, notes: list[Note], remains: Remains, faults: Faults) -> None:
    answers = [note for note in notes if note.what in ("ack", "unsure", "refused")]
    if not answers:
        return
    found = len(remains.records.get(key, ()))
    if found > 1:
        report.problems.append(f"job {key} was added {found} times")
    answer = answers[-1]
    match answer.what:
        case "ack":
            report.acknowledged += 1
            if not found:
                report.lost += 1
                if faults.keeps_jobs or not faults.may_forget(answer.at):
                    report.problems.append(f"job {key} was acknowledged and is lost")
        case "unsure":
            report.unsure += 1
            report.unsure_added += found
        case "refused":
            report.refused += 1
            if found:
                report.problems.append(f"job {key} was refused and is there")


def _judge_runs(
    report: HistoryReport, key: str, notes: list[Note], remains: Remains, faults: Faults, peers: Container[str]
) -> None:
    starts = [note for note in notes if note.what == "start"]
    ends = [note for note in notes if note.what == "end" and note.result in ENDED]
    if len(ends) > 1:
        if all(note.player in peers for note in ends[:-1]):
            report.doubled_by_peers += 1
        else:
            report.doubled += 1
    for job_id in remains.records.get(key, ()):
        if job_id not in remains.ended:
            continue
        result = remains.ended[job_id]
        if result not in {note.result for note in ends}:
            report.problems.append(f"job {key} is {result}, and nobody ended it so")
        if remains.announced[job_id] != 1:
            report.problems.append(f"the end of job {key} was announced {remains.announced[job_id]} times")
        if any(faults.may_forget(note.at) for note in notes):
            continue
        stalls = sum(at <= starts[-1].at for at in remains.stalls.get(job_id, ()))
        retries = sum(note.result == "again" for note in notes)
        if len(ends) > 1 + stalls:
            report.problems.append(f"job {key} ran to its end {len(ends)} times, handed back {stalls} times")
        if len(starts) > 1 + stalls + retries:
            report.problems.append(
                f"job {key} was started {len(starts)} times, retried {retries} and handed back {stalls} times"
            )


def _judge_pauses(report: HistoryReport, worker: str, notes: list[Note], faults: Faults) -> None:
    ends = [note for note in notes if note.what == "end" and note.at <= faults.until]
    first = faults.times[0][0]
    moments = [
        *[note.at for note in ends if note.at <= first][-1:],
        *(note.at for note in ends if note.at > first),
        faults.until,
    ]
    report.gap = max(report.gap, *(later - earlier for earlier, later in pairwise(moments)))
    for _, over in faults.times:
        begun = {(note.key, note.run) for note in notes if note.what == "start" and note.at >= over}
        after = [note.at for note in ends if (note.key, note.run) in begun]
        if after:
            report.resumed = max(report.resumed, after[0] - over)
        else:
            report.problems.append(f"{worker} did not go on after the fault")
