"""Reads queues and jobs without changing them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import msgspec

from stockyard._store.clients import client_names, count_workers
from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import Command, accepted
from stockyard._store.net.script_call import ScriptCall
from stockyard._store.numbers import whole
from stockyard._store.records import StoredRecord
from stockyard._store.scripts import load
from stockyard._store.snapshots import QueueMetrics, QueueSettings
from stockyard._store.text_fields import text_fields
from stockyard._wire.fields import MAX_EVENTS, STORED
from stockyard.errors import ServerError, ServerRefused
from stockyard.topology import Rate

_STATE = load("reading.state")
_ENDINGS = load("reading.endings")
_PAGE = load("reading.page")
_HEALTH = load("reading.health")
_CLASS = 2**32
_pack = msgspec.msgpack.Encoder().encode
CLIENT_LIST = ("CLIENT", "LIST")

_STATE_KEYS = ("wait prioritized active delayed waiting-children completed failed paused meta").split()
_BLANK = (*[0] * 11, "", "", *[0] * 3, "", *[0] * 4, "", *[0] * 5, "", 0, "", "", *[0] * 2, "", "", 0)

_SCORES_OF_A_MS = 4096
"""Delayed jobs of the same millisecond are ordered by what is left of their scores."""


class Ending(NamedTuple):
    """Where a job is and how it ended: the result as JSON text, or the reason; id of the last event by then."""

    state: str
    exists: bool
    value: bytes | None
    reason: str | None
    last_event: str = "0-0"


class QueueFacts(NamedTuple):
    """A queue's numbers at one moment; times are ms since the epoch, 0 for none.

    Attributes:
        running_id, running_worker, is_held: of the job that runs longest, and whether its lease is held.
        late_due, late_schedule: of the schedule whose run is the most overdue.
        counted_completed, counted_failed: jobs that workers counted since they began to.
        unknown_effects, unknown_since, unknown_key: how many effects are unknown, and which one for longest.
        not_understood: jobs of payload versions that no worker has asked for within a minute.
        replaced, expired, dropped, refused: how many payloads were replaced, and jobs did not run.
        halt: JSON of what halts the whole queue, or empty.
        halted_keys: of how many keys the jobs are halted.
        breaker, trial: JSON of the halt of its open circuit breaker, and the job that is its trial; or empty.
        parked_keys, in_lines: how many keys are parked, and how many jobs wait in the lines of their keys.
        canary, canary_share: the version and the share of the queue's canary, or empty.
        damage: what could not be read and why, as in ``wait: WRONGTYPE ...``; its number is 0.
    """

    wait: int
    prioritized: int
    active: int
    delayed: int
    waiting_children: int
    completed: int
    failed: int
    legacy_paused: int
    is_paused: int
    waiting_since: int
    running_since: int
    running_id: str
    running_worker: str
    is_held: int
    schedules: int
    late_due: int
    late_schedule: str
    counted_completed: int
    counted_failed: int
    unknown_effects: int
    unknown_since: int
    unknown_key: str
    not_understood: int
    replaced: int
    expired: int
    dropped: int
    refused: int
    halt: str
    halted_keys: int
    breaker: str
    trial: str
    parked_keys: int
    in_lines: int
    canary: str
    canary_share: str
    workers: int
    damage: tuple[str, ...] = ()

    def sound(self, queue: str) -> QueueFacts:
        """Return these numbers if all states could be counted.

        Raises:
            ServerRefused: a state's key is not what the protocol says.
        """
        broken = [each for each in self.damage if each.partition(":")[0] in _STATE_KEYS]
        if broken:
            raise ServerRefused(
                f"queue {queue!r} cannot be counted: {'; '.join(broken)}; "
                "another program has written over the key: rename or delete it"
            )
        return self


async def read_job(keyspace: QueueKeyspace, job_id: str) -> StoredRecord | None:
    """Return a job's record, or None when it does not exist."""
    fields = await keyspace.server.call("HMGET", keyspace.keys.job(job_id), *STORED)
    return None if all(field is None for field in fields) else StoredRecord._make([*fields, job_id.encode()])


class PagePlace(NamedTuple):
    """How far a look through some states has come.

    Attributes:
        source: number of the list or set of the server, from 1.
        line: rank of the line of a key, where that is what is read.
        skip: how many ids to pass over there.
    """

    source: int = 1
    line: int = 0
    skip: int = 0


async def read_part(
    keyspace: QueueKeyspace, states: Sequence[str], place: PagePlace, size: int, *, newest_first: bool
) -> tuple[list[StoredRecord], PagePlace | None]:
    """Return records of at most ``size`` jobs from a place on, and where the next part begins; None at the end.

    There may be fewer, and more behind them: one call looks at a bounded number of ids.
    """
    rows, *following = await keyspace.run(_PAGE, keyspace.base, " ".join(states), *place, size, int(newest_first))
    return [StoredRecord._make(row) for row in rows], PagePlace(*following) if following[0] else None


async def read_page(
    keyspace: QueueKeyspace, states: Sequence[str], first: int, size: int, *, newest_first: bool
) -> list[StoredRecord]:
    """Return records of ``size`` jobs from the position ``first``, where one state follows the other."""
    records: list[StoredRecord] = []
    place: PagePlace | None = PagePlace(skip=first)
    while place is not None and len(records) < size:
        part, place = await read_part(keyspace, states, place, size - len(records), newest_first=newest_first)
        records += part
    return records


async def read_state(keyspace: QueueKeyspace, job_id: str) -> Ending:
    """Return where a job is, and how it ended if it did."""
    state, exists, value, reason, last_event = await keyspace.run(_STATE, keyspace.keys.job(job_id), job_id)
    words = reason.decode(errors="replace") if reason else None
    return Ending(state.decode(), bool(exists), value, words, last_event.decode())


async def find_endings(keyspace: QueueKeyspace, job_ids: Collection[str]) -> dict[str, tuple[str, bytes]]:
    """Return the last event of jobs in the stream, as its name and its text: a result as JSON, a reason, or empty.

    Jobs whose events are gone are left out. The stream is looked through from its end, in several calls.
    """
    found: dict[str, tuple[str, bytes]] = {}
    at = b"+"
    while at:
        left = _pack([each for each in job_ids if each not in found])
        rows, at = await keyspace.run(_ENDINGS, left, at)
        found.update((job_id.decode(errors="replace"), (name.decode(), text)) for job_id, name, text in rows)
    return found


async def read_facts(keyspaces: Sequence[QueueKeyspace]) -> list[QueueFacts]:
    """Return the numbers of several queues of one server in one round trip.

    Raises:
        ServerRefused: the user may read none of the queues.
    """
    replies = await keyspaces[0].server.run_many(fact_calls(keyspaces), CLIENT_LIST)
    return facts_of(keyspaces, replies)


def fact_calls(keyspaces: Sequence[QueueKeyspace]) -> list[ScriptCall]:
    """Return the calls whose replies, with that of ``CLIENT_LIST`` behind them, ``facts_of`` reads."""
    return [
        ScriptCall(_HEALTH, keyspace.script_keys(_HEALTH), (keyspace.base, keyspace.clock()))
        for keyspace in keyspaces
    ]


def facts_of(keyspaces: Sequence[QueueKeyspace], replies: Sequence[Any]) -> list[QueueFacts]:
    """Read the replies; a queue whose reply is an error has no numbers but that damage.

    Raises:
        ServerRefused, ServerUnavailable: all of them are errors.
    """
    answers = replies[: len(keyspaces)]
    if answers and all(isinstance(answer, ServerError) for answer in answers):
        raise answers[0]
    names = client_names(replies[len(keyspaces)])
    return [
        _facts(keyspace, reply, count_workers(keyspace, names))
        for keyspace, reply in zip(keyspaces, answers, strict=True)
    ]


def _facts(keyspace: QueueKeyspace, reply: Any, workers: int) -> QueueFacts:
    if isinstance(reply, ServerError):
        return QueueFacts._make([*_BLANK[:-1], workers, (str(reply),)])
    *fields, damage = reply
    texts = [field.decode(errors="replace") if isinstance(field, bytes) else field for field in fields]
    return QueueFacts._make([*texts, workers, tuple(each.decode(errors="replace") for each in damage)])


async def read_settings(keyspace: QueueKeyspace) -> QueueSettings:
    """Return the settings that all workers of the queue respect; what cannot be read is as if it were not set."""
    meta = text_fields(await keyspace.server.call("HGETALL", keyspace.keys["meta"]))
    limit, window = whole(meta.get("max")), whole(meta.get("duration"))
    return QueueSettings(
        paused="paused" in meta,
        concurrency=whole(meta.get("concurrency")),
        rate=Rate(limit, window) if limit and window else None,
        max_events=whole(meta.get(MAX_EVENTS)),
        version=meta.get("version"),
    )


async def is_paused(keyspace: QueueKeyspace) -> bool:
    """Say whether the queue is paused."""
    return bool(await keyspace.server.call("HEXISTS", keyspace.keys["meta"], "paused"))


async def count_by_priority(keyspace: QueueKeyspace, priorities: Sequence[int]) -> list[int]:
    """Return how many jobs wait with each priority; 0 is those without one."""
    keys = keyspace.keys
    lists: list[Command] = [("LLEN", keys["wait"]), ("LLEN", keys["paused"])]
    classes = [("ZCOUNT", keys["prioritized"], each * _CLASS, (each + 1) * _CLASS - 1) for each in priorities]
    wait, paused, *counts = map(accepted, await keyspace.server.ask([*lists, *classes]))
    return [count if each else wait + paused for each, count in zip(priorities, counts, strict=True)]


async def read_limit(keyspace: QueueKeyspace) -> tuple[int | None, int, int]:
    """Return the queue's own bound on starts, how many the window counted, and the ms that are left of it."""
    keys = keyspace.keys
    commands = [("HGET", keys["meta"], "max"), ("GET", keys["limiter"]), ("PTTL", keys["limiter"])]
    most, counted, left = map(accepted, await keyspace.server.ask(commands))
    return whole(most), whole(counted) or 0, left


async def read_owner(keyspace: QueueKeyspace, deduplication_id: str) -> str | None:
    """Return the id of the job that holds a deduplication id, or None."""
    owner = await keyspace.server.call("GET", keyspace.keys.owner(deduplication_id))
    return None if owner is None else str(owner.decode(errors="replace"))


async def read_metrics(keyspace: QueueKeyspace, kind: str, first: int, last: int) -> QueueMetrics:
    """Return what workers counted of jobs that ended as ``kind`` says, from minute ``first`` to ``last``."""
    key = keyspace.keys[f"metrics_{kind}"]
    data = f"{key}:data"
    commands: list[Command] = [
        ("HMGET", key, "count", "prevTS", "prevCount"),
        ("LRANGE", data, first, last),
        ("LLEN", data),
    ]
    totals, minutes, length = map(accepted, await keyspace.server.ask(commands))
    count, prev_ts, prev_count = (whole(total) or 0 for total in totals)
    return QueueMetrics(count, prev_ts, prev_count, tuple(whole(minute) or 0 for minute in minutes), length)


async def next_due(keyspace: QueueKeyspace) -> int | None:
    """Return when the first delayed job is due, ms since the epoch, or None."""
    first = await keyspace.server.call("ZRANGE", keyspace.keys["delayed"], 0, 0, "WITHSCORES")
    return int(float(first[-1])) // _SCORES_OF_A_MS if first else None
