"""What producer and worker processes wrote down of a run under a fault, and whether it agrees with the server."""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import redis

ENDED = ("completed", "failed")
"""Results of a run that ends its job; the third, ``again``, is followed by another attempt."""

_LISTS = ("wait", "active", "paused")
_SORTED = ("delayed", "prioritized", "waiting-children")


class Note(NamedTuple):
    """One line of a diary.

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


def diary_of(folder: Path, player: str) -> Path:
    """Return the file of a player's diary."""
    return folder / f"{player}.diary"


class Diary:
    """Lines at the end of a file; each has reached the system when `write` returns: no SIGKILL loses it."""

    def __init__(self, folder: Path, player: str) -> None:
        self._file = os.open(diary_of(folder, player), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, what: str, key: str, job_id: str = "", run: int = 0, result: str = "") -> None:
        os.write(self._file, (json.dumps([time.time(), what, key, job_id, run, result]) + "\n").encode())


def whole_lines(file: Path) -> list[bytes]:
    """Return the lines of a file that another process writes, without a last one that is not finished yet."""
    # A write that spans two pages of the file is seen in two steps.
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def drop_unfinished_line(file: Path) -> None:
    """Cut off what a player wrote of a line when it was killed: it never acted on it, and another writes on."""
    if file.exists():
        file.write_bytes(b"".join(whole_lines(file)))


def read_diaries(folder: Path) -> list[Note]:
    """Return everybody's notes in the order of time."""
    notes = [
        Note(*json.loads(line))._replace(player=file.stem)
        for file in folder.glob("*.diary")
        for line in whole_lines(file)
    ]
    return sorted(notes)


@dataclass(frozen=True, slots=True)
class Remains:
    """What a server holds of a queue.

    Attributes:
        records: job ids by key.
        ended: how each ended job ended, by id.
        unended: ids of jobs that have not ended, with where they are.
        locks: ids of jobs that are locked.
        stalls: when each job was handed back by somebody who looked for dead workers, by id.
        announced: how many ends were announced of each id.
    """

    records: dict[str, list[str]]
    ended: dict[str, str]
    unended: dict[str, str]
    locks: list[str]
    stalls: dict[str, list[float]]
    announced: Counter[str]


def read_remains(client: "redis.Redis", base: str) -> Remains:
    """Look at every job of the queue whose keys begin with `base`; the client decodes answers."""
    redis_: Any = client
    ended = {each: kind for kind in ENDED for each in redis_.zrange(base + kind, 0, -1)}
    unended = {each: kind for kind in _LISTS for each in redis_.lrange(base + kind, 0, -1)}
    unended |= {each: kind for kind in _SORTED for each in redis_.zrange(base + kind, 0, -1)}
    with redis_.pipeline(transaction=False) as pipe:
        ids = [*ended, *unended]
        for each in ids:
            pipe.hget(base + each, "data")
        payloads = pipe.execute()
    records = defaultdict(list)
    for job_id, payload in zip(ids, payloads, strict=True):
        records[json.loads(payload)["key"] if payload else f"no record of {job_id}"].append(job_id)
    stalls, announced = defaultdict(list), Counter[str]()
    for event_id, fields in redis_.xrange(base + "events"):
        if fields["event"] == "stalled":
            stalls[fields["jobId"]].append(int(event_id.split("-")[0]) / 1000)
        elif fields["event"] in ENDED:
            announced[fields["jobId"]] += 1
    locks = [key.removeprefix(base).removesuffix(":lock") for key in redis_.scan_iter(f"{base}*:lock", count=1000)]
    return Remains(dict(records), ended, unended, locks, dict(stalls), announced)


class Faults(NamedTuple):
    """When they were, in seconds since the epoch.

    Attributes:
        times: when each began and when it was over.
        until: when the load ended; later pauses say nothing.
        forgets: seconds before each of which the server may have lost what it acknowledged.
    """

    times: Sequence[tuple[float, float]]
    until: float
    forgets: float = 0.0

    def may_forget(self, at: float) -> bool:
        return bool(self.forgets) and any(began - self.forgets <= at <= over for began, over in self.times)


@dataclass(slots=True)
class Verdict:
    """What became of the jobs.

    Attributes:
        acknowledged: adds whose id came back.
        refused: adds of which the caller was told that they did not happen.
        unsure: adds of which the caller was told that they may or may not have happened.
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
) -> Verdict:
    """Compare the diaries with the server.

    Args:
        notes: everybody's, in order.
        remains: of the server, after every job had time to end.
        faults: when they were.
        workers: processes whose pauses count.
        peers: processes of others. Defaults to none.
    """
    verdict = Verdict()
    by_key: defaultdict[str, list[Note]] = defaultdict(list)
    for note in notes:
        by_key[note.key].append(note)
    for job_id, place in remains.unended.items():
        verdict.problems.append(f"job {job_id} is left in {place}")
    for job_id in remains.locks:
        verdict.problems.append(f"job {job_id} is left locked")
    for key in remains.records.keys() - by_key.keys():
        verdict.problems.append(f"job {key} was never added")
    for key, own in by_key.items():
        _judge_add(verdict, key, own, remains, faults)
        _judge_runs(verdict, key, own, remains, faults, peers)
    for worker in workers:
        _judge_pauses(verdict, worker, [note for note in notes if note.player == worker], faults)
    return verdict


def _judge_add(verdict: Verdict, key: str, notes: list[Note], remains: Remains, faults: Faults) -> None:
    answers = [note for note in notes if note.what in ("ack", "unsure", "refused")]
    if not answers:
        return
    found = len(remains.records.get(key, ()))
    if found > 1:
        verdict.problems.append(f"job {key} was added {found} times")
    answer = answers[-1]
    match answer.what:
        case "ack":
            verdict.acknowledged += 1
            if not found:
                verdict.lost += 1
                if not faults.may_forget(answer.at):
                    verdict.problems.append(f"job {key} was acknowledged and is lost")
        case "unsure":
            verdict.unsure += 1
            verdict.unsure_added += found
        case "refused":
            verdict.refused += 1
            if found:
                verdict.problems.append(f"job {key} was refused and is there")


def _judge_runs(
    verdict: Verdict, key: str, notes: list[Note], remains: Remains, faults: Faults, peers: Container[str]
) -> None:
    starts = [note for note in notes if note.what == "start"]
    ends = [note for note in notes if note.what == "end" and note.result in ENDED]
    if len(ends) > 1:
        if all(note.player in peers for note in ends[:-1]):
            verdict.doubled_by_peers += 1
        else:
            verdict.doubled += 1
    for job_id in remains.records.get(key, ()):
        if job_id not in remains.ended:
            continue
        result = remains.ended[job_id]
        if result not in {note.result for note in ends}:
            verdict.problems.append(f"job {key} is {result}, and nobody ended it so")
        if remains.announced[job_id] != 1:
            verdict.problems.append(f"the end of job {key} was announced {remains.announced[job_id]} times")
        if any(faults.may_forget(note.at) for note in notes):
            continue
        stalls = sum(at <= starts[-1].at for at in remains.stalls.get(job_id, ()))
        retries = sum(note.result == "again" for note in notes)
        if len(ends) > 1 + stalls:
            verdict.problems.append(f"job {key} ran to its end {len(ends)} times, handed back {stalls} times")
        if len(starts) > 1 + stalls + retries:
            verdict.problems.append(
                f"job {key} was started {len(starts)} times, retried {retries} and handed back {stalls} times"
            )


def _judge_pauses(verdict: Verdict, worker: str, notes: list[Note], faults: Faults) -> None:
    ends = [note for note in notes if note.what == "end" and note.at <= faults.until]
    first = faults.times[0][0]
    moments = [
        *[note.at for note in ends if note.at <= first][-1:],
        *(note.at for note in ends if note.at > first),
        faults.until,
    ]
    verdict.gap = max(verdict.gap, *(later - earlier for earlier, later in pairwise(moments)))
    for _, over in faults.times:
        begun = {(note.key, note.run) for note in notes if note.what == "start" and note.at >= over}
        after = [note.at for note in ends if (note.key, note.run) in begun]
        if after:
            verdict.resumed = max(verdict.resumed, after[0] - over)
        else:
            verdict.problems.append(f"{worker} did not go on after the fault")
