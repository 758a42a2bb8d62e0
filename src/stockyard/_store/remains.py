"""Reads what is left of a queue's jobs, for those who account for each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from stockyard._store.keyspace import QueueKeyspace
from stockyard._store.net.connection import accepted
from stockyard._store.text_fields import text_fields
from stockyard._wire.keys import PREFIXES

_ENDED = ("completed", "failed")
_LISTS = ("wait", "active", "paused")
_SORTED = ("delayed", "prioritized", "waiting_children")


@dataclass(frozen=True, slots=True)
class Remains:
    """What a server holds of a queue.

    Attributes:
        records: job ids by key.
        ended: how each ended job ended, by id.
        unended: ids of jobs that have not ended, with where they are.
        locks: ids of jobs that are locked.
        stalls: when each job was handed back by a look for dead workers, by id.
        announced: how many ends were announced of each id.
    """

    records: dict[str, list[str]]
    ended: dict[str, str]
    unended: dict[str, str]
    locks: list[str]
    stalls: dict[str, list[float]]
    announced: Counter[str]


async def read_remains(keyspace: QueueKeyspace) -> Remains:
    """Look at every job of a queue, each known by its id; one whose record is removed by the events of its end.

    Raises:
        ServerError: the server did not answer.
    """
    keys, server = keyspace.keys, await keyspace.holder()
    names = [*_ENDED, *_LISTS, *_SORTED]
    commands = [("LRANGE" if name in _LISTS else "ZRANGE", keys[name], 0, -1) for name in names]
    *found, events = await server.ask([*commands, ("XRANGE", keys["events"], "-", "+")])
    ids = {name: [_text(each) for each in reply] for name, reply in zip(names, found, strict=True)}
    ids["line of its key"] = await _in_lines(keyspace)
    ended = {job_id: name for name in _ENDED for job_id in ids[name]}
    unended = {job_id: name for name in (*_LISTS, *_SORTED, "line of its key") for job_id in ids[name]}
    stalls, announced = defaultdict(list), Counter[str]()
    for event_id, flat in events:
        fields = text_fields(flat)
        event, job_id = fields.get("event"), fields.get("jobId", "")
        if event == "stalled":
            stalls[job_id].append(int(_text(event_id).split("-")[0]) / 1000)
        elif event in _ENDED:
            announced[job_id] += 1
            if job_id not in unended:
                ended.setdefault(job_id, event)
    known = [*ended, *unended]
    replies = await server.ask([("EXISTS", keys.of_job(job_id, "lock")) for job_id in known]) if known else []
    locks = [job_id for job_id, is_locked in zip(known, replies, strict=True) if is_locked]
    return Remains({job_id: [job_id] for job_id in known}, ended, unended, locks, dict(stalls), announced)


async def _in_lines(keyspace: QueueKeyspace) -> list[str]:
    server = await keyspace.holder()
    lines = await server.call("ZRANGE", keyspace.keys["keys_lines"], 0, -1)
    first = (keyspace.base + PREFIXES["key_line"]).encode()
    replies = await server.ask([("ZRANGE", first + key, 0, -1) for key in lines]) if lines else []
    return [_text(each) for reply in replies for each in accepted(reply)]


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")
