"""Related jobs on their way: deduplicated ones, children, and those of a flow."""

from __future__ import annotations

import msgspec

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.records import ReplyCode
from stockyard._wire.options import encode_options, encode_parent_link, parent_key
from stockyard.errors import InvalidOption, JobError, JobNotFound, JobStateError
from stockyard.model.deduplication import Deduplication
from stockyard.model.naming import hash_tag
from stockyard.model.options import JobOptions


class DedupOptions(msgspec.Struct, omit_defaults=True, gc=False):
    """A deduplication as the scripts read it; the names are those of ``Deduplication``, ttl in ms."""

    id: str
    ttl: int | None = None
    extend: bool = False
    replace: bool = False
    reschedule: bool = False
    keep_last: bool = False


class ParentLink(msgspec.Struct, gc=False):
    """A parent as the scripts read it.

    Attributes:
        key: of its hash.
        link: JSON of the child's field ``parent``.
        is_new: of a flow: it is added before, and has lined its children up.
    """

    key: str
    link: str
    is_new: bool = False


class RelatedJob(msgspec.Struct, omit_defaults=True, gc=False):
    """A checked job on its way, under the names that the scripts read.

    Attributes:
        id: custom id, or ``QueueKeyspace.numbered`` for the queue's counter.
        name: chooses the handler.
        data: JSON text.
        options: BullMQ's JSON of the options.
        timestamp: creation in ms.
        delay, priority, lifo: where it is placed.
        deduplication: or None.
        parent: or None.
        is_parent: of a flow: it waits for children that follow.
        queue: of a flow: number of its queue in the call, from 1.
        has_own_id: the producer gave the id, so that the job may exist.
        row: of an outbox: what names its row there.
    """

    id: str
    name: str
    data: str
    options: str
    timestamp: int
    delay: int
    priority: int
    lifo: bool
    deduplication: DedupOptions | None = None
    parent: ParentLink | None = None
    is_parent: bool = False
    queue: int = 0
    has_own_id: bool = False
    row: str = ""

    @property
    def parent_key(self) -> str | None:
        """Full key of its parent."""
        return self.parent.key if self.parent else None


def related_job(
    keyspace: QueueKeyspace, name: str, data: str, options: JobOptions, now: int, *, job_id: str = ""
) -> RelatedJob:
    """Put a related job into the form that is sent.

    Args:
        keyspace: its queue.
        name, data, options: the job; the payload is JSON text.
        now: creation in ms.
        job_id: its id if its options name none. Defaults to a number of the queue's counter.

    Raises:
        InvalidOption: its parent lies in another slot.
    """
    return RelatedJob(
        options.job_id or job_id or keyspace.numbered,
        name,
        data,
        encode_options(options, naming=keyspace.keys.naming),
        now,
        options.delay_ms,
        options.priority,
        options.lifo,
        _dedup_options(options.deduplication),
        _parent_link(options, keyspace),
        has_own_id=options.job_id is not None,
    )


def refusal(code: int, job: RelatedJob) -> JobError:
    """Return the error that a script's code means."""
    key = job.parent_key or ""
    if code == ReplyCode.PARENT_MISSING:
        return JobNotFound(key.rpartition(":")[2], f"{key}, to be the parent of {job.name!r}, does not exist")
    return JobStateError(
        job.id,
        f"job {job.id} exists and belongs to another parent than {key}; "
        "detach it from that one first, or choose another job_id",
    )


def _dedup_options(deduplication: Deduplication | None) -> DedupOptions | None:
    if deduplication is None:
        return None
    return DedupOptions(
        deduplication.id,
        deduplication.ttl_ms,
        deduplication.extend,
        deduplication.replace,
        deduplication.reschedule,
        deduplication.keep_last,
    )


def _parent_link(options: JobOptions, keyspace: QueueKeyspace) -> ParentLink | None:
    if options.parent is None:
        return None
    naming = keyspace.keys.naming
    key = parent_key(options.parent, naming)
    if naming.slots is not None and hash_tag(key) != hash_tag(keyspace.base):
        raise InvalidOption(
            f"a job of queue {keyspace.queue!r} cannot have a parent in queue {options.parent.queue!r}: a cluster "
            f"changes the jobs of one slot at a time, and with slots={naming.slots!r} these two have not the same "
            "(declare them in one family, as in 'execution:orders' and 'execution:fills', or the topology with "
            "slots='one')"
        )
    return ParentLink(key, encode_parent_link(options.parent, options.on_failure, naming=naming))
