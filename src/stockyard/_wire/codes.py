"""The codes that scripts answer in place of a result; those of BullMQ have its numbers."""

from __future__ import annotations

from enum import IntEnum


class ReplyCode(IntEnum):
    """Why a script did not do what was asked; the loader makes each a local of the scripts that use it.

    Attributes:
        JOB_MISSING: the job's record does not exist.
        LOCK_MISSING: the job has no lock.
        WRONG_STATE: the job is not in the state that the call asks for.
        CHILDREN_PENDING: the job has children that have not ended.
        PARENT_MISSING: the parent's record does not exist.
        LOCK_MISMATCH: the job's lock belongs to another worker.
        OTHER_PARENT: the job exists and belongs to another parent.
        OF_SCHEDULE: the job is the next run of a schedule.
        CHILDREN_FAILED: a child of the job has failed it.
        RUN_EXISTS: jobs have the ids of all next runs of a cron pattern.
        SLOTS_TAKEN: jobs have the ids of all next slots of an interval.
        NO_RUN: the schedule would never run.
        TOO_MANY: too many jobs for one call.
        JOBS_ACTIVE: jobs of the queue are being run.
        QUEUE_RESUMED: the queue was resumed meanwhile.
        TAKEN_MEANWHILE: a worker took a job of a large family while others of it were removed.
        NO_ROOM: a cache's budget has no room for the entry.
        PLACE_UNKNOWN: what followed a place in a channel may be gone.
        EFFECT_EXISTS: another record of the effect stands than the call expects.
        EFFECT_MISSING: there is no effect of that key.
        EFFECT_OPEN: the run that began the effect may still be at it.
        EFFECT_SETTLED: what became of the effect is known already, and is another outcome.
        LEASE_TOO_SHORT: the lease ends before an effect could.
        QUEUE_FULL: as many jobs wait as may.
        OTHER_NAME: the job that waits under the coalescing key has another name.
        MISFIT: the payload cannot be joined with the one that waits under the coalescing key.
        JOB_EXPIRED: the job was to start earlier.
        QUEUE_HALTED: a halt, or its circuit breaker, holds the queue or the key.
        BREAKER_CLOSED: the queue has no open circuit breaker.
    """

    JOB_MISSING = -1
    LOCK_MISSING = -2
    WRONG_STATE = -3
    CHILDREN_PENDING = -4
    PARENT_MISSING = -5
    LOCK_MISMATCH = -6
    OTHER_PARENT = -7
    OF_SCHEDULE = -8
    CHILDREN_FAILED = -9
    RUN_EXISTS = -10
    SLOTS_TAKEN = -11
    NO_RUN = -12
    TOO_MANY = -13
    JOBS_ACTIVE = -14
    QUEUE_RESUMED = -15
    TAKEN_MEANWHILE = -16
    NO_ROOM = -17
    PLACE_UNKNOWN = -18
    EFFECT_EXISTS = -19
    EFFECT_MISSING = -20
    EFFECT_OPEN = -21
    EFFECT_SETTLED = -22
    LEASE_TOO_SHORT = -23
    QUEUE_FULL = -24
    OTHER_NAME = -25
    MISFIT = -26
    JOB_EXPIRED = -27
    QUEUE_HALTED = -30
    BREAKER_CLOSED = -31
