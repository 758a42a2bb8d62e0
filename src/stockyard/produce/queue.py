"""A queue as its producers and readers see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Unpack, get_args

from msgspec import UNSET

from stockyard import telemetry
from stockyard._aio.per_loop import PerLoop
from stockyard._aio.portal import Portal
from stockyard._logging import current_job
from stockyard._store.jobs.adding import BATCH, Answer, ExistingJob, SentJob, new_job
from stockyard._store.jobs.arranging import arranged_job
from stockyard._store.jobs.related_job import RelatedJob, related_job
from stockyard._store.jobs.rows import stored_job
from stockyard._store.keyspace import QueueKeyspace
from stockyard.blocking import BlockingQueue
from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.arrangement import refuse_misfit
from stockyard.model.durability import Durability
from stockyard.model.fixed import Fixed
from stockyard.model.job import Job, JobPort, set_fields
from stockyard.model.lineage import passed_on
from stockyard.model.options import AddOptions, JobOptions, carrying
from stockyard.produce.admin import QueueAdmin
from stockyard.produce.batcher import Batcher
from stockyard.produce.browse import QueueBrowser
from stockyard.produce.checked_jobs import asks_for_nothing, checked_text, job_text
from stockyard.produce.direct_adds import DirectAdds
from stockyard.produce.keys import Keys
from stockyard.produce.many_adds import ManyAdds
from stockyard.produce.room import Room
from stockyard.topology import QueueSpec
from stockyard.topology.queue_spec import durability_of

JobTuple = tuple[str] | tuple[str, Any] | tuple[str, Any, Mapping[str, Any]]
"""A job for ``add_many``: its name, its payload, its options; the last two may be left out."""

JOBS_EXAMPLE = "[('price', {'symbol': 'A'})]"
"""Jobs for ``add_many``, for messages."""

CheckedJob = tuple[str, Any, JobOptions, SentJob]
"""A job for ``add_many`` once it was checked: name, payload and options, and what is sent."""


class Queue(Fixed, QueueAdmin, QueueBrowser):
    """Adds jobs to one queue, reads and counts them, and administers the queue.

    Made by ``App.queue``; it opens connections at the first call and may be used from several loops.
    """

    def __init__(self, spec: QueueSpec, *, keyspace: QueueKeyspace, jobs: JobPort, portal: Portal) -> None:
        self.spec = spec
        self.name: str = spec.name
        self._keyspace = keyspace
        self._numbered = keyspace.numbered
        self._jobs = jobs
        self._portal = portal
        self._adders: dict[Durability | None, PerLoop[Batcher | DirectAdds]] = {
            durability: _adders(keyspace, durability) for durability in (None, *get_args(Durability))
        }
        self._adder = self._adders[spec.durability]
        arrangement = keyspace.arrangement
        self._room: Room | None = None
        if arrangement is not None and arrangement.blocks:
            self._room = Room(arrangement.full_timeout_ms / 1000)
        # The options of nearly all jobs, where they ask for nothing that has to be looked at for each.
        self._plain = spec.defaults if arrangement is None and asks_for_nothing(spec) else None
        self._sync: BlockingQueue = portal.blocking(self, needs_loop=())
        self._is_made = True

    @property
    def sync(self) -> BlockingQueue:
        """This queue for code without a running loop: ``queue.sync.add(...)`` blocks until it is done."""
        return self._sync

    @property
    def keys(self) -> Keys:
        """The keys of its jobs; of queues that declare ``ordered`` or ``key_concurrency``.

        Raises:
            InvalidOption: the queue has shards.
        """
        if self.spec.shards > 1:
            raise InvalidOption(f"queue {self.name!r} has shards: its keys choose a shard, and have no lines")
        return Keys(self.spec, keyspace=self._keyspace, jobs=self._jobs, portal=self._portal)

    async def add(
        self,
        name: str,
        data: Any = UNSET,
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
        **options: Unpack[AddOptions],
    ) -> Job[Any]:
        """Add one job; calls of the same turn of the loop travel together.

        Args:
            name: chooses the handler.
            data: any JSON-able value, Struct, dataclass or pydantic model; None is stored as ``null``. Defaults to
                an empty object. One of more than 5 MiB is added with a warning in the log.
            check: refuse a name or a payload that the handlers do not take which the queue declares in this
                process; without any, nothing is refused. False is for jobs that another program handles. Defaults
                to what the queue declares: True.
            durability: what has to be safe before this call returns: ``"aof"``, ``"replica"``, or False for
                nothing. Adds of one turn share the wait. Defaults to what the queue declares.
            options: see ``AddOptions``; what is left out takes the queue's default.

        Returns:
            The job. If its ``job_id`` exists already, or it was deduplicated, nothing is added: the job is the one
            that is there, with the name, the payload and the options that are stored, and its ``was_added`` is
            False.

        Raises:
            InvalidOption: an option is unknown or out of its range, or two exclude each other.
            HandlerError: the queue declares handlers, and none of that name.
            PayloadError: the payload is not JSON-able, larger than ``size_limit``, or does not fit the handler's
                declared type.
            JobNotFound: the parent does not exist.
            JobStateError: the job exists and belongs to another parent.
            QueueFull: as many jobs wait as the queue declares.
            ServerUnavailable: the server could not be reached within the call timeout; nothing was added.
            ReplyLost: it was sent and not answered; add it again under the same ``job_id`` to be sure.
            NotDurable: it was added, and its durability was not confirmed in time.
        """
        adders = self._adder if durability is None else self._adders_for(durability)
        if check is not None:
            checks.flag("check", check)
        chosen = self.spec.defaults.merged(**options) if options else self.spec.defaults
        if not self._keyspace.knows_time:
            await self._keyspace.learn_time()
        if chosen.eta_ms is not None or chosen.parent is not None:
            chosen = self._placed(chosen)
        if (cause := current_job.get()) is not None:
            chosen = passed_on(chosen, cause, options, is_declared=self.spec.lineage)
        tracer = telemetry.tracer
        if tracer is not None and tracer.traces_add():
            with tracer.span(telemetry.ADD, {"queue": self.name, "name": name}) as span:
                job = await self._add_traced(adders.get(), name, data, carrying(chosen, span.carrier), check)
                span.note(job=job.id, was_added=job.was_added)
                return job
        sent = self._checked(name, data, chosen, check)
        room = self._room
        answer = await (adders.get().add(sent) if room is None else room.add(adders.get(), sent))
        if isinstance(answer, str):
            return self._added(answer, name, data, chosen, sent)
        return await existing_job(answer, self._added(answer.job_id, name, data, chosen, sent))

    async def _add_traced(
        self, adder: Batcher | DirectAdds, name: str, data: Any, options: JobOptions, check: bool | None
    ) -> Job[Any]:
        """Add one job with the context of its span; as ``add``, whose own steps cost no call of a function."""
        sent = self._checked(name, data, options, check)
        answer = await (adder.add(sent) if self._room is None else self._room.add(adder, sent))
        if isinstance(answer, str):
            return self._added(answer, name, data, options, sent)
        return await existing_job(answer, self._added(answer.job_id, name, data, options, sent))

    async def add_many(
        self,
        jobs: Iterable[JobTuple],
        *,
        check: bool | None = None,
        durability: Durability | Literal[False] | None = None,
    ) -> list[Job[Any]]:
        """Add many jobs, batch behind batch, in the order given; all are checked before any is sent.

        Args:
            jobs: tuples of name, payload and options: ``[("price", {"symbol": "A"}, {"priority": 5}), …]``.
            check, durability: as in ``add``, for all of them.

        Raises:
            NotDurable: all were added, and some are not confirmed; ``job_ids`` lists these.
            The other errors of ``add``, which say how many of the jobs were surely added. A job that is refused
                for its parent does not keep the others from being added.
        """
        if check is not None:
            checks.flag("check", check)
        given_jobs = checks.several("jobs", jobs, of="tuples (name, data, options)", example=JOBS_EXAMPLE)
        await self._keyspace.learn_time()
        with telemetry.span_of_adds(queue=self.name, jobs=len(given_jobs)) as span:
            checked = [self._checked_tuple(each, check, span.carrier) for each in given_jobs]
            return await self._add_checked(checked, durability)

    async def _add_checked(
        self, checked: Sequence[CheckedJob], durability: Durability | Literal[False] | None
    ) -> list[Job[Any]]:
        """Add jobs that were checked, batch behind batch; raises the errors of ``add``."""
        adds = await self._add_each(checked, durability)
        adds.check()
        return adds.jobs

    async def _add_each(
        self, checked: Sequence[CheckedJob], durability: Durability | Literal[False] | None
    ) -> ManyAdds:
        """Add jobs that were checked, batch behind batch; return what became of them."""
        adder = self._adder_for(durability)
        adds = ManyAdds(len(checked))
        for at in range(0, len(checked), BATCH):
            # One batch at a time: a flood of adds leaves the server to others in between.
            batch = checked[at : at + BATCH]
            if adds.is_unconfirmed:
                # The call has waited for as long as it may.
                adder = self._adder_for(False)
            answers = await self._send_all(adder, [sent for *_, sent in batch])
            for answer, (name, data, options, sent) in zip(answers, batch, strict=True):
                adds.note(answer)
                if isinstance(answer, str):
                    adds.jobs.append(self._added(answer, name, data, options, sent))
                elif not isinstance(answer, BaseException):
                    given = self._added(answer.job_id, name, data, options, sent)
                    adds.jobs.append(await existing_job(answer, given))
            if adds.stops:
                break
        return adds

    def _adder_for(self, durability: Durability | Literal[False] | None) -> Batcher | DirectAdds:
        """Return what adds the jobs of the caller's loop."""
        return (self._adder if durability is None else self._adders_for(durability)).get()

    def _adders_for(self, durability: Durability | Literal[False]) -> PerLoop[Batcher | DirectAdds]:
        return self._adders[None if durability is False else durability_of(durability)]

    async def _send_all(
        self, adder: Batcher | DirectAdds, jobs: Sequence[SentJob]
    ) -> Sequence[Answer | BaseException]:
        return await (adder.add_all(jobs) if self._room is None else self._room.add_all(adder, jobs))

    def _placed(self, options: JobOptions) -> JobOptions:
        """Return options with times that count from now, and with the expiry of the parent."""
        now = options.made_at(self._keyspace.clock())
        placed = options.placed(now)
        return placed if placed.parent is None else placed.within(placed.parent.expires_at, now)

    def _checked(self, name: str, data: Any, options: JobOptions, check: bool | None) -> SentJob:
        if options is self._plain:
            text = job_text(self.spec, name, data, check)
            return new_job(name, text, options, self._keyspace.clock(), self._numbered)
        text = checked_text(self.spec, name, data, options, check=check)
        now = options.made_at(self._keyspace.clock())
        arrangement = self._keyspace.arrangement
        if arrangement is not None or options.coalesce is not None:
            refuse_misfit(self.name, arrangement, options)
            if arrangement is not None and arrangement.takes(options):
                return arranged_job(self._keyspace, name, text, options, now)
        if options.parent is not None or options.deduplication is not None:
            return related_job(self._keyspace, name, text, options, now)
        return new_job(name, text, options, now, self._numbered)

    def _checked_tuple(self, given: JobTuple, check: bool | None, carrier: str | None) -> CheckedJob:
        if not isinstance(given, tuple) or not 1 <= len(given) <= 3 or not _are_options(given[2:]):
            raise InvalidOption(f"add_many takes tuples (name, data, options); got {checks.shown(given)}")
        name = given[0]
        data = given[1] if len(given) > 1 else UNSET
        own = given[2] if len(given) > 2 else {}
        options = self.spec.defaults.merged(**own) if own else self.spec.defaults
        if options.eta_ms is not None or options.parent is not None:
            options = self._placed(options)
        if (cause := current_job.get()) is not None:
            options = passed_on(options, cause, own, is_declared=self.spec.lineage)
        if carrier is not None:
            options = carrying(options, carrier)
        return name, data, options, self._checked(name, data, options, check)

    def _shard_of(self, options: JobOptions | None) -> Queue:
        """Return where a job is added: here, but in a queue with shards."""
        return self

    def _added(self, job_id: str, name: str, data: Any, options: JobOptions, sent: SentJob) -> Job[Any]:
        job = Job(
            job_id,
            name,
            {} if data is UNSET else data,
            options,
            self.name,
            sent.timestamp,
            self._jobs,
            options.priority,
            options.delay_ms,
        )
        if options.parent is not None and isinstance(sent, RelatedJob):
            set_fields(job, parent_key=sent.parent_key)
        return job


def _adders(keyspace: QueueKeyspace, durability: Durability | None) -> PerLoop[Batcher | DirectAdds]:
    direct = DirectAdds(keyspace, durability=durability)
    return PerLoop(lambda: Batcher(keyspace, durability=durability), outside=lambda: direct)


def keyspace_of(queue: Queue, options: JobOptions | None = None) -> QueueKeyspace:
    """Return the keys of a queue, for what adds to it in a way of its own.

    Args:
        queue: the queue.
        options: of a job with a ``job_id``, which say to which shard it belongs. Needed of a queue with shards.
    """
    return queue._shard_of(options)._keyspace


async def existing_job(answer: ExistingJob, given: Job[Any]) -> Job[Any]:
    """Return the job that an add found in place of the given one; without a record, the given one itself."""
    job = given
    if answer.record is not None:
        job = stored_job(answer.record, given.queue, given.port)
    elif answer.is_unread:
        job = await given.port.get_job(answer.job_id) or given
    set_fields(job, was_added=False)
    return job


def _are_options(rest: tuple[Any, ...]) -> bool:
    return not rest or (isinstance(rest[0], Mapping) and all(isinstance(name, str) for name in rest[0]))
