"""What happened to the jobs of a desk's queues, and what in it breaks a promise: order, freshness, limits, loss.

The server's own stream of events gives the order of what it did, whatever the clocks of workers say.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import redis

ENDS = frozenset({"completed", "failed"})


class Fact(NamedTuple):
    """An entry of a queue's stream of events.

    Attributes:
        at: the server's time, ms since the epoch.
        event: its name, as BullMQ writes it.
        job_id: of the job.
    """

    at: int
    event: str
    job_id: str


class Start(NamedTuple):
    """A handler's start of a job that expires; times in ms since the epoch, by the server's clock.

    Attributes:
        job_id: of the job.
        granted: when the server granted the start.
        expires: when the job expires.
    """

    job_id: str
    granted: int
    expires: int


class Waiting(NamedTuple):
    """Jobs of one coalescing key that wait at one moment, by the server's clock in ms."""

    at: int
    key: str
    job_ids: frozenset[str]


def read_facts(client: "redis.Redis", events_key: str) -> list[Fact]:
    """Return a queue's events, the oldest first, by a client that decodes answers."""
    entries: Any = client.xrange(events_key)
    facts = []
    for entry_id, fields in entries:
        facts.append(Fact(int(entry_id.partition("-")[0]), fields["event"], fields.get("jobId", "")))
    return facts


def disorder(keys: Mapping[str, Sequence[str]], facts: Iterable[Fact]) -> list[str]:
    """Return the jobs that were taken before the one in front of them in their key had ended.

    Args:
        keys: the ids of each key's jobs, in the order added.
        facts: of their queue.
    """
    taken: dict[str, int] = {}
    ended: dict[str, int] = {}
    for place, fact in enumerate(facts):
        if fact.event == "active":
            taken.setdefault(fact.job_id, place)
        elif fact.event in ENDS:
            ended[fact.job_id] = place
    return [
        f"{key}: {later} was taken before {earlier} had ended"
        for key, ids in keys.items()
        for earlier, later in pairwise(ids)
        if later in taken and taken[later] < ended.get(earlier, math.inf)
    ]


def unended(job_ids: Iterable[str], facts: Iterable[Fact]) -> list[str]:
    """Return the jobs that did not end, or ended more than once."""
    times: defaultdict[str, int] = defaultdict(int)
    for fact in facts:
        times[fact.job_id] += fact.event in ENDS
    return [f"job {each} ended {times[each]} times" for each in job_ids if times[each] != 1]


def stale(starts: Iterable[Start]) -> list[str]:
    """Return the jobs that were started after they had expired."""
    return [
        f"job {each.job_id} was started {each.granted - each.expires} ms after it had expired"
        for each in starts
        if each.granted > each.expires
    ]


def together(seen: Iterable[Waiting], stalls: frozenset[str], grace_ms: int) -> list[str]:
    """Return the pairs of one coalescing key that waited at one time.

    A job that BullMQ's own workers put back, as its worker was lost, has ``grace_ms`` to yield to its successor.

    Args:
        seen: what waited, in the order of time.
        stalls: ids of the jobs that lost a worker.
        grace_ms: see above.
    """
    since: dict[tuple[str, frozenset[str]], int] = {}
    found: dict[tuple[str, frozenset[str]], str] = {}
    for each in seen:
        pairs = {(each.key, frozenset(pair)) for pair in combinations(sorted(each.job_ids), 2)}
        for gone in [known for known in since if known[0] == each.key and known not in pairs]:
            del since[gone]
        for pair in pairs:
            waited = each.at - since.setdefault(pair, each.at)
            if not pair[1] & stalls or waited > grace_ms:
                found.setdefault(pair, f"{each.key}: {' and '.join(sorted(pair[1]))} wait together, {waited} ms")
    return list(found.values())
