"""Adds trees of jobs: in one call, or large ones in parts that keep every parent waiting for all its children."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from stockyard._store.jobs.adding import Answer, ExistingJob, answer_of
from stockyard._store.jobs.indexing import note_added
from stockyard._store.jobs.related_job import RelatedJob, refusal
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.scripts import load
from stockyard.errors import StockyardError

_FLOW = load("adding.flow")
_pack = msgspec.msgpack.Encoder().encode

WHOLE_WORK = 200
"""What is added in one call, in adds of one job: some four milliseconds of the server."""

PART_WORK = 100
"""What one call of several does at most."""

PART_BYTES = 4 * 2**20
"""Bytes of payloads and options that one call carries at most, unless a single job has more."""

_EXPECT = 0.25
_CHECK = 0.25
_RELEASE = 0.5
_CHILDREN = 100
"""Children that one step lines up."""


class _Check(msgspec.Struct, gc=False):
    """A job that must not belong to another parent; of a root with a parent, that this exists."""

    queue: int
    id: str
    parent: str
    is_root: bool
    job: int


class _Children(msgspec.Struct, gc=False):
    """Children that a parent is to wait for before they are added."""

    queue: int
    id: str
    parent: str
    timestamp: int
    children: list[str]
    is_fresh: bool = False


class _Release(msgspec.Struct, gc=False):
    """A parent that goes on if nothing is left to wait for."""

    key: str
    link: str
    timestamp: int
    is_early: bool = False


class _Step(NamedTuple):
    """Something of a part: a job by its number, or a parent's children; with what it costs."""

    what: _Children | int
    work: float
    size: int


class TreeAdder:
    """Trees on their way to the server.

    A call is bounded, so a large tree takes several. First come the parents, each with the names of all its
    children, then the other jobs: a parent can go on only when the last of its children has ended, however far the
    calls have come. When they break off, the parents wait; adding the same ids again does what is left.

    Args:
        keyspaces: the queues of the trees; a job names its own by number, from 1.
        jobs: of one server, each parent before its children.
    """

    def __init__(self, keyspaces: Sequence[QueueKeyspace], jobs: Sequence[RelatedJob]) -> None:
        self._keyspaces = keyspaces
        self._jobs = jobs
        self._queues = _pack([keyspace.base for keyspace in keyspaces])
        self._keys = [f"{keyspaces[job.queue - 1].base}{job.id}" for job in jobs]
        self._answers: list[Answer] = [""] * len(jobs)
        self._early: set[str] = set()
        self._fresh: set[str] = set()

    async def add(self) -> list[str | ExistingJob]:
        """Add all jobs, and return for each its id or what is there in its place.

        Raises:
            JobNotFound: the parent of a root does not exist; nothing was added.
            JobStateError: a job exists and belongs to another parent; nothing was added, unless it came to belong
                there in the meantime.
            ServerUnavailable: nothing of the part was added.
            ReplyLost: a part may or may not have been added.
            ServerRefused: the server answered with an error.
        """
        checks, releases = self._checks(), self._releases()
        steps = list(self._steps())
        if _fits(steps):
            await self._run(checks, steps, releases)
        else:
            for at in range(0, len(checks), int(PART_WORK / _CHECK)):
                await self._run(checks[at : at + int(PART_WORK / _CHECK)])
            for part in _parts(_parents_first(steps, self._jobs)):
                await self._run(steps=part)
            for release in releases:
                release.is_early = release.key in self._early
            for at in range(0, len(releases), int(PART_WORK / _RELEASE)):
                await self._run(releases=releases[at : at + int(PART_WORK / _RELEASE)])
        for answer in self._answers:
            if isinstance(answer, StockyardError):
                raise answer
        return [answer for answer in self._answers if not isinstance(answer, StockyardError)]

    async def _run(
        self, checks: Sequence[_Check] = (), steps: Sequence[_Step] = (), releases: Sequence[_Release] = ()
    ) -> None:
        numbers = [step.what for step in steps if isinstance(step.what, int)]
        sent = [self._sent(step.what) for step in steps]
        reply = await self._keyspaces[0].run(_FLOW, self._queues, _pack(checks), _pack(sent), _pack(releases))
        if isinstance(reply[0], int):
            code, number = reply
            raise refusal(code, self._jobs[checks[number - 1].job])
        answers, early = reply
        self._early.update(key.decode() for key in early)
        for number, answer in zip(numbers, answers, strict=True):
            self._answers[number] = answer_of(answer, self._jobs[number])
            if isinstance(answer, bytes) and self._jobs[number].is_parent:
                self._fresh.add(self._keys[number])
        for at, keyspace in enumerate(self._keyspaces, start=1):
            own = [number for number in numbers if self._jobs[number].queue == at]
            await note_added(keyspace, [self._jobs[each] for each in own], [self._answers[each] for each in own])

    def _sent(self, what: _Children | int) -> RelatedJob | _Children:
        if isinstance(what, int):
            return self._jobs[what]
        what.is_fresh = what.parent in self._fresh
        return what

    def _checks(self) -> list[_Check]:
        return [
            _Check(job.queue, job.id if job.has_own_id else "", job.parent.key, not job.parent.is_new, number)
            for number, job in enumerate(self._jobs)
            if job.parent and (job.has_own_id or not job.parent.is_new)
        ]

    def _steps(self) -> Iterator[_Step]:
        children: dict[str, list[str]] = {}
        for job, key in zip(self._jobs, self._keys, strict=True):
            if job.parent and job.parent.is_new:
                children.setdefault(job.parent.key, []).append(key)
        for number, (job, key) in enumerate(zip(self._jobs, self._keys, strict=True)):
            yield self._step(number)
            if job.is_parent:
                yield from self._children(job, key, children[key])

    def _step(self, number: int) -> _Step:
        job = self._jobs[number]
        return _Step(number, 1, len(job.data) + len(job.options))

    @staticmethod
    def _children(job: RelatedJob, parent: str, keys: list[str]) -> Iterator[_Step]:
        for at in range(0, len(keys), _CHILDREN):
            some = keys[at : at + _CHILDREN]
            yield _Step(
                _Children(job.queue, job.id, parent, job.timestamp, some), len(some) * _EXPECT, sum(map(len, some))
            )

    def _releases(self) -> list[_Release]:
        links = {job.parent.key: (job.parent.link, job.timestamp) for job in self._jobs if job.parent}
        return [_Release(key, link, timestamp) for key, (link, timestamp) in links.items()]


def _fits(steps: Sequence[_Step]) -> bool:
    return sum(step.work for step in steps) <= WHOLE_WORK and sum(step.size for step in steps) <= PART_BYTES


def _is_of_parent(step: _Step, jobs: Sequence[RelatedJob]) -> bool:
    return not isinstance(step.what, int) or jobs[step.what].is_parent


def _parents_first(steps: Sequence[_Step], jobs: Sequence[RelatedJob]) -> list[_Step]:
    return sorted(steps, key=lambda step: not _is_of_parent(step, jobs))


def _parts(steps: Iterable[_Step]) -> Iterator[list[_Step]]:
    part: list[_Step] = []
    work, size = 0.0, 0
    for step in steps:
        if part and (work + step.work > PART_WORK or size + step.size > PART_BYTES):
            yield part
            part, work, size = [], 0.0, 0
        part.append(step)
        work += step.work
        size += step.size
    yield part


async def add_trees(keyspaces: Sequence[QueueKeyspace], jobs: Sequence[RelatedJob]) -> list[str | ExistingJob]:
    """Add all jobs of trees, each parent before its children; see ``TreeAdder``.

    Trees of several slots of a cluster are added slot by slot.
    """
    slots: dict[str, list[int]] = {}
    for at, job in enumerate(jobs):
        slots.setdefault(keyspaces[job.queue - 1].slot_tag, []).append(at)
    answers: list[str | ExistingJob] = [""] * len(jobs)
    for tag, numbers in slots.items():
        own = [at for at, keyspace in enumerate(keyspaces, start=1) if keyspace.slot_tag == tag]
        for at in numbers:
            jobs[at].queue = own.index(jobs[at].queue) + 1
        adder = TreeAdder([keyspaces[at - 1] for at in own], [jobs[at] for at in numbers])
        for at, answer in zip(numbers, await adder.add(), strict=True):
            answers[at] = answer
    return answers
